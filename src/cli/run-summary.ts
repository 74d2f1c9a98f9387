import type { RunEnd } from '../client/run-end.ts';
import type { BatchView, SessionView } from '../client/views.ts';
import { errorView } from '../client/error-view.ts';
import { FAILURE } from '../workflows/messages.ts';
import { formatBetween, formatCount, formatTable } from './format.ts';

/** The table that a run ends with, and what is worth knowing besides. */
export function runSummary({ loads, kind }: RunEnd): string {
  const [only] = loads;
  if (kind === 'load' && only?.status === 'nothing') return `${only.load}: nothing to do, ${only.reason ?? ''}`;
  const rows = loads.map((view) => [
    view.load,
    view.batch_id ?? '–',
    statusWords(view),
    view.batch_id === null ? '–' : formatCount(view.rows_written),
    formatBetween(view.started_at, view.finished_at ?? view.started_at),
  ]);
  const table = formatTable(
    [
      { title: 'load' },
      { title: 'batch', right: true },
      { title: 'status' },
      { title: 'rows', right: true },
      { title: 'took', right: true },
    ],
    rows,
  );
  const remarks = loads.flatMap((view) => remarksOf(view, kind));
  return [table, ...(remarks.length > 0 ? ['', ...remarks] : [])].join('\n');
}

/** A word a person would use: `job_control` calls everything that did not end well an error. */
export function statusWords({ status, state, error }: BatchView): string {
  if (status === 'nothing') return 'nothing to do';
  if (status === 'error') return state ?? (error?.type === FAILURE.cancelled ? 'cancelled' : 'failed'); // before it had a batch
  if (status === 'finished') return 'published';
  return status === 'running' ? (state ?? status) : status;
}

function remarksOf(view: BatchView, kind: RunEnd['kind']): string[] {
  const remarks = (view.warnings ?? []).map((warning) => `warning, ${view.load}: check ${warning}`);
  if (view.reason !== undefined) remarks.push(`${view.load}: ${view.reason}`);
  if (view.waiting !== undefined) remarks.push(`${view.load}: ${view.waiting}`);
  if (kind === 'session' && view.error !== null) {
    remarks.push(`${view.load}: ${view.error.message}`);
    if (view.error.next !== null && view.status !== 'skipped') remarks.push(`  next: ${view.error.next}`);
  }
  return remarks;
}

/** The document of `run --json`: a batch, or a session with its batches; with `error` where it ended badly. */
export function runDocument(end: RunEnd): BatchView | SessionView {
  const error = end.error && errorView(end.error);
  if (end.kind === 'load') return { ...end.loads[0]!, ...(error && { error }) };
  return {
    session: end.name,
    status: end.status === 'finished' || end.status === 'nothing' ? 'finished' : 'error',
    loads: end.loads,
    ...(error && { error }),
  };
}
