import type { ColumnFacts, Dialect, Session } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';

/** Rows that are counted to be named in a refusal. */
const COUNTED = 1_000;

/**
 * Refuses a table whose column has no value in some rows, or one above every other (infinity, NaN): they are in no window and no range,
 * and would be lost without a word.
 */
export async function refuseUnreached(
  session: Session,
  dialect: Dialect,
  { connection, table, from, column }: { connection: string; table: string; from: string; column: ColumnFacts },
  why: { lost: string; where: string; next: string },
): Promise<void> {
  const name = dialect.quoteName(column.name);
  const above = dialect.endless(column)?.above;
  const unreached = [...(column.nullable ? [`${name} is null`] : []), ...(above === undefined ? [] : [above])];
  if (unreached.length === 0) return;
  const { rows } = await session.run(
    {
      text:
        `select count(*), count(${name}) from (select ${name} from ${from} ` +
        `where ${unreached.join(' or ')} limit ${COUNTED}) unreached`,
      values: [],
    },
    { first: 1 },
  );
  const [found, endless] = rows[0]!.map(Number) as [number, number];
  if (found === 0) return;
  const words = [...(found > endless ? ['NULL'] : []), ...(endless > 0 ? ['infinity or NaN'] : [])];
  const { lost, where, next } = why;
  throw new ConfigurationError(
    `${table} on ${connection} has ${found === COUNTED ? `${found} or more` : found} ` +
      `row${found === 1 ? '' : 's'} whose ${column.name} is ${words.join(', ')}: ${lost}`,
    { where, next },
  );
}
