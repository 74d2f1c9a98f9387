import type { Database } from '../database/dialect.ts';
import type { BatchState } from '../workflows/messages.ts';
import { changeStateIn, type StateChange } from './gate.ts';

/** How often those who hold the gate are ended while the fence waits. */
const END_HOLDERS_EVERY_MS = 200;

/**
 * Shuts the gate for good: `running | checking | held` becomes `rolling_back`, or `held`. The fence queues first and never
 * gives up its place; meanwhile the SQL of those who hold the gate is ended from another connection. Whoever queued
 * behind it reads the new state and leaves. Returns the state that the batch has now: `published` when a publish was
 * faster, and then nothing was changed.
 */
export async function fence(
  database: Database,
  batchId: string,
  to: 'rolling_back' | 'held',
  change: StateChange = {},
): Promise<BatchState> {
  return database.oneFenceAtATime(async () => {
    let shut = false;
    const queued = database.transaction((session) => changeStateIn(session, database, batchId, to, change));
    const settled = queued.finally(() => {
      shut = true;
    });
    settled.catch(() => undefined); // awaited below; this only keeps an early failure from being unhandled
    const ended = (async () => {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, shut ? 0 : 50));
        if (shut) return;
        await database.dialect.endGateHolders(database, batchId);
        await new Promise((resolve) => setTimeout(resolve, END_HOLDERS_EVERY_MS));
      }
    })();
    const [state] = await Promise.all([settled, ended]);
    return state;
  });
}
