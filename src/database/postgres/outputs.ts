/** Which table an output is: its OID stays through a new name and every ALTER, its file changes with TRUNCATE and rewrites. */
import { formatTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';
import type { Session, TableIdentity } from '../dialect.ts';
import { part, sql, type SqlPart } from '../sql.ts';
import { quoteTable } from './names.ts';
import { isStill } from './tables.ts';

/**
 * See `Dialect.isOutput`. What a chunk's own SQL rewrites (CLUSTER, ALTER TABLE) is looked at behind it: this transaction has the table
 * to itself then.
 */
export const isOutput = (table: string, identity: TableIdentity): SqlPart => part`
  case when ${isStill(table, identity)} then true else exists (
    select from pg_locks where locktype = 'relation' and mode = 'AccessExclusiveLock' and granted and pid = pg_backend_pid()
      and database = (select oid from pg_database where datname = current_database())
      and relation = ${identity.relationId}::oid and relation = to_regclass(${quoteTable(table)})) end`;

/** See `Dialect.outputOf`. An OID comes again one day: a table without `batch_id` is another one. */
export async function outputOf(session: Session, relationId: string): Promise<string | undefined> {
  const { rows } = await session.query<{ schema: string; name: string }>(sql`
    select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = ${relationId}::oid and c.relkind in ('r', 'p')
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'batch_id' and not a.attisdropped)`);
  return rows[0] && formatTableName(rows[0], postgresSql);
}
