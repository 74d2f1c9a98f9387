import type { Database, Session } from '../database/dialect.ts';
import { inTransaction } from '../database/transaction.ts';
import type { BatchState } from '../workflows/messages.ts';
import { changeStateIn, type StateChange } from './gate.ts';

/** How often those who hold the gate are ended while the fence waits. */
const END_HOLDERS_EVERY_MS = 200;

/**
 * Shuts the gate for good: `running | checking | held` becomes `rolling_back`, or `held`. The fence queues first and never
 * gives up its place; meanwhile the SQL of those who hold the gate is ended from another connection. Both connections are
 * its own: those of pools and lanes may be held by what it is to end. Whoever queued behind it reads the new state and
 * leaves. Returns the state that the batch has now: `published` when a publish was faster, and then nothing was changed.
 *
 * @param cannotEnd Told, again and again, why those who hold the gate cannot be ended: the fence waits for them all the same.
 */
export async function fence(
  database: Database,
  batchId: string,
  to: 'rolling_back' | 'held',
  change: StateChange = {},
  cannotEnd: (error: unknown) => void = () => undefined,
): Promise<BatchState> {
  const queue = await database.openAside(`waybill ${batchId} fence`);
  try {
    const state = await inTransaction(queue, async () => {
      const shut = changeStateIn(queue, database, batchId, to, change);
      await endHoldersUntil(shut, database, batchId, queue.connectionId, cannotEnd);
      return shut;
    });
    if (state === to) await database.dialect.endLeft(queue, database, batchId);
    return state;
  } finally {
    await queue.close();
  }
}

/** Ends holders of the gate, again and again, until the fence is in: it is a holder itself then, and stays. */
async function endHoldersUntil(
  shut: Promise<unknown>,
  database: Database,
  batchId: string,
  fenceConnection: string,
  cannotEnd: (error: unknown) => void,
): Promise<void> {
  let waiting = true;
  const settled = shut.then(
    () => (waiting = false),
    () => (waiting = false), // the fence itself reports why
  );
  const pause = (ms: number): Promise<unknown> =>
    Promise.race([settled, new Promise((resolve) => setTimeout(resolve, ms))]);
  await pause(50);
  let ender: Session | undefined;
  while (waiting) {
    try {
      ender ??= await database.openAside(`waybill ${batchId} fence`);
      await database.dialect.endGateHolders(ender, database, batchId, fenceConnection);
    } catch (error) {
      cannotEnd(error);
      ender?.destroy(); // too many connections, or a restart: the fence keeps its place, and we try again
      ender = undefined;
    }
    await pause(END_HOLDERS_EVERY_MS);
  }
  await ender?.close();
}
