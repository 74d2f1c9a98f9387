import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  patched,
  workflowInfo,
} from '@temporalio/workflow';
import type { ApplicationFailure } from '@temporalio/common';
import type { OpenOutcome } from '../activities/open-batch.ts';
import type { OpenedBatch } from '../activities/opened-batch.ts';
import { activities, ASKING, ASKING_ANOTHER } from './activity-proxies.ts';
import { finishPublished } from './conclude.ts';
import { failureOf } from './error-summary.ts';
import { FAILURE, type Interruption, type LoadInput, type LoadResult } from './messages.ts';
import type { Progress } from './progress.ts';
import { recoverBefore } from './recover.ts';
import { historyIsFull } from './stage-lanes.ts';
import { askedFor, startAgain, type Steering } from './steering.ts';
import { takeDown } from './take-down.ts';
import { olderWorker, waitBeforeLook, waitForLock, waitForNewerWorker } from './wait.ts';

/**
 * Asks what there is to do, and does first what has to be done first, until a batch is open. `continue`: nothing is under way, and the
 * history is full.
 */
export async function open(
  input: LoadInput,
  attempt: number,
  progress: Progress,
  steering: Steering,
): Promise<OpenedBatch | LoadResult | 'continue'> {
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const request = {
    load: input.load,
    attempt,
    workflowId,
    firstRunId: firstExecutionRunId,
    force: steering.forced,
    resume: attempt === 1 && (input.resume ?? false), // after a forced reload there is nothing held any more
    adopt: input.adopt ?? false,
    reread: {
      ...(input.since !== undefined && { since: String(input.since) }),
      ...(input.until !== undefined && { until: String(input.until) }),
      ...(input.full === true && { full: true }),
    },
    params: input.params ?? {},
    requestedBy: input.requestedBy,
    window: input.window,
    keepRowsOf: input.keepRowsOf,
  };
  /** Since when the workers that were asked are older than the control tables; undefined: the last one was not. */
  let olderSince: number | undefined;
  for (let waits = 0; ;) {
    await endIfCancelled(input.load, steering);
    // Not to be broken off: a batch that was opened while its opener was cancelled would be nobody's.
    const outcome = await CancellationScope.nonCancellable(async (): Promise<OpenOutcome> => {
      try {
        const summary = `what is there to do for ${input.load}?`;
        const found = await activities(summary, waits === 0 ? ASKING : ASKING_ANOTHER).openBatch(request);
        olderSince = undefined;
        return found;
      } catch (error) {
        const { message } = olderWorker(error, (olderSince ??= Date.now()));
        return { kind: 'busy', waitingFor: `a newer worker: ${message}`, heldBy: [], historyLimit: null };
      }
    });
    progress.waits(outcome.kind === 'busy' ? { what: outcome.waitingFor, heldBy: outcome.heldBy } : undefined);
    switch (outcome.kind) {
      case 'opened':
        return outcome.batch;
      case 'nothing':
        return { load: input.load, status: 'nothing', rowsWritten: 0, chunks: 0, reason: outcome.reason, warnings: [] };
      case 'redo':
        progress.phase(`rolling back batch ${outcome.batch.batchId}: ${outcome.why}`);
        await CancellationScope.nonCancellable(() => takeDown(outcome.batch, outcome.errorClass, outcome.why, input));
        break;
      case 'finish':
        await CancellationScope.nonCancellable(() => finishBefore(outcome, input, progress));
        break;
      case 'recover':
        await CancellationScope.nonCancellable(() => recoverBefore(outcome.batch, input.load, progress));
        break;
      case 'wait':
      case 'busy':
        if (outcome.kind === 'wait') {
          progress.phase(`waiting for ${outcome.load} to take its snapshot`);
          await waitBeforeLook(waits);
        } else {
          progress.phase('opening');
          const wait = olderSince === undefined ? waitForLock : waitForNewerWorker;
          await wait(waits, () => steering.interruption !== undefined);
        }
        waits += 1;
        if (steering.interruption?.kind === 'force') {
          // There is no batch yet that it could break off.
          steering.interruption = undefined;
          request.force = steering.forced = true;
        } else if (steering.interruption) {
          throw unopened(input.load, steering.interruption);
        }
        // A cancel that came with the end of the wait is not to be lost: it ends this load, too.
        if (historyIsFull(outcome, true) && !CancellationScope.current().consideredCancelled) return 'continue';
        break;
    }
  }
}

const UNOPENED = 'before a batch was opened';

/** Who cancelled it and why stands nowhere else: there is no batch that had it in its events. */
function unopened(load: string, interruption: Interruption): ApplicationFailure {
  const { by, why } = askedFor(interruption);
  return failureOf({
    type: FAILURE.cancelled,
    message: `cancelled${by} ${UNOPENED}${why}`,
    where: `load ${load}`,
    next: startAgain(load),
  });
}

/** A cancel that came before a batch was opened, as while an earlier one was rolled back: none is opened only to be rolled back at once. */
async function endIfCancelled(load: string, { interruption }: Steering): Promise<void> {
  const bySignal = interruption?.kind === 'cancel signal';
  if (!bySignal && !CancellationScope.current().consideredCancelled) return;
  // Older runs opened it all the same.
  if (!patched('none is opened once it is cancelled')) return;
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  throw bySignal ? unopened(load, interruption) : new CancelledFailure(`cancelled ${UNOPENED}`);
}

/** A published batch stands in the way of the next one while somebody reads its snapshot: its name is not free. */
async function finishBefore(
  { batch, after }: Extract<OpenOutcome, { kind: 'finish' }>,
  input: LoadInput,
  progress: Progress,
): Promise<void> {
  const { left } = await finishPublished(batch, true, after, input.load, progress);
  if (left === undefined) return;
  throw failureOf({
    type: FAILURE.refused,
    message: `the snapshot of batch ${batch.batchId}, which is published, cannot be dropped: ${left}`,
    where: `load ${input.load}, batch ${batch.batchId}`,
    next: 'end that session, or wait for it, and start the load again; nothing is lost meanwhile',
  });
}
