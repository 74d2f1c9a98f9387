import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import type { LoadDefinition } from '../config/definition.ts';
import { keepsItsWork } from '../config/keeps-its-work.ts';
import { CancelledError, type WaybillError } from '../errors.ts';
import {
  FAILURE,
  loadWorkflowId,
  tellFailure,
  type BatchReference,
  type ErrorSummary,
  type LoadResult,
  type SessionLoadResult,
  type SessionResult,
} from '../workflows/messages.ts';
import { nextStep, readBatchView, viewWithoutBatch } from './batch-view.ts';
import type { ClientContext } from './context.ts';
import { errorOf, errorView, RunFailedError } from './error-view.ts';
import { batchOfRun, ifReachable } from './ledger.ts';
import type { Named } from './names.ts';
import { describeRun, isChildOf } from './start-run.ts';
import type { BatchView, ErrorView, LoadStatus } from './views.ts';

/** How a run ended, with every load of it. */
export interface RunEnd {
  name: string;
  kind: Named['kind'];
  status: 'finished' | 'nothing' | 'failed' | 'cancelled';
  loads: BatchView[];
  /** Its class says the exit code. */
  error?: WaybillError;
}

/** What a workflow's failure carries besides its message. */
interface FailureDetails {
  where?: string;
  next?: string;
  batch?: BatchReference;
  loads?: SessionLoadResult[];
}

interface Ended {
  context: ClientContext;
  client: Client;
  named: Named;
  firstRunId: string;
}

/** A run that ended well, or had nothing to do. */
export async function endedWell(at: Ended, result: LoadResult | SessionResult): Promise<RunEnd> {
  const { named } = at;
  if ('session' in result) {
    const loads = await sessionLoads(at, result.loads);
    const nothing = loads.length > 0 && loads.every((load) => load.status === 'nothing');
    return { name: named.name, kind: 'session', status: nothing ? 'nothing' : 'finished', loads };
  }
  const view = await loadView(at, loadOf(at, result.load), { ...result, firstRunId: at.firstRunId });
  if (result.warnings.length > 0) view.warnings ??= result.warnings;
  return { name: named.name, kind: 'load', status: result.status, loads: [view] };
}

/** A run that failed, was cancelled, terminated, or is no longer known. `known`: the loads of a session, as last heard. */
export async function endedBadly(at: Ended, cause: unknown, known: SessionLoadResult[]): Promise<RunEnd> {
  const { named } = at;
  const summary = summarize(named, cause);
  const error = errorOf(summary, cause);
  const status = error instanceof CancelledError ? 'cancelled' : 'failed';
  if (named.kind === 'session') {
    const loads = await sessionLoads(at, summary.loads ?? known);
    const whole =
      cause instanceof WorkflowFailedError && cause.cause instanceof CancelledFailure
        ? errorOf({ ...summary, message: `${summary.message}${whatStays(at, loads)}` }, cause)
        : error;
    return { name: named.name, kind: 'session', status, loads, error: whole };
  }
  const view = await loadView(at, named.load, {
    status,
    batch: summary.batch,
    firstRunId: at.firstRunId,
    error: summary,
  });
  return { name: named.name, kind: 'load', status, loads: [view], error: withLedgerText(error, view) };
}

/** Of a cancelled session: what it had published stays, and so does what tasks that keep their work have done. */
function whatStays({ context }: Ended, loads: BatchView[]): string {
  const keeps = (name: string): boolean => {
    const load = context.project.loads[name];
    return load !== undefined && keepsItsWork(load);
  };
  // A load may have several batches of one run.
  const inState = (wanted: BatchView['state']): string[] => [
    ...new Set(loads.filter(({ state }) => state === wanted).map(({ load }) => load)),
  ];
  const [published, cancelled] = [inState('published'), inState('cancelled')];
  const ended = cancelled.filter(keeps);
  const rolledBack = cancelled.filter((load) => !keeps(load));
  return [
    ...(rolledBack.length > 0 ? [`; ${rolledBack.join(', ')} rolled back`] : []),
    ...(ended.length > 0 ? [`; what ${ended.join(', ')} did stays`] : []),
    ...(published.length > 0 ? [`; what ${published.join(', ')} published stays`] : []),
  ].join('');
}

/** The same error with the ledger's whole message, which Temporal's history does not hold. */
function withLedgerText(error: WaybillError, view: BatchView): WaybillError {
  if (view.error === null || view.error.message === error.message) return error;
  const { type, message, where, next } = view.error;
  return errorOf({ type, message, ...(where !== null && { where }), ...(next !== null && { next }) }, error.cause);
}

