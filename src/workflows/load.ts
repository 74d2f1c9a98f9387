import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { OpenedBatch } from '../activities/opened-batch.ts';
import type { Published } from '../activities/publish.ts';
import { activities } from './activity-proxies.ts';
import { breakOff } from './break-off.ts';
import { conclude } from './conclude.ts';
import { failureOf } from './error-summary.ts';
import {
  FAILURE,
  loadWorkflowId,
  type BatchReference,
  type ContinuedLoad,
  type LoadInput,
  type LoadResult,
} from './messages.ts';
import { open } from './open.ts';
import { work } from './phases.ts';
import { Progress } from './progress.ts';
import { refuseBadLoadInput } from './refuse-bad-input.ts';
import { HistoryFull } from './stage-lanes.ts';
import { Steering } from './steering.ts';

/**
 * One load: open → before → snapshot → each stage { plan → lanes } → check → publish → drop the snapshot → after. Whatever
 * breaks that off, the batch is fenced and rolled back before the workflow ends; what kills the workflow itself, the next
 * start heals (DESIGN §3, "Restart rules").
 */
export async function load(input: LoadInput): Promise<LoadResult> {
  refuseBadLoadInput(input);
  refuseOtherId(input.load);
  const progress = new Progress(input.load, input.continued?.runs ?? 0);
  const forced = input.force ?? false;
  const steering = new Steering(progress, input.continued ?? { paused: false }, input.continued?.forced ?? forced);
  const tries = { attempt: input.continued?.attempt ?? 1, lost: input.continued?.lost ?? 0 };
  let continued = input.continued?.batch;
  const anew = (batch?: BatchReference): Promise<never> => continueRun(input, batch, tries, progress, steering);
  for (;;) {
    progress.phase('opening');
    steering.closed = false;
    const left = continued && (await describe(continued));
    if (continued && !left) {
      steering.forgetRunBefore(forced);
      continued = undefined;
    }
    const opened = left ?? (await open(input, tries.attempt, progress, steering));
    if (opened === 'continue') return anew();
    if ('status' in opened) return finish(opened);
    progress.opened(opened);
    const end = await runBatch(opened, input, tries.lost, continued !== undefined, progress, steering);
    continued = undefined;
    if (end === 'continue') return anew(opened);
    if (end !== 'forced' && end !== 'again') return finish(end);
    tries.attempt += 1; // anew, in this same workflow
    if (end === 'forced') steering.forced = true;
    else tries.lost += 1;
    steering.interruption = undefined;
  }
}

/** Under any other id, two workflows could run one load. */
function refuseOtherId(name: string): void {
  const { workflowId } = workflowInfo();
  if (workflowId === loadWorkflowId(name)) return;
  throw failureOf({
    type: FAILURE.refused,
    message: `load ${name} was started under the id ${workflowId}`,
    next: `start it under the id ${loadWorkflowId(name)}: Temporal runs one workflow of an id, and so one of this load`,
  });
}

/** The batch of the run before, if that has left it to this one. */
function describe(batch: BatchReference): Promise<OpenedBatch | undefined> {
  const ours = { ...batch, firstRunId: workflowInfo().firstExecutionRunId };
  return CancellationScope.nonCancellable(() => activities('goes on in a new run').describeBatch(ours));
}

/** A cancel that came too late changes nothing: not what is done, and not what is said of it. */
async function finish(result: LoadResult): Promise<LoadResult> {
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  return result;
}

/** The next run is asked for what this one was: should its batch be broken off, it opens another. */
async function continueRun(
  input: LoadInput,
  batch: BatchReference | undefined,
  tries: Pick<ContinuedLoad, 'attempt' | 'lost'>,
  progress: Progress,
  steering: Steering,
): Promise<never> {
  await condition(allHandlersFinished);
  return continueAsNew<typeof load>({
    ...input,
    continued: {
      ...(batch ? { batch: { connection: batch.connection, batchId: batch.batchId } } : {}),
      ...tries,
      ...(steering.lanes === undefined ? {} : { lanes: steering.lanes }),
      paused: steering.paused,
      forced: steering.forced,
      ...(steering.interruption ? { interruption: steering.interruption } : {}),
      runs: progress.view.continued + 1,
    },
  });
}

/** One batch from its opening to its end, whatever the end is. */
async function runBatch(
  batch: OpenedBatch,
  input: LoadInput,
  lostBefore: number,
  continued: boolean,
  progress: Progress,
  steering: Steering,
): Promise<LoadResult | 'forced' | 'again' | 'continue'> {
  const warnings: string[] = [];
  let published: Published;
  try {
    published = await steering.run(async () => {
      watchDeadline(batch, steering);
      await work(batch, progress, steering, warnings, continued);
      if (batch.output !== null) {
        progress.phase('writing the output');
        const { connection, batchId } = batch;
        await activities(batch.output).writeOutput({ connection, batchId });
      }
      progress.phase('publishing');
      return activities(`batch ${batch.batchId}`).publish({
        connection: batch.connection,
        batchId: batch.batchId,
        firstRunId: workflowInfo().firstExecutionRunId,
      });
    });
  } catch (error) {
    if (error instanceof HistoryFull && !CancellationScope.current().consideredCancelled) {
      steering.closed = false; // what is asked for from now on goes with us into the next run
      return 'continue';
    }
    return CancellationScope.nonCancellable(() =>
      breakOff(batch, error, input, lostBefore, progress, steering, warnings),
    );
  }
  return CancellationScope.nonCancellable(() => conclude(batch, published, input, progress, warnings));
}

function watchDeadline(batch: OpenedBatch, steering: Steering): void {
  sleep(Math.max(1, batch.leftMs), { summary: 'max_runtime' }).then(
    () => steering.interrupt({ kind: 'timeout' }),
    () => undefined, // the work ended first
  );
}
