import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  condition,
  executeChild,
  isCancellation,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { activities, ASKING, ASKING_ANOTHER } from './activity-proxies.ts';
import { failureOf, summarize } from './error-summary.ts';
import { row } from './progress.ts';
import { refuseBad } from './refuse-bad.ts';
import { refuseBadSessionInput } from './refuse-bad-input.ts';
import type { OpenWindow } from '../activities/session-window.ts';
import type { SessionPlan } from '../activities/plan-session.ts';
import type { load } from './load.ts';
import { sessionProgressQuery } from './message-definitions.ts';
import {
  FAILURE,
  loadWorkflowId,
  type BatchReference,
  type LoadResult,
  type SessionInput,
  type SessionLoadResult,
  type SessionResult,
} from './messages.ts';
import { olderWorker, waitForNewerWorker } from './wait.ts';

/** Several loads in the order of their tables, side by side where they can. */
export async function session(input: SessionInput): Promise<SessionResult> {
  refuseBadSessionInput(input);
  const results = new Map<string, SessionLoadResult>();
  setHandler(sessionProgressQuery, () => ({ session: input.session, loads: [...results.values()] }));
  const set = (result: SessionLoadResult): void => {
    results.set(result.load, result);
    setCurrentDetails(page(input.session, [...results.values()]));
  };
  let plan;
  try {
    plan = await activities(input.session, ASKING).planSession(input.session);
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw failureOf(summarize(error));
  }
  for (;;) {
    const window = plan.windowOn === undefined ? undefined : await openWindow(input, plan.windowOn);
    await runAll(plan, input, window, results, set);
    refuseBad(input.session, [...results.values()], window !== undefined);
    if (window === undefined || plan.windowOn === undefined) break;
    const closed = { connection: plan.windowOn, session: input.session, to: window.to };
    await CancellationScope.nonCancellable(() => activities(`up to ${window.to}`).closeWindow(closed));
    // What a run before left undone reached up to its own start: what is new since then comes now.
    if (!window.resumed) break;
  }
  return { session: input.session, status: 'finished', loads: [...results.values()] };
}

async function openWindow({ session, params = {} }: SessionInput, connection: string): Promise<OpenWindow> {
  const { firstExecutionRunId: firstRunId } = workflowInfo();
  const request = { connection, session, firstRunId, params };
  const since = Date.now();
  for (let asked = 0; ; asked += 1) {
    try {
      return await activities(session, asked === 0 ? ASKING : ASKING_ANOTHER).openWindow(request);
    } catch (error) {
      if (isCancellation(error)) throw error;
      setCurrentDetails(`**session ${session}** waits for a newer worker: ${olderWorker(error, since).message}`);
    }
    await waitForNewerWorker(asked, () => false);
  }
}

/** Every load once, each as soon as what it needs has ended well. */
async function runAll(
  plan: SessionPlan,
  input: SessionInput,
  window: OpenWindow | undefined,
  results: ReadonlyMap<string, SessionLoadResult>,
  set: (result: SessionLoadResult) => void,
): Promise<void> {
  /** What they have done in what was left of a shared window. */
  const before = new Map(results);
  for (const load of plan.loads) set({ load, status: 'waiting', ...withEarlier(doneBy(before.get(load))) });
  const ended = (name: string): boolean => !['waiting', 'running'].includes(results.get(name)!.status);
  const well = (name: string): boolean => ['finished', 'nothing'].includes(results.get(name)!.status);
  await Promise.all(
    plan.loads.map(async (name) => {
      const needs = plan.dependencies[name] ?? [];
      const earlier = doneBy(before.get(name));
      const tell = (result: Omit<SessionLoadResult, 'load' | 'earlier'>): void =>
        set({ load: name, ...result, ...withEarlier(earlier) });
      let begun = false;
      try {
        await condition(() => needs.every(ended));
        const missing = needs.filter((other) => !well(other));
        if (missing.length > 0) {
          tell({ status: 'skipped', error: { type: 'Skipped', message: `needs ${missing.join(', ')}` } });
          return;
        }
        begun = true;
        tell({ status: 'running' });
        let result = await runLoad(name, input, window, earlier);
        // What had failed has been done again by itself, or a gap was read. What came since is what this run was started for,
        // unless all of it comes once more (`resumed`).
        while (result.more !== undefined && result.batch && window?.resumed !== true) {
          earlier.push(result.batch);
          tell({ status: 'running' });
          const next = await runLoad(name, input, window, earlier);
          if (next.status === 'nothing') {
            earlier.pop();
            break;
          }
          result = next;
          // Sessions made one such start before there could be several gaps to read.
          if (result.more !== undefined && !patched('starts until nothing is left')) break;
        }
        const left = before.get(name);
        // What was left was all that there is.
        if (result.status === 'nothing' && left?.batch) set(left);
        else tell(resultOf(result));
      } catch (error) {
        const summary = summarize(error);
        if (!begun && isCancellation(error)) {
          const message = `session ${input.session} was cancelled before it began`;
          tell({ status: 'skipped', error: { type: 'Skipped', message } });
          return;
        }
        const status = isCancellation(error) || summary.type === FAILURE.cancelled ? 'cancelled' : 'failed';
        tell({ status, error: summary });
      }
    }),
  );
}

