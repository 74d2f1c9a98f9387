import type { Session } from '../database/dialect.ts';
import type { RawSql } from '../database/sql.ts';

/** Rows a statement: with a few values each, far under the 65,535 that the servers' protocols bind. */
const MOST_ROWS = 2_000;
/** Characters a statement: far under a packet, whatever `max_allowed_packet` is. One row may have more. */
const MOST_CHARACTERS = 200_000;

/**
 * Writes rows of the ledger by as few statements as go well: each of a row alone is a round trip. They may be made as they are asked for;
 * no more of them are in memory than one statement has.
 */
export async function insertMany(
  session: Session,
  table: RawSql,
  columns: readonly string[],
  rows: Iterable<readonly unknown[]>,
): Promise<void> {
  let some: (readonly unknown[])[] = [];
  let characters = 0;
  for (const row of rows) {
    const length = row.reduce<number>((sum, value) => sum + String(value).length, 0);
    if (some.length === MOST_ROWS || (some.length > 0 && characters + length > MOST_CHARACTERS)) {
      await insert(session, table, columns, some);
      some = [];
      characters = 0;
    }
    some.push(row);
    characters += length;
  }
  if (some.length > 0) await insert(session, table, columns, some);
}

async function insert(
  session: Session,
  table: RawSql,
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const strings = [`insert into ${table.text} (${columns.join(', ')}) values (`];
  rows.forEach((row, i) => {
    row.forEach((_, at) => strings.push(at < row.length - 1 ? ', ' : i < rows.length - 1 ? '), (' : ')'));
  });
  await session.query({ strings, values: rows.flat() });
}
