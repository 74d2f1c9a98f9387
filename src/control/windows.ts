/** The position of a cursor: the union of the published windows of a load. */
import type { ColumnFacts, Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';

/** Where the next window begins and, if a later one is published already, where it must end. */
export interface Position {
  from: string | null;
  until: string | null;
}

/**
 * The first value that no published window covers. A retracted or missing window in the middle is a gap: it is read again,
 * up to where the next published one begins. `start`: where the very first window begins; null: everything.
 */
export async function cursorPosition(
  database: Database,
  load: string,
  column: ColumnFacts,
  start: string | null,
): Promise<Position> {
  const type = raw(column.castType);
  const { rows } = await database.query<{ window_from: string | null; window_to: string }>(sql`
    select window_from, window_to from ${database.ledger('batch')}
    where load_name = ${load} and state = 'published' and window_to is not null
    order by window_from::${type} nulls first, window_to::${type}`);
  if (rows.length === 0) return { from: start, until: null };
  const { rows: gaps } = await database.query<{ covered: string; next: string | null }>(sql`
    with published as (
      select window_from::${type} as f, window_to::${type} as t from ${database.ledger('batch')}
      where load_name = ${load} and state = 'published' and window_to is not null),
    -- an empty window at the start stands for "nothing is covered below start"
    edges as (
      select f, t from published
      union all select ${start}::${type}, ${start}::${type} where ${start}::${type} is not null),
    covered as (select f, t, max(t) over (order by f nulls first, t rows between unbounded preceding and current row) as upto,
                  lead(f) over (order by f nulls first, t) as next
                from edges)
    select upto::text as covered, next::text as next from covered
    where next is null or next > upto order by upto limit 1`);
  const gap = gaps[0]!;
  return { from: gap.covered, until: gap.next };
}
