import type { BeginOptions, Database, Session } from './dialect.ts';

/** `work` in one transaction of the session: committed when it is done, rolled back when it throws. */
export async function inTransaction<T>(
  session: Session,
  work: (session: Session) => Promise<T>,
  options?: BeginOptions,
): Promise<T> {
  try {
    await session.begin(options);
    const value = await work(session);
    await session.commit();
    return value;
  } catch (error) {
    await session.rollback();
    throw error;
  }
}

/** `work` in a read-only transaction on a connection of its own, which bears `purpose` for its name. */
export async function reading<T>(
  database: Database,
  purpose: string,
  work: (session: Session) => Promise<T>,
  options: { settings?: Record<string, string>; statementTimeoutMs?: number; reading?: boolean } = {},
): Promise<T> {
  const { settings, ...limits } = options;
  const session = await database.openSession(purpose, limits);
  try {
    return await inTransaction(session, work, { readOnly: true, ...(settings && { settings }) });
  } finally {
    await session.close();
  }
}
