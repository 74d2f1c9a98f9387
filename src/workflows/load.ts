import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  isCancellation,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { OpenedBatch } from '../activities/opened-batch.ts';
import type { Published } from '../activities/publish.ts';
import { activities, asking } from './activity-proxies.ts';
import { errorClassOf, failureOf, summarize } from './error-summary.ts';
import { FAILURE, type BatchReference, type ErrorSummary, type LoadInput, type LoadResult } from './messages.ts';
import { Progress } from './progress.ts';
import { HistoryFull, historyIsFull, StageLanes } from './stage-lanes.ts';
import { Steering } from './steering.ts';

const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** How a batch ended. */
type End = { kind: 'published'; result: LoadResult } | { kind: 'forced' } | { kind: 'continue' };

/**
 * One load: open → before → snapshot → each stage { plan → lanes } → check → publish → drop the snapshot → after. Whatever
 * breaks that off, the batch is fenced and rolled back before the workflow ends; what kills the workflow itself, the next
 * start heals (DESIGN §3, "Restart rules").
 */
export async function load(input: LoadInput): Promise<LoadResult> {
  const progress = new Progress(input.load, input.continued?.runs ?? 0);
  const steering = new Steering(progress, { paused: input.continued?.paused ?? false, lanes: input.continued?.lanes });
  let attempt = input.continued?.attempt ?? 1;
  let force = input.force ?? false;
  for (;;) {
    progress.phase('opening');
    const opened = await open(input, attempt, force, progress, steering);
    if ('status' in opened) return finish(opened);
    progress.opened(opened);
    const end = await runBatch(opened, input, progress, steering);
    if (end.kind === 'published') return finish(end.result);
    if (end.kind === 'continue') await continueRun(input, opened, attempt, progress, steering);
    attempt += 1; // forced: anew, in this same workflow
    force = true;
    steering.interruption = undefined;
  }
}

async function finish(result: LoadResult): Promise<LoadResult> {
  await condition(allHandlersFinished);
  return result;
}

async function continueRun(
  input: LoadInput,
  batch: BatchReference,
  attempt: number,
  progress: Progress,
  steering: Steering,
): Promise<never> {
  await condition(allHandlersFinished);
  return continueAsNew<typeof load>({
    load: input.load,
    ...(input.params ? { params: input.params } : {}),
    ...(input.requestedBy ? { requestedBy: input.requestedBy } : {}),
    ...(input.force ? { force: true } : {}),
    continued: {
      batch: { connection: batch.connection, batchId: batch.batchId },
      attempt,
      ...(steering.lanes === undefined ? {} : { lanes: steering.lanes }),
      paused: steering.paused,
      runs: progress.view.continued + 1,
    },
  });
}

/** Asks what there is to do, and does first what has to be done first, until a batch is open. */
async function open(
  input: LoadInput,
  attempt: number,
  force: boolean,
  progress: Progress,
  steering: Steering,
): Promise<OpenedBatch | LoadResult> {
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const request = {
    load: input.load,
    attempt,
    workflowId,
    firstRunId: firstExecutionRunId,
    force,
    resume: input.resume ?? false,
    adopt: input.adopt ?? false,
    params: input.params ?? {},
    requestedBy: input.requestedBy,
  };
  for (let waits = 0; ;) {
    // Not to be broken off: a batch that was opened while its opener was cancelled would be nobody's.
    const outcome = await CancellationScope.nonCancellable(async () => {
      try {
        return await asking.openBatch.executeWithOptions({ ...ASKING, summary: input.load }, [request]);
      } catch (error) {
        throw failureOf(summarize(error));
      }
    });
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
        progress.phase(`finishing batch ${outcome.batch.batchId}`);
        await CancellationScope.nonCancellable(() => finishPublished(outcome.batch, true, outcome.after, input.load));
        break;
      case 'wait':
        progress.phase(`waiting for ${outcome.load} to take its snapshot`);
        await sleep(Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** waits));
        waits += 1;
        if (steering.interruption) {
          throw failureOf({ type: FAILURE.cancelled, message: 'cancelled before a batch was opened' });
        }
        break;
    }
  }
}

const ASKING = {
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '2 seconds', maximumAttempts: 4 },
} as const;

/** Fence, then roll back. For batches whose own workflow is gone. */
async function takeDown(batch: BatchReference, errorClass: string, why: string, input: LoadInput): Promise<void> {
  try {
    const { state } = await activities.fenceBatch.executeWithOptions(
      { ...PATIENT, summary: `batch ${batch.batchId}: ${why}` },
      [{ ...batch, to: 'rolling_back', errorClass, error: why, requestedBy: input.requestedBy }],
    );
    if (state === 'rolling_back') {
      await activities.rollBack.executeWithOptions({ ...PATIENT, summary: `batch ${batch.batchId}` }, [batch]);
    }
  } catch (error) {
    throw failureOf(summarize(error));
  }
}

