/** Which rows are meant, as pieces of our own statements. */
import type { ChunkMethod, ChunkRange, ColumnFacts, Dialect } from '../database/dialect.ts';
import { SqlPart } from '../database/sql.ts';
import { sourceCondition, type BatchValues } from '../sql/batch-sql.ts';
import type { Bind } from '../sql/render.ts';

/** Rows of a cursor's window `[from, to)`; either end is open when null. */
export const windowWhere = (
  dialect: Dialect,
  column: ColumnFacts,
  window: { from: string | null; to: string | null },
): SqlPart => composed(dialect, (bind) => dialect.windowCondition(column, window, bind));

/** Rows of one chunk. */
export const rangeWhere = (
  dialect: Dialect,
  cut: { method: ChunkMethod; range: ChunkRange; key: ColumnFacts[] },
): SqlPart => composed(dialect, (bind) => dialect.rangeCondition(cut.method, cut.range, cut.key, bind));

/** Rows of a table that are a batch's business; undefined: all. */
export function sourceWhere(dialect: Dialect, table: string, batch: BatchValues): SqlPart | undefined {
  let all = false;
  const condition = composed(dialect, (bind) => {
    const text = sourceCondition(table, bind, batch, dialect);
    all = text === undefined;
    return text ?? '';
  });
  return all ? undefined : condition;
}

/** Where a value goes while the text is made: no SQL holds this character. */
const VALUE = '\0';

function composed(dialect: Dialect, make: (bind: Bind) => string): SqlPart {
  const values: unknown[] = [];
  const text = make((value, castType) => {
    values.push(value);
    return castType === undefined ? VALUE : dialect.sql.cast(VALUE, castType);
  });
  return new SqlPart(text.split(VALUE), values);
}
