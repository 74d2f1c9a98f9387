import type { Batch } from '../control/batch.ts';
import { recordEvent } from '../control/events.ts';
import { readSnapshots } from '../control/snapshots.ts';
import { openSteps, skipSteps } from '../control/steps.ts';
import type { Database } from '../database/dialect.ts';

/**
 * What a crash after publish left undone: the snapshot to drop, `after` steps to run. Undefined: nothing. A forced start
 * goes past `after` steps that cannot be done, or a broken one would block the load for ever.
 */
export async function leftovers(
  database: Database,
  batch: Batch,
  request: { force: boolean; requestedBy: string | undefined },
): Promise<{ after: boolean } | undefined> {
  const snapshots = await readSnapshots(database, database, batch.batchId);
  const undropped = snapshots.some((snapshot) => !snapshot.dropped);
  let after = (await openSteps(database, batch.batchId, 'after')).length > 0;
  if (after && request.force) {
    await database.transaction(async (session) => {
      const skipped = await skipSteps(session, database, batch.batchId, 'after');
      await recordEvent(session, database, batch.batchId, 'after_skipped', {
        requestedBy: request.requestedBy,
        reason: `forced: ${skipped} steps skipped`,
      });
    });
    after = false;
  }
  return undropped || after ? { after } : undefined;
}