const PATIENT = {
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
} as const;

/** One batch from its opening to its end, whatever the end is. */
async function runBatch(batch: OpenedBatch, input: LoadInput, progress: Progress, steering: Steering): Promise<End> {
  const warnings: string[] = [];
  let published: Published;
  try {
    published = await steering.run(async () => {
      watchDeadline(batch, steering);
      await work(batch, progress, steering, warnings, input.continued !== undefined);
      progress.phase('publishing');
      return activities.publish({ connection: batch.connection, batchId: batch.batchId });
    });
  } catch (error) {
    if (error instanceof HistoryFull) {
      steering.closed = false;
      return { kind: 'continue' };
    }
    return CancellationScope.nonCancellable(() => breakOff(batch, error, input, progress, steering, warnings));
  }
  return CancellationScope.nonCancellable(() => conclude(batch, published, input, progress, warnings));
}

function watchDeadline(batch: OpenedBatch, steering: Steering): void {
  sleep(Math.max(1, batch.deadlineAt - Date.now())).then(
    () => steering.interrupt({ kind: 'timeout' }),
    () => undefined, // the work ended first
  );
}

/** Everything up to publish. */
async function work(
  batch: OpenedBatch,
  progress: Progress,
  steering: Steering,
  warnings: string[],
  continued: boolean,
): Promise<void> {
  const at = { connection: batch.connection, batchId: batch.batchId };
  if (batch.before.length > 0) {
    await unpaused(steering);
    progress.phase('before');
    await activities.runSteps.executeWithOptions({ ...PATIENT, summary: 'before' }, [{ ...at, phase: 'before' }]);
  }
  if (batch.snapshot) {
    await unpaused(steering);
    progress.phase('snapshot');
    await snapshot(batch, progress);
  }
  if (batch.source) {
    progress.phase('waiting for transactions on the source');
    await activities.settleSource(at);
  }
  for (const stage of batch.stages) {
    if (stage.chunksTotal !== null && stage.chunksDone === stage.chunksTotal) continue;
    await unpaused(steering);
    progress.phase(stage.name);
    progress.stage(stage.n, { state: 'planning' });
    const planned = await activities.planStage.executeWithOptions({ ...PATIENT, summary: stage.name }, [
      { ...at, stage: stage.n },
    ]);
    progress.stage(stage.n, {
      state: 'running',
      chunksTotal: planned.planned ?? 0,
      chunksDone: planned.done,
      rows: planned.rows,
    });
    if (planned.pending > 0) {
      // No more lanes than chunks: a small stage opens no connections that would find nothing.
      const lanes = Math.min(stage.lanes, planned.pending);
      await new StageLanes(batch, { ...stage, lanes }, steering, progress, continued).run();
    }
    progress.stage(stage.n, { state: 'done', lanes: 0 });
  }
  await unpaused(steering);
  progress.phase('checking');
  const checks = await activities.runChecks(at);
  progress.state('checking');
  warnings.push(...checks.warnings);
  if (checks.errors.length > 0) {
    throw failureOf({
      type: FAILURE.check,
      message: `check failed: ${checks.errors.join('; ')}`,
      where: `load ${batch.load}, batch ${batch.batchId}`,
      next: `look into the rows of the snapshot, mend the data or the SQL, then start the load again`,
    });
  }
}

async function unpaused(steering: Steering): Promise<void> {
  if (steering.paused) await condition(() => !steering.paused);
}

/** Takes the snapshot once no acquisition is half-way into its tables; acquisitions whose workflow died are rolled back. */
async function snapshot(batch: OpenedBatch, progress: Progress): Promise<void> {
  for (let waits = 0; ; waits += 1) {
    const outcome = await activities.takeSnapshot({ connection: batch.connection, batchId: batch.batchId });
    if (outcome.kind === 'taken') return;
    const dead = outcome.on.filter((writer) => writer.dead);
    for (const writer of dead) {
      progress.phase(`rolling back ${writer.load}, whose workflow died`);
      await takeDown(writer.batch, 'interrupted', `its workflow ended without finishing it`, { load: writer.load });
    }
    if (dead.length > 0) continue;
    progress.phase(`waiting for ${outcome.on.map((writer) => writer.load).join(', ')}`);
    await sleep(Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** waits));
    if (historyIsFull(batch)) throw new HistoryFull();
  }
}

