/** Which rows are meant, as pieces of our own statements. */
import type { ChunkMethod, ChunkRange, ColumnFacts, Dialect } from '../database/dialect.ts';
import { composed, type SqlPart } from '../database/sql.ts';
import { sourceCondition, type BatchValues } from '../sql/batch-sql.ts';

/** Rows of a cursor's window `[from, to)`; either end is open when null. */
export const windowWhere = (
  dialect: Dialect,
  column: ColumnFacts,
  window: { from: string | null; to: string | null },
): SqlPart => composed(dialect.sql, (bind) => dialect.windowCondition(column, window, bind));

/** Rows of one chunk. */
export const rangeWhere = (
  dialect: Dialect,
  cut: { method: ChunkMethod; range: ChunkRange; key: ColumnFacts[] },
): SqlPart => composed(dialect.sql, (bind) => dialect.rangeCondition(cut.method, cut.range, cut.key, bind));

/** Rows of a table that are a batch's business, for planning; undefined: all. They may lie anywhere along a key. */
export function sourceWhere(
  dialect: Dialect,
  table: string,
  batch: BatchValues,
): { condition: SqlPart; window: false } | undefined {
  let all = false;
  const condition = composed(dialect.sql, (bind) => {
    const text = sourceCondition(table, bind, batch, dialect);
    all = text === undefined;
    return text ?? '';
  });
  return all ? undefined : { condition, window: false };
}
