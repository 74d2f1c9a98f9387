import type { Batch } from '../control/batch.ts';
import { recordEvent } from '../control/events.ts';
import { readSnapshots } from '../control/snapshots.ts';
import { openSteps, skipSteps, type StepPhase } from '../control/steps.ts';
import type { Database } from '../database/dialect.ts';

interface Start {
  force: boolean;
  requestedBy: string | undefined;
}

/** What a crash after publish left undone: the snapshot to drop, `after` steps to run. Undefined: nothing. */
export async function leftovers(
  database: Database,
  batch: Batch,
  request: Start,
): Promise<{ after: boolean } | undefined> {
  const snapshots = await readSnapshots(database, database, batch.batchId);
  const undropped = snapshots.some((snapshot) => !snapshot.dropped);
  const after = await stepsLeft(database, batch, 'after', request);
  return undropped || after ? { after } : undefined;
}

/**
 * Whether `on_error` steps of a failed batch are left to run. What a person forced or cancelled is nothing to recover from.
 */
export async function unrecovered(database: Database, batch: Batch, request: Start): Promise<boolean> {
  if (batch.state !== 'failed' || batch.errorClass === 'forced') return false;
  return stepsLeft(database, batch, 'on_error', request);
}

/** A forced start goes past steps that cannot be done, or a broken one would block the load for ever. */
async function stepsLeft(database: Database, batch: Batch, phase: StepPhase, request: Start): Promise<boolean> {
  if ((await openSteps(database, batch.batchId, phase)).length === 0) return false;
  if (!request.force) return true;
  await database.transaction(async (session) => {
    const skipped = await skipSteps(session, database, batch.batchId, phase);
    await recordEvent(session, database, batch.batchId, `${phase}_skipped`, {
      requestedBy: request.requestedBy,
      reason: `forced: ${skipped} steps skipped`,
    });
  });
  return false;
}
