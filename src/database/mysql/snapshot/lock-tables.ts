import type { MysqlSession } from '../session.ts';
import { isBusy } from './busy.ts';
import { inSession } from './settings.ts';

/**
 * A worker that freezes between two statements while it has tables locked (or a machine that is cut off) is ended by the server after
 * so many seconds, and those who wait go on. Long enough for a slow network, and for a process that clears up its memory.
 */
const OTHERS_WAIT_SECONDS = 5;

/** Does the work while this connection alone uses the tables (quoted); `busy`: they were not to be had in time. */
export const withTablesLocked = <T>(
  session: MysqlSession,
  tables: readonly string[],
  work: () => Promise<T>,
): Promise<T | 'busy'> =>
  inSession(session, { wait_timeout: String(OTHERS_WAIT_SECONDS) }, () => locked(session, tables, work));

async function locked<T>(
  session: MysqlSession,
  tables: readonly string[],
  work: () => Promise<T>,
): Promise<T | 'busy'> {
  try {
    await session.say(`lock tables ${tables.map((table) => `${table} write`).join(', ')}`);
  } catch (error) {
    if (!isBusy(error)) throw error;
    return 'busy';
  }
  try {
    return await work();
  } finally {
    await session.say('unlock tables').catch(() => undefined);
  }
}