function summarize(named: Named, error: unknown): ErrorSummary & FailureDetails {
  const at = `workflow ${named.workflowId}`;
  if (error instanceof WorkflowNotFoundError) {
    return {
      type: 'WorkflowLost',
      message: `Temporal no longer knows the workflow that ran ${named.name}: its history was lost`,
      where: at,
      next: named.kind === 'load' ? `waybill plan ${named.name} says what a start does now` : 'see: waybill status',
    };
  }
  const again = `start it again: what it left behind is rolled back first: waybill run ${named.name}`;
  const cause = error instanceof WorkflowFailedError ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    const told = tellFailure(cause.type, cause.message);
    const details = cause.details?.[0] as FailureDetails | undefined;
    // Without any: an error of the workflow's code, or of its history.
    return { ...told, ...(details ?? { where: at, next: again }) };
  }
  if (cause instanceof CancelledFailure) {
    const next = `when you want it: waybill run ${named.name}`;
    const done =
      named.kind === 'session' ? '' : keepsItsWork(named.load) ? '; what is done stays' : ', and rolled back';
    const message = `${named.name} was cancelled${done}`;
    return { type: FAILURE.cancelled, message, where: at, next };
  }
  if (cause instanceof TerminatedFailure) {
    return { type: 'Terminated', message: `the workflow of ${named.name} was terminated`, where: at, next: again };
  }
  if (cause instanceof TimeoutFailure) {
    return {
      type: FAILURE.timeout,
      message: `Temporal timed the workflow of ${named.name} out`,
      where: at,
      next: again,
    };
  }
  return { type: 'Error', message: cause instanceof Error ? cause.message : String(cause), where: at };
}

/** One load's end: its batch from the ledger, or what the workflow says where there is none or it cannot be read. */
async function loadView(
  { context }: Ended,
  load: Pick<LoadDefinition, 'name' | 'kind' | 'connection'>,
  end: {
    status: SessionLoadResult['status'];
    batch?: BatchReference | undefined;
    firstRunId: string | undefined;
    error?: ErrorSummary | undefined;
    rowsWritten?: number | undefined;
    reason?: string | undefined;
    left?: string | undefined;
    more?: string | undefined;
  },
): Promise<BatchView> {
  const error = end.error && viewOfSummary(end.error);
  const { batch: reference, firstRunId } = end;
  if (end.status !== 'nothing' && (reference !== undefined || firstRunId !== undefined)) {
    const view = await ifReachable(async () => {
      const database = context.databases.get(reference?.connection ?? load.connection);
      const batch = await batchOfRun(database, firstRunId ?? '', reference);
      if (batch === undefined) return undefined;
      const view = await readBatchView(database, batch);
      const waiting = end.left ?? (end.more && `${end.more}; the next start takes them`);
      const read = waiting === undefined ? view : { ...view, waiting };
      return error === undefined ? read : { ...read, error: mergeErrors(error, read.error, nextStep(batch)) };
    });
    if (view) return view;
  }
  const words: Partial<Record<SessionLoadResult['status'], LoadStatus>> = { failed: 'error', cancelled: 'error' };
  const status = (words[end.status] ?? end.status) as LoadStatus;
  return {
    ...viewWithoutBatch(load, status, {
      ...(error && { error }),
      ...(end.reason !== undefined && { reason: end.reason }),
    }),
    batch_id: reference?.batchId ?? null,
    rows_written: end.rowsWritten ?? null,
  };
}

/** The workflow knows where and what next; the ledger has the message with the values of rows. */
function mergeErrors(ended: ErrorView, stored: ErrorView | null, next: string | null): ErrorView {
  const whole = stored?.type === FAILURE.database && ended.type === stored.type ? stored.message : ended.message;
  // "waybill show has the whole message" is no advice where the whole message stands.
  const mayGuide = ended.next !== null && !ended.next.includes('the whole message');
  return { ...ended, message: whole, next: mayGuide ? ended.next : (next ?? ended.next) };
}

const viewOfSummary = ({ type, message, where, next }: ErrorSummary): ErrorView =>
  errorView(new RunFailedError(type, message, { where, next }));

async function sessionLoads(at: Ended, results: SessionLoadResult[]): Promise<BatchView[]> {
  const views = await Promise.all(
    results.map(async (result) => {
      const failed = result.status === 'failed' || result.status === 'cancelled';
      const { batch: inError } = (result.error ?? {}) as FailureDetails;
      const batch = result.batch ?? inError;
      const firstRunId = failed && !batch ? await childRun(at, result.load) : undefined;
      const load = loadOf(at, result.load);
      const view = await loadView(at, load, { ...result, batch, firstRunId });
      const earlier = (result.earlier ?? []).map((one) =>
        loadView(at, load, { status: 'finished', batch: one, firstRunId: undefined }),
      );
      return [...(await Promise.all(earlier)), view];
    }),
  );
  return views.flat();
}

/** The run of a session's child; undefined when the newest run of that load is not this session's. */
async function childRun({ context, client, named, firstRunId }: Ended, load: string): Promise<string | undefined> {
  const { workflowId } = named;
  return ifReachable(async () => {
    const run = await describeRun(context, client, loadWorkflowId(load));
    return run && (await isChildOf(context, client, run, { workflowId, firstRunId })) ? run.firstRunId : undefined;
  });
}

/** The definition; a load that the files no longer have still has a name. */
function loadOf({ context }: Ended, name: string): Pick<LoadDefinition, 'name' | 'kind' | 'connection'> {
  return context.project.loads[name] ?? { name, kind: 'task', connection: '' };
}
