import type { BeginOptions, Session } from './dialect.ts';

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
