import { timeLeft, type Batch } from '../control/batch.ts';
import type { LoadDefinition } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';
import { FAILURE, type OwnedBatch } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { permanent, refused } from './failures.ts';
import type { OpenRequest } from './open-batch.ts';
import { resumeHeld } from './resume-held.ts';
import { workflowLiveness } from './workflow-liveness.ts';

export type UnfinishedDecision =
  { kind: 'redo'; batch: OwnedBatch; why: string; errorClass: string } | { kind: 'resumed'; batch: Batch };

/** What a start does about the load's unfinished batch: DESIGN §3, "Restart rules", row by row. */
export async function decideUnfinished(
  engine: Engine,
  database: Database,
  batch: Batch,
  load: LoadDefinition,
  request: OpenRequest,
): Promise<UnfinishedDecision> {
  const redo = (why: string, errorClass: string): UnfinishedDecision => ({
    kind: 'redo',
    batch: { connection: database.connection, batchId: batch.batchId, firstRunId: batch.firstRunId },
    why,
    errorClass,
  });
  const where = `load ${batch.loadName}, batch ${batch.batchId}`;

  switch (batch.state) {
    case 'rolling_back':
      return redo('a roll back that had begun', batch.errorClass ?? 'interrupted'); // finished first, always
    case 'held':
      if (request.resume) return { kind: 'resumed', batch: await resumeHeld(database, batch, load, request) };
      return redo('started anew while it was held', 'superseded');
    case 'retracting':
      throw refused(`batch ${batch.batchId} is being retracted`, {
        where,
        next: 'let the retraction end, then start again',
      });
    default:
  }
  // running or checking
  if (request.resume) {
    throw refused(`batch ${batch.batchId} is ${batch.state}, not held: there is nothing to resume`, {
      where,
      next: `start it without --resume: what was interrupted is rolled back and redone. waybill run ${batch.loadName}`,
    });
  }
  if (batch.firstRunId === request.firstRunId) {
    return redo('taken over by the next attempt of its own workflow', request.force ? 'forced' : 'interrupted');
  }
  const liveness = await workflowLiveness(engine.client, batch.workflowId, batch.firstRunId);
  if (liveness === 'closed') return redo('its workflow ended without finishing it', 'interrupted');
  if (liveness === 'running') {
    throw stillRun(batch, where);
  }
  if (request.force) return redo('forced: its workflow is not known to this Temporal server', 'forced');
  if (timeLeft(batch) < 0) {
    return redo('past its max_runtime, and its workflow is not known to this Temporal server', 'timeout');
  }
  throw refused(
    `batch ${batch.batchId} is ${batch.state}, started by a workflow that this Temporal server does not know ` +
      `(its history was lost, or it runs on another server)`,
    {
      where,
      next:
        `its max_runtime ends ${batch.deadlineAt.toISOString()}; a start after that rolls it back and redoes it. ` +
        `If you know that nothing runs it: waybill run ${batch.loadName} --force`,
    },
  );
}

/** Temporal itself refuses a second workflow of one id, so this one has another: that of the load's name before. */
function stillRun(batch: Batch, where: string): Error {
  const workflowId = batch.workflowId!;
  return permanent(FAILURE.alreadyRunning, `batch ${batch.batchId} is still run by workflow ${workflowId}`, {
    where,
    next: `wait for it, or cancel it: temporal workflow cancel --workflow-id ${workflowId}`,
    workflowId,
  });
}
