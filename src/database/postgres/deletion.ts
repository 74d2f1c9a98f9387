import type { DeletionGroup, Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { quoteTable } from './names.ts';

/**
 * Cuts the rows of a batch into page ranges, one pass over the table (or its index on batch_id). Each range is then
 * deleted in a transaction of its own by a TID range scan: linear however many dead rows pile up, where
 * `delete … limit n` would walk over the dead ones again and again.
 */
export async function planDeletion(
  session: Session,
  table: string,
  batchId: string,
  rowsPerTransaction: number,
): Promise<DeletionGroup[]> {
  const { rows } = await session.query<{ part: string; page_from: string; page_to: string; n: string }>(sql`
    with pages as (
      select tableoid, (ctid::text::point)[0]::bigint as page, count(*) as n
      from ${raw(quoteTable(table))} where batch_id = ${batchId} group by 1, 2),
    numbered as (
      select tableoid, page, n, div(sum(n) over (partition by tableoid order by page) - n, ${rowsPerTransaction}::numeric) as g
      from pages)
    select tableoid::regclass::text as part, min(page) as page_from, max(page) + 1 as page_to, sum(n) as n
    from numbered group by tableoid, g order by tableoid, g`);
  return rows.map((row) => ({ table: row.part, from: row.page_from, to: row.page_to, rows: Number(row.n) }));
}

/** Deletes the batch's rows of one page range; how many. */
export async function deleteGroup(session: Session, group: DeletionGroup, batchId: string): Promise<number> {
  const { rowCount } = await session.query(sql`
    delete from only ${raw(group.table)}
    where batch_id = ${batchId} and ctid >= ${`(${group.from},0)`}::tid and ctid < ${`(${group.to},0)`}::tid`);
  return rowCount;
}
