import type { Batch } from '../control/batch.ts';
import {
  readChecks,
  readEvents,
  readInputs,
  readRejected,
  readStages,
  readSteps,
  readTroubledChunks,
  type CheckReading,
  type ChunkReading,
  type EventReading,
  type InputReading,
  type RejectedReading,
  type StageReading,
  type StepReading,
} from '../control/reading.ts';
import type { Database } from '../database/dialect.ts';
import { batchView, nextStep, warningsOf } from './batch-view.ts';
import type { BatchView } from './views.ts';

/** Everything that the ledger knows of one batch. */
export interface BatchDetails {
  connection: string;
  batch: Batch;
  view: BatchView;
  stages: StageReading[];
  checks: CheckReading[];
  steps: StepReading[];
  /** Failed, or tried more than once; the worst first. */
  troubledChunks: ChunkReading[];
  /** Rows that were set aside: all of them counted, the first ones named. */
  rejected: { count: number; rows: RejectedReading[] };
  inputs: InputReading[];
  outputs: string[];
  events: EventReading[];
  /** What a person does next; null: nothing. */
  next: string | null;
}

export async function readBatchDetails(database: Database, batch: Batch): Promise<BatchDetails> {
  const { batchId } = batch;
  const [stages, checks, steps, troubledChunks, rejected, inputs, events] = await Promise.all([
    readStages(database, batchId),
    readChecks(database, batchId),
    readSteps(database, batchId),
    readTroubledChunks(database, batchId),
    readRejected(database, batchId),
    readInputs(database, batchId),
    readEvents(database, batchId),
  ]);
  const view = { ...batchView(batch, stages), rows_rejected: rejected.count };
  const warnings = warningsOf(checks);
  if (warnings.length > 0) view.warnings = warnings;
  const undone = steps.filter(({ phase, state }) => phase === 'after' && state !== 'done' && state !== 'skipped');
  const afterNext =
    batch.state === 'published' && undone.length > 0
      ? `\`after\` is not done: waybill run ${batch.loadName} goes on with it; with --force it is skipped`
      : null;
  return {
    connection: database.connection,
    batch,
    view,
    stages,
    checks,
    steps,
    troubledChunks,
    rejected,
    inputs,
    outputs: batch.definition.outputs.map(({ table }) => table),
    events,
    next: nextStep(batch) ?? afterNext,
  };
}

/** The document of `show --json`: a batch, and more. */
export function detailsDocument(details: BatchDetails): BatchView & Record<string, unknown> {
  const { batch, view } = details;
  const iso = (date: Date | null): string | null => date?.toISOString() ?? null;
  return {
    ...view,
    connection: details.connection,
    reprocess_of: batch.reprocessOf,
    requested_by: batch.requestedBy,
    window: { from: batch.windowFrom, to: batch.windowTo },
    params: batch.params,
    stages: details.stages.map(({ n, name, total, done, failed, rows, startedAt, finishedAt }) => ({
      ...{ n, name, chunks: { done, total: total ?? 0 }, planned: total !== null, failed, rows },
      ...{ started_at: iso(startedAt), finished_at: iso(finishedAt) },
    })),
    checks: details.checks,
    steps: details.steps,
    troubled_chunks: details.troubledChunks,
    rejected: details.rejected.rows,
    inputs: details.inputs.map(({ batchId, load, via }) => ({ batch_id: batchId, load, via })),
    outputs: details.outputs,
    events: details.events.map(({ what, requestedBy, reason, happenedAt }) => ({
      ...{ what, requested_by: requestedBy, reason, at: happenedAt.toISOString() },
    })),
    next: details.next,
  };
}