/** The work was interrupted or failed: fence, roll back, say why. */
async function breakOff(
  batch: OpenedBatch,
  error: unknown,
  input: LoadInput,
  progress: Progress,
  steering: Steering,
  warnings: string[],
): Promise<End> {
  const at = { connection: batch.connection, batchId: batch.batchId };
  const { interruption } = steering;
  const cause = causeOf(batch, error, steering);
  progress.failed(cause.error);
  const hold = batch.onFailure === 'hold' && cause.errorClass !== 'cancelled' && !interruption;
  progress.phase(hold ? 'holding' : 'rolling back');
  try {
    const { state } = await activities.fenceBatch.executeWithOptions({ ...PATIENT, summary: cause.error.message }, [
      {
        ...at,
        to: hold ? 'held' : 'rolling_back',
        errorClass: cause.errorClass,
        error: cause.error.message,
        requestedBy: interruption?.requestedBy,
      },
    ]);
    progress.state(state);
    if (state === 'published') {
      // A cancel that queued behind a publish changes nothing.
      delete progress.view.error;
      const totals = await activities.publish(at);
      return await conclude(batch, totals, input, progress, warnings);
    }
    if (state === 'rolling_back') {
      const { state: final } = await activities.rollBack.executeWithOptions(
        { ...PATIENT, summary: cause.error.message },
        [at],
      );
      progress.state(final);
    }
  } catch (cleanUp) {
    const { message, next } = summarize(cleanUp);
    throw failureOf({
      ...cause.error,
      message: `${cause.error.message}; and the roll back is not finished: ${message}`,
      next: next ?? `mend what stops it, then start the load again: it finishes the roll back first`,
    });
  }
  if (interruption?.kind === 'force') return { kind: 'forced' };
  progress.phase(hold ? 'held' : 'rolled back');
  await condition(allHandlersFinished);
  const held = hold
    ? { next: `waybill run ${batch.load} --resume goes on in this batch; without --resume it starts anew` }
    : {};
  if (cause.errorClass === 'cancelled' && !interruption) throw new CancelledFailure('cancelled, and rolled back');
  throw failureOf({ ...cause.error, ...held }, { batch: at });
}

function causeOf(batch: OpenedBatch, error: unknown, steering: Steering): { errorClass: string; error: ErrorSummary } {
  const where = `load ${batch.load}, batch ${batch.batchId}`;
  const next = `start it again when you want: waybill run ${batch.load}`;
  const { interruption } = steering;
  const by = interruption?.requestedBy ? ` by ${interruption.requestedBy}` : '';
  const why = interruption?.reason ? `: ${interruption.reason}` : '';
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
  if (isCancellation(error))
    return { errorClass: 'cancelled', error: { type: FAILURE.cancelled, message: 'cancelled', where, next } };
  const summary = summarize(error);
  return { errorClass: errorClassOf(summary), error: { ...summary, where: summary.where ?? where } };
}

/** Published: from here on nothing is taken back. */
async function conclude(
  batch: OpenedBatch,
  published: Published,
  input: LoadInput,
  progress: Progress,
  warnings: string[],
): Promise<End> {
  progress.state('published');
  progress.rows(published.rowsWritten);
  progress.phase('finishing');
  await finishPublished(batch, batch.snapshot, batch.after.length > 0, input.load);
  progress.phase('done');
  return {
    kind: 'published',
    result: {
      load: input.load,
      status: 'finished',
      batch: { connection: batch.connection, batchId: batch.batchId },
      rowsWritten: published.rowsWritten,
      chunks: published.chunks,
      warnings,
    },
  };
}

/** Drops the snapshot and runs `after`. Fails as published all the same; the next start resumes it. */
async function finishPublished(at: BatchReference, drop: boolean, after: boolean, name: string): Promise<void> {
  const { connection, batchId } = at;
  try {
    if (drop) await activities.dropSnapshot({ connection, batchId });
    if (after) {
      await activities.runSteps.executeWithOptions({ ...PATIENT, summary: 'after' }, [
        { connection, batchId, phase: 'after' },
      ]);
    }
  } catch (error) {
    const summary = summarize(error);
    throw failureOf(
      {
        type: FAILURE.afterFailed,
        message: `batch ${batchId} is published, but what comes after failed: ${summary.message}`,
        where: summary.where ?? `load ${name}, batch ${batchId}`,
        next: `mend it and start the load again: it goes on there. waybill run ${name} --force skips it`,
      },
      { batch: { connection, batchId } },
    );
  }
}
