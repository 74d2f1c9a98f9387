import type { DeletionGroup, Session } from '../dialect.ts';
import { part, raw, sql } from '../sql.ts';
import { quoteTable } from './names.ts';

/** Pages that are looked at together: 8 MB, about 100,000 short rows. Larger tables have larger stretches, not more. */
const PAGES_A_STRETCH = 128;
const MOST_STRETCHES = 32_768;

/**
 * Cuts the rows of a batch into page ranges, in one pass over them. Each range is then deleted in a transaction of its own by a
 * TID range scan: linear however many dead rows pile up, where `delete … limit n` would walk over the dead ones again and
 * again.
 */
export async function planDeletion(
  session: Session,
  table: string,
  batchId: string,
  rowsPerTransaction: number,
): Promise<DeletionGroup[]> {
  const name = quoteTable(table);
  const { rows: size } = await session.query<{ pages: string }>(sql`
    with recursive parts as (
      select to_regclass(${name})::oid as id union all select inhrelid from pg_inherits join parts on inhparent = id)
    select max(pg_relation_size(id)) / current_setting('block_size')::bigint as pages from parts`);
  const pages = Number(size[0]?.pages ?? 0);
  const step = Math.max(PAGES_A_STRETCH, Math.ceil(pages / MOST_STRETCHES));
  const starts = Array.from({ length: Math.max(1, Math.ceil(pages / step)) }, (_, i) => i * step);
  // In which stretch a row lies is asked of its ctid itself: to take the page out of its text costs five times as much.
  const { rows } = await session.query<{ part: string; stretch: number; n: string }>(sql`
    select tableoid::regclass::text as part, stretch, n from (
      select tableoid, width_bucket(ctid, ${`{${starts.map((page) => `"(${page},0)"`).join(',')}}`}::tid[]) as stretch,
        count(*) as n
      from ${raw(name)} where batch_id = ${batchId} group by 1, 2) counted
    order by tableoid, stretch`);
  const groups: DeletionGroup[] = [];
  for (const row of rows) {
    const n = Number(row.n);
    const end = starts[row.stretch];
    const to = end === undefined ? null : String(end);
    const open = groups.at(-1);
    if (open?.table === row.part && open.rows + n <= rowsPerTransaction) {
      open.to = to;
      open.rows += n;
    } else {
      groups.push({ table: row.part, from: String(starts[row.stretch - 1]!), to, rows: n });
    }
  }
  return groups;
}

/** `+ 0`: no index on batch_id fits that, or the planner, which knows nothing of so new a batch, would read all of it. */
export async function deleteGroup(session: Session, group: DeletionGroup, batchId: string): Promise<number> {
  const end = group.to === null ? part`` : part`and ctid < ${`(${group.to},0)`}::tid`;
  const { rowCount } = await session.query(sql`
    delete from only ${raw(group.table)} where batch_id + 0 = ${batchId} and ctid >= ${`(${group.from},0)`}::tid ${end}`);
  return rowCount;
}
