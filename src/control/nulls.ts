import type { Dialect, Session } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';

/** Rows that are counted to be named in a refusal. */
const COUNTED = 1_000;

/**
 * Refuses a table whose column has no value in some rows: they are in no window and no range, and would be lost without a word.
 */
export async function refuseNulls(
  session: Session,
  dialect: Dialect,
  { connection, table, from, column }: { connection: string; table: string; from: string; column: string },
  why: { lost: string; where: string; next: string },
): Promise<void> {
  const { rows } = await session.run({
    text:
      `select count(*) from (select 1 from ${from} ` +
      `where ${dialect.quoteName(column)} is null limit ${COUNTED}) nulls`,
    values: [],
  });
  const found = Number(rows[0]?.[0]);
  if (found === 0) return;
  const { lost, where, next } = why;
  throw new ConfigurationError(
    `${table} on ${connection} has ${found === COUNTED ? `${found} or more` : found} ` +
      `row${found === 1 ? '' : 's'} whose ${column} is NULL: ${lost}`,
    { where, next },
  );
}
