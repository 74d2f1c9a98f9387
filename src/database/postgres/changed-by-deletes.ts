import { formatTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';
import type { Database } from '../dialect.ts';
import type { ChangedByDelete } from '../output-dialect.ts';
import { sql } from '../sql.ts';
import { quoteTable } from './names.ts';

interface KeyRow {
  n: number;
  schema: string;
  name: string;
  key: string;
  rule: string;
}

/** See `Dialect.changedByDeletes`. A key of a partitioned table, or to one, is one, whatever the catalog has for each partition. */
export async function changedByDeletes(database: Database, tables: readonly string[]): Promise<ChangedByDelete[]> {
  const { rows } = await database.query<KeyRow>(sql`
    with recursive parts as (
      select n::int, to_regclass(name)::oid as id from unnest(${tables.map(quoteTable)}::text[]) with ordinality named (name, n)
      union all select n, inhrelid from pg_inherits join parts on inhparent = id)
    select n, nspname as schema, relname as name, conname as key,
      case confdeltype when 'c' then 'cascade' when 'n' then 'set null' else 'set default' end as rule
    from parts join pg_constraint f on confrelid = id
      join pg_class c on c.oid = conrelid join pg_namespace s on s.oid = relnamespace
    where contype = 'f' and confdeltype in ('c', 'n', 'd') and conparentid = 0
      and not exists (select from parts own where own.id = conrelid)
    order by n, schema, name, key`);
  return rows.map(({ n, schema, name, key, rule }) => ({
    output: tables[n - 1]!,
    table: formatTableName({ schema, name }, postgresSql),
    key,
    rule,
  }));
}
