import { fromItem, type RowSource } from '../row-source.ts';
import type { Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { quoteTable } from './names.ts';

interface PlanNode {
  Schema?: string;
  'Relation Name'?: string;
  Plans?: PlanNode[];
}

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
  const { rows: plan } = await session.query<{ 'QUERY PLAN': unknown }>(sql`
    explain (verbose, format json) select * from ${raw(fromItem(rows, quoteTable))}`);
  const said = plan[0]!['QUERY PLAN'];
  const [{ Plan: top }] = (typeof said === 'string' ? JSON.parse(said) : said) as [{ Plan: PlanNode }];
  const { rows: fed } = await session.query<{ table: string; subscription: string }>(sql`
    select srrelid::regclass::text as ${raw('"table"')},
      coalesce((select quote_ident(subname) from pg_subscription s where s.oid = srsubid), srsubid::text) as subscription
    from json_to_recordset(${JSON.stringify(relationsOf(top))}) as read(schema name, name name)
    join pg_namespace n on n.nspname = read.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = read.name
    join pg_subscription_rel on srrelid = c.oid or srrelid in (select relid from pg_partition_ancestors(c.oid))
    order by 1, 2 limit 1`);
  return fed[0];
}

const relationsOf = (node: PlanNode): { schema: string | undefined; name: string }[] => [
  ...(node['Relation Name'] === undefined ? [] : [{ schema: node.Schema, name: node['Relation Name'] }]),
  ...(node.Plans ?? []).flatMap(relationsOf),
];
