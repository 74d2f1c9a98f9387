import type { RowSource } from '../row-source.ts';
import type { Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { planNodes } from './relations-read.ts';

/**
 * See `Dialect.subscribed`. Which tables a view or a query reads, the planner says: it comes with all of them, partitions too, of
 * which a subscription may fill one, or all by the table that they belong to. A disabled one counts: it may go on.
 */
export async function subscribed(
  session: Session,
  rows: RowSource,
): Promise<{ table: string; subscription: string } | undefined> {
  const { rows: any } = await session.query(sql`select 1 from pg_subscription_rel limit 1`);
  if (any.length === 0) return undefined;
  const read = (await planNodes(session, rows))
    .filter((node) => node['Relation Name'] !== undefined)
    .map((node) => ({ schema: node.Schema, name: node['Relation Name'] }));
  const { rows: fed } = await session.query<{ table: string; subscription: string }>(sql`
    select srrelid::regclass::text as ${raw('"table"')},
      coalesce((select quote_ident(subname) from pg_subscription s where s.oid = srsubid), srsubid::text) as subscription
    from json_to_recordset(${JSON.stringify(read)}) as read(schema name, name name)
    join pg_namespace n on n.nspname = read.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = read.name
    join pg_subscription_rel on srrelid = c.oid or srrelid in (select relid from pg_partition_ancestors(c.oid))
    order by 1, 2 limit 1`);
  return fed[0];
}
