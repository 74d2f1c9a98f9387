import type { MysqlSession } from '../session.ts';
import { isBusy } from './busy.ts';

/** Does the work while this connection alone uses the tables (quoted); `busy`: they were not to be had in time. */
export async function withTablesLocked<T>(
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