/**
 * A load that somebody else runs is waited for, then run for what that run had not seen. One that could not go on because the
 * workers were exchanged for another version is begun anew, once.
 */
async function runLoad(
  name: string,
  input: SessionInput,
  window: OpenWindow | undefined,
  earlier: readonly BatchReference[],
): Promise<LoadResult> {
  const params = window?.params ?? input.params;
  for (let broken = false; ;) {
    try {
      return await executeChild<typeof load>('load', {
        workflowId: loadWorkflowId(name),
        args: [
          {
            load: name,
            requestedBy: input.requestedBy ?? `session ${input.session}`,
            ...(params ? { params } : {}),
            ...(window ? { window: { session: input.session, from: window.from, to: window.to } } : {}),
            ...(earlier.length > 0 ? { keepRowsOf: earlier.map(({ batchId }) => batchId) } : {}),
          },
        ],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        staticSummary: `load ${name} of session ${input.session}`,
      });
    } catch (error) {
      if (!broken && summarize(error).type === FAILURE.nonDeterminism) {
        broken = true;
        continue;
      }
      const running = runningElsewhere(name, error);
      if (running === undefined) throw error;
      await activities(`somebody else runs ${name}`).awaitLoad(running);
    }
  }
}

/** The workflow that runs this load already, under this name or (renamed meanwhile) the one before. */
function runningElsewhere(name: string, error: unknown): string | undefined {
  if (error instanceof WorkflowExecutionAlreadyStartedError) return loadWorkflowId(name);
  const { type, workflowId } = summarize(error);
  return type === FAILURE.alreadyRunning ? workflowId : undefined;
}

function resultOf(result: LoadResult): Omit<SessionLoadResult, 'load' | 'earlier'> {
  return {
    status: result.status,
    rowsWritten: result.rowsWritten,
    ...(result.batch ? { batch: result.batch } : {}),
    ...(result.reason === undefined ? {} : { reason: result.reason }),
    ...(result.left === undefined ? {} : { left: result.left }),
  };
}

/** All batches of a load, oldest first. */
const doneBy = (result: SessionLoadResult | undefined): BatchReference[] => [
  ...(result?.earlier ?? []),
  ...(result?.batch ? [result.batch] : []),
];

const withEarlier = (earlier: readonly BatchReference[]) => (earlier.length > 0 ? { earlier: [...earlier] } : {});

function statusOf({ status, error, reason }: SessionLoadResult): string {
  const why = error?.message ?? reason;
  return why === undefined ? status : `${status}: ${why}`;
}

function page(session: string, loads: SessionLoadResult[]): string {
  return [
    `**session ${session}**`,
    '',
    row('load', 'status', 'batch', 'rows'),
    '|---|---|---|---:|',
    ...loads.map((load) =>
      row(
        load.load,
        statusOf(load),
        doneBy(load)
          .map(({ batchId }) => batchId)
          .join(', '),
        load.rowsWritten?.toLocaleString('en') ?? '',
      ),
    ),
  ].join('\n');
}
