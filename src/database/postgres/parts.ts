import { part, type RawSql, type SqlPart } from '../sql.ts';

/**
 * `root` (an OID) and all that inherits from it, its partitions for one, as `parts (id)`. Of the catalog alone, which waits for nobody's lock
 * on one of them; pg_partition_tree would.
 */
export const partsOf = (root: RawSql | SqlPart): SqlPart => part`with recursive parts as (
      select ${root} as id union all select inhrelid from pg_inherits join parts on inhparent = id)`;

/** The same of a table's quoted name. */
export const partsOfTable = (name: string): SqlPart => partsOf(part`to_regclass(${name})::oid`);
