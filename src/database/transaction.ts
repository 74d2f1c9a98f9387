import type { BeginOptions, Database, Session, SessionOptions } from './dialect.ts';

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

/** `work` on a connection of its own, which bears `purpose` for its name. */
export async function withSession<T>(
  database: Database,
  purpose: string,
  work: (session: Session) => Promise<T>,
  options: SessionOptions = {},
): Promise<T> {
  const session = await database.openSession(purpose, options);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** `work` in a read-only transaction on a connection of its own. */
export async function reading<T>(
  database: Database,
  purpose: string,
  work: (session: Session) => Promise<T>,
  options: SessionOptions & { settings?: Record<string, string> } = {},
): Promise<T> {
  const { settings, ...limits } = options;
  const readOnly = { readOnly: true, ...(settings && { settings }) };
  return withSession(database, purpose, (session) => inTransaction(session, work, readOnly), limits);
}

/**
 * Looks of ours at users' tables, which wait for whoever has one to himself (VACUUM FULL, ALTER TABLE, LOCK TABLES): for as long as it
 * takes, and never on a connection for control, of which there are two. Without a transaction, a look holds nothing while the next waits.
 */
export const looking = <T>(database: Database, purpose: string, work: (session: Session) => Promise<T>): Promise<T> =>
  withSession(database, purpose, work, { looking: true });
