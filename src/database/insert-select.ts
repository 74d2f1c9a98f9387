import type { Session } from './dialect.ts';

/** Rows of a SELECT into a table of the same database, by the server's count: where none is dropped without an error, both ends'. */
export async function insertSelect(
  session: Session,
  table: string,
  columns: readonly string[],
  select: string,
): Promise<{ read: number; written: number }> {
  const { rowCount } = await session.run({
    text: `insert into ${table} (${columns.join(', ')}) ${select}`,
    values: [],
  });
  return { read: rowCount, written: rowCount };
}
