import type { Session } from '../dialect.ts';
import { sql } from '../sql.ts';

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
