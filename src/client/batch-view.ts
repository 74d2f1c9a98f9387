import type { LoadDefinition } from '../config/definition.ts';
import type { Batch } from '../control/batch.ts';
import { keepsItsWork } from '../config/keeps-its-work.ts';
import { readChecks, readRejectedCount, readStages, type CheckReading, type StageReading } from '../control/reading.ts';
import { jobStatus } from '../control/states.ts';
import type { Database } from '../database/dialect.ts';
import { FAILURE, OWN_TYPES } from '../workflows/messages.ts';
import type { BatchView, ErrorView, LoadStatus } from './views.ts';

/** Reads what a batch is now. No more is asked than it may have: `status` reads many. */
export async function readBatchView(database: Database, batch: Batch): Promise<BatchView> {
  const warns = batch.definition.checks.some(({ severity }) => severity === 'warn');
  const [stages, rejected, checks] = await Promise.all([
    readStages(database, batch.batchId),
    readRejectedCount(database, batch),
    warns ? readChecks(database, batch.batchId) : [],
  ]);
  return batchView(batch, stages, rejected, checks);
}

/** What failed checks of severity `warn` found, in words. */
function warningsOf(checks: CheckReading[]): string[] {
  return checks
    .filter(({ passed, severity }) => !passed && severity === 'warn')
    .map(({ name, actual, expected }) => `"${name}" found ${actual ?? 'nothing'}, expected ${expected}`);
}

/** A batch of the ledger as its document. `rejected`: how many rows were, so far. */
export function batchView(batch: Batch, stages: StageReading[], rejected: number, checks: CheckReading[]): BatchView {
  const sum = (of: (stage: StageReading) => number): number => stages.reduce((total, stage) => total + of(stage), 0);
  const status = jobStatus(batch.state);
  const takenBack = ['failed', 'cancelled'].includes(batch.state) && !keepsItsWork(batch.definition);
  const written = takenBack ? 0 : sum((stage) => stage.rows);
  const warnings = warningsOf(checks);
  return {
    load: batch.loadName,
    kind: batch.kind,
    status,
    state: batch.state,
    batch_id: batch.batchId,
    rows_read: numberOf(batch.rowsRead),
    rows_written: numberOf(batch.rowsWritten) ?? written,
    rows_rejected: rejected,
    chunks: { done: sum((stage) => stage.done), total: sum((stage) => stage.total ?? 0) },
    started_at: batch.startedAt.toISOString(),
    finished_at: batch.finishedAt?.toISOString() ?? null,
    error: batchError(batch),
    ...(warnings.length > 0 && { warnings }),
  };
}

/** A load that has no batch: `nothing`, `waiting`, `skipped`, or an `error` that came before one was opened. */
export function viewWithoutBatch(
  load: Pick<LoadDefinition, 'name' | 'kind'>,
  status: LoadStatus,
  rest: { error?: ErrorView; reason?: string } = {},
): BatchView {
  return {
    load: load.name,
    kind: load.kind,
    status,
    state: null,
    batch_id: null,
    rows_read: null,
    rows_written: null,
    rows_rejected: null,
    chunks: { done: 0, total: 0 },
    started_at: null,
    finished_at: null,
    error: rest.error ?? null,
    ...(rest.reason === undefined ? {} : { reason: rest.reason }),
  };
}

const numberOf = (text: string | null): number | null => (text === null ? null : Number(text));

/** `batch.error_class` → the type that people search for and `run` ends with: ours are the same in lower case, but for two. */
const TYPES: Record<string, string> = {
  ...Object.fromEntries(OWN_TYPES.map((type) => [type.toLowerCase(), type])),
  load: FAILURE.loadFailed,
  check: FAILURE.check,
};

/** What went wrong with a batch, with the ledger's whole message; null: nothing did. */
function batchError(batch: Batch): ErrorView | null {
  if (batch.state === 'published' || (batch.error === null && batch.errorClass === null)) return null;
  const type = TYPES[batch.errorClass ?? ''] ?? batch.errorClass ?? 'Error';
  return {
    type,
    message: batch.error ?? type,
    where: `load ${batch.loadName}, batch ${batch.batchId}`,
    next: nextStep(batch),
  };
}

/** What a person does next about a batch; null: nothing. */
export function nextStep(batch: {
  state: Batch['state'];
  loadName: string;
  definition: Pick<LoadDefinition, 'kind' | 'outputs' | 'from'>;
  errorClass: string | null;
}): string | null {
  const run = `waybill run ${batch.loadName}`;
  switch (batch.state) {
    case 'failed':
      if (batch.errorClass === 'timeout') return `raise max_runtime or lanes of the load, then: ${run}`;
      if (['forced', 'interrupted', 'superseded'].includes(batch.errorClass ?? '')) return `to do it again: ${run}`;
      return `mend the cause, then: ${run} (${whatAgain(batch.definition)})`;
    case 'cancelled':
      return `when you want it: ${run} (${whatAgain(batch.definition)})`;
    case 'held':
      return `mend the cause, then go on in this batch: ${run} --resume; or begin anew: ${run}`;
    case 'rolling_back':
      return `if nothing runs it any more: ${run} finishes the roll back first`;
    default:
      return null;
  }
}

function whatAgain(load: Pick<LoadDefinition, 'kind' | 'outputs' | 'from'>): string {
  switch (load.kind) {
    case 'core':
      return 'a new batch takes over the same snapshot';
    case 'services':
      return 'a new batch takes the same set';
    case 'acquisition':
      return load.from?.cursor === undefined
        ? 'a new batch reads the same again, and what is newer'
        : 'a new batch begins where this one did; --since reads what is newer without it';
    case 'task':
      return keepsItsWork(load) ? 'a new batch does what is not done' : 'a new batch does everything again';
  }
}
