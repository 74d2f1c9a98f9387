import { fromItem, type RowSource } from '../row-source.ts';
import type { Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { quoteTable } from './names.ts';

/** A node of a plan, as far as it says what is read. */
export interface PlanNode {
  'Node Type': string;
  Schema?: string;
  'Relation Name'?: string;
  /** Foreign tables that their server joins, or counts, as a text. */
  Relations?: string;
  'Function Name'?: string;
  /** Unique in a plan. */
  Alias?: string;
  /** What it gives, as texts. What appends (partitions, unions, a recursion) does not say it: the same as its first member. */
  Output?: string[];
  'Parent Relationship'?: string;
  'Subplan Name'?: string;
  'CTE Name'?: string;
  Plans?: PlanNode[];
}

/** What reads a table, a view or a query, as the planner says it: it comes with all tables below, partitions too. */
export const planNodes = async (session: Session, rows: RowSource): Promise<PlanNode[]> =>
  withAllBelow(await planOf(session, rows, '*'));

/** How a plan calls the rows that are read. */
export const SOURCE = 'waybill_query';

export async function planOf(session: Session, rows: RowSource, columns: string): Promise<PlanNode> {
  const from = typeof rows === 'string' ? `${fromItem(rows, quoteTable)} ${SOURCE}` : fromItem(rows, quoteTable);
  const { rows: plan } = await session.query<{ 'QUERY PLAN': unknown }>(sql`
    explain (verbose, format json) select ${raw(columns)} from ${raw(from)}`);
  const said = plan[0]!['QUERY PLAN'];
  const [{ Plan: top }] = (typeof said === 'string' ? JSON.parse(said) : said) as [{ Plan: PlanNode }];
  return top;
}

export const withAllBelow = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(withAllBelow)];
