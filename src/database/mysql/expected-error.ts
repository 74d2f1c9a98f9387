import type { Session } from '../dialect.ts';
import { sql } from '../sql.ts';
import { classify } from './errors.ts';

/**
 * What `ask` gives; undefined where it fails with an error that `expected` takes. Such an error ends no transaction that the session may
 * be in: the session learns that from the next answer without rows.
 */
export async function unlessFails<T>(
  session: Pick<Session, 'query'>,
  expected: (error: unknown) => boolean,
  ask: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!expected(error)) throw error;
    await session.query(sql`do 0`);
    return undefined;
  }
}

/** The same of what one server has and another has not, or not for this account: a table of its own, a statement, a right. */
export const unlessNotThere = <T>(session: Pick<Session, 'query'>, ask: () => Promise<T>): Promise<T | undefined> =>
  unlessFails(session, (error) => classify(error).kind === 'permanent', ask);
