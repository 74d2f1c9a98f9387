import { formatTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';
import type { Session } from '../dialect.ts';
import { sql } from '../sql.ts';

/** See `Dialect.outputOf`. An OID comes again one day: a table without `batch_id` is another one. */
export async function outputOf(session: Session, relationId: string): Promise<string | undefined> {
  const { rows } = await session.query<{ schema: string; name: string }>(sql`
    select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = ${relationId}::oid and c.relkind in ('r', 'p')
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'batch_id' and not a.attisdropped)`);
  return rows[0] && formatTableName(rows[0], postgresSql);
}
