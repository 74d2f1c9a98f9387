import {
  allHandlersFinished,
  CancelledFailure,
  condition,
  isCancellation,
  patched,
  workflowInfo,
} from '@temporalio/workflow';
import { ActivityFailure } from '@temporalio/common';
import type { OpenedBatch } from '../activities/opened-batch.ts';
import type { Published } from '../activities/publish.ts';
import { activities } from './activity-proxies.ts';
import { conclude } from './conclude.ts';
import { errorClassOf, failureOf, summarize } from './error-summary.ts';
import {
  FAILURE,
  type BatchState,
  type ErrorSummary,
  type LoadInput,
  type LoadResult,
  type OwnedBatch,
} from './messages.ts';
import type { Progress } from './progress.ts';
import { recover } from './recover.ts';
import { HistoryFull } from './stage-lanes.ts';
import { askedFor, startAgain, type Steering } from './steering.ts';

/** Batches of one workflow of which each lost the state of its source: after so many a person should look why. */
const MOST_LOST = 3;

/**
 * The work was interrupted or failed: fence, roll back, say why. Returns `forced` or `again` when the load is to be done anew, or
 * the result when a publish was faster; throws how the workflow ends otherwise.
 */
export async function breakOff(
  batch: OpenedBatch,
  error: unknown,
  input: LoadInput,
  /** Batches of this workflow that lost their source's state before this one. */
  lostBefore: number,
  progress: Progress,
  steering: Steering,
  warnings: string[],
): Promise<LoadResult | 'forced' | 'again'> {
  const at = { connection: batch.connection, batchId: batch.batchId };
  const ours = { ...at, firstRunId: workflowInfo().firstExecutionRunId };
  const { interruption } = steering;
  let cause = causeOf(batch, error, steering);
  progress.failed(cause.error);
  const lost = cause.error.type === FAILURE.sourceStateLost;
  const again = lost && lostBefore + 1 < MOST_LOST;
  // Asked before the fence: in older runs, whatever came from here on was too late for the next batch.
  steering.again = again && patched('what is asked of a batch that lost its state is for the next one');
  const hold = batch.onFailure === 'hold' && cause.errorClass !== 'cancelled' && !interruption && !lost;
  progress.phase(hold ? 'holding' : batch.keepsItsWork ? 'ending' : 'rolling back');
  let state: BatchState;
  let neverResumed: string | undefined;
  try {
    const {
      state: fenced,
      error: told,
      next,
    } = await activities(cause.error.message).fenceBatch({
      ...ours,
      to: hold ? 'held' : 'rolling_back',
      errorClass: cause.errorClass,
      error: cause.error.message,
      requestedBy: interruption?.requestedBy,
      ...(error instanceof ActivityFailure && { activity: error.activityType }),
    });
    state = fenced;
    neverResumed = next;
    cause.error.message = told;
    progress.failed(cause.error);
    progress.state(state);
    if (state === 'rolling_back') {
      const { state: final } = await activities(cause.error.message).rollBack(at);
      progress.state(final);
      state = final;
    }
  } catch (cleanUp) {
    const { message, next } = summarize(cleanUp);
    throw failureOf(
      {
        ...cause.error,
        message: `${cause.error.message}; and the roll back is not finished: ${message}`,
        next: next ?? `mend what stops it, then start the load again: it finishes the roll back first`,
      },
      { batch: at },
    );
  }
  if (state === 'published') {
    // A cancel that queued behind a publish changes nothing.
    delete progress.view.error;
    return conclude(batch, await readPublished(ours, batch), input, progress, warnings);
  }
  if (steering.interruption?.kind === 'force') return 'forced';
  if (again && !steering.interruption) return 'again';
  if (interruption !== steering.interruption) cause = causeOf(batch, error, steering); // cancelled since: nothing is begun anew
  // What was forced is nothing to recover from, also where it was cancelled since; in older runs that ran `on_error`.
  const forced = (): boolean => interruption?.kind === 'force' && patched('what was forced runs no on_error');
  const recovers = state === 'failed' && batch.onError.length > 0 && !forced();
  const unrecovered = recovers ? await unrecoveredBy(batch, progress) : '';
  progress.phase(hold ? 'held' : batch.keepsItsWork ? 'ended' : 'rolled back');
  await condition(allHandlersFinished);
  const held = hold
    ? {
        next:
          neverResumed ??
          `waybill run ${batch.load} --resume goes on in this batch, by the SQL that it has, once the cause is gone; without --resume it starts anew`,
      }
    : {};
  if (cause.errorClass === 'cancelled' && !steering.interruption) {
    throw new CancelledFailure(batch.keepsItsWork ? 'cancelled; what is done stays' : 'cancelled, and rolled back');
  }
  throw failureOf({ ...cause.error, message: `${cause.error.message}${unrecovered}`, ...held }, { batch: at });
}

/** The totals of a batch that is published. */
async function readPublished(ours: OwnedBatch, batch: OpenedBatch): Promise<Published> {
  try {
    return await activities('was it published?').publish(ours);
  } catch (error) {
    const { message, where, next } = summarize(error);
    throw failureOf(
      {
        type: FAILURE.afterFailed,
        message: `batch ${batch.batchId} is published, but the ledger cannot be read: ${message}`,
        where: where ?? `load ${batch.load}, batch ${batch.batchId}`,
        next: next ?? 'mend it and start the load again: it goes on there',
      },
      { batch: { connection: batch.connection, batchId: batch.batchId } },
    );
  }
}

/** The batch has failed, whatever becomes of its `on_error`: the next start goes on with it. */
async function unrecoveredBy(batch: OpenedBatch, progress: Progress): Promise<string> {
  try {
    await recover(batch, progress);
    return '';
  } catch (error) {
    return `; and on_error failed: ${summarize(error).message}`;
  }
}

function causeOf(batch: OpenedBatch, error: unknown, steering: Steering): { errorClass: string; error: ErrorSummary } {
  const where = `load ${batch.load}, batch ${batch.batchId}`;
  const next = startAgain(batch.load);
  const { interruption } = steering;
  const { by, why } = askedFor(interruption);
  switch (interruption?.kind) {
    case 'cancel signal':
      return {
        errorClass: 'cancelled',
        error: { type: FAILURE.cancelled, message: `cancelled${by}${why}`, where, next },
      };
    case 'force':
      return { errorClass: 'forced', error: { type: 'Forced', message: `reload forced${by}${why}`, where } };
    case 'timeout':
      return {
        errorClass: 'timeout',
        error: {
          type: FAILURE.timeout,
          message: 'timeout: it ran past max_runtime',
          where,
          next: 'raise max_runtime, or lanes; then start it again',
        },
      };
    default:
  }
  // A history that was full when the cancel came: the work was stopped to go on in a new run.
  if (isCancellation(error) || error instanceof HistoryFull)
    return { errorClass: 'cancelled', error: { type: FAILURE.cancelled, message: 'cancelled', where, next } };
  const summary = summarize(error);
  return { errorClass: errorClassOf(summary), error: { ...summary, where: summary.where ?? where } };
}
