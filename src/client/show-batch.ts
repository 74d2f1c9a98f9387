import type { Batch } from '../control/batch.ts';
import { keepsItsWork } from '../config/keeps-its-work.ts';
import { doneBefore, type DoneBefore } from '../control/continued.ts';
import {
  readChecks,
  readChunksInOrder,
  readEvents,
  readInputs,
  readRejected,
  readStages,
  readSteps,
  readSlowestChunks,
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
import { batchView, nextStep } from './batch-view.ts';
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
  /** Of a task: its ranges in order, or the slowest ones where there are many. */
  ranges: ChunkReading[];
  /** What the batches had done that this one goes on with. */
  doneBefore: DoneBefore | null;
  inputs: InputReading[];
  outputs: string[];
  events: EventReading[];
  /** What a person does next; null: nothing. */
  next: string | null;
}

export async function readBatchDetails(database: Database, batch: Batch): Promise<BatchDetails> {
  const { batchId } = batch;
  const task = batch.definition.kind === 'task';
  const [stages, checks, allSteps, troubledChunks, rejected, slowest, before, inputs, events] = await Promise.all([
    readStages(database, batchId),
    readChecks(database, batchId),
    readSteps(database, batchId),
    readTroubledChunks(database, batchId),
    readRejected(database, batchId),
    task ? readSlowestChunks(database, batchId, MOST_RANGES) : [],
    doneBeforeOf(database, batch),
    readInputs(database, batchId),
    readEvents(database, batchId),
  ]);
  // It would never run: nothing has failed.
  const steps = allSteps.filter(
    ({ phase, state }) => batch.state === 'failed' || phase !== 'on_error' || state !== 'pending',
  );
  return {
    connection: database.connection,
    batch,
    view: batchView(batch, stages, rejected.count, checks),
    stages,
    checks,
    steps,
    troubledChunks,
    rejected,
    ranges: slowest.sort((a, b) => a.stage - b.stage || a.n - b.n),
    doneBefore: before,
    inputs,
    outputs: batch.definition.outputs.map(({ table }) => table),
    events,
    next: nextOfSteps(batch, steps) ?? nextStep(batch),
  };
}

/** Every range (chunk) of a batch, in order, in pieces of a bounded size. */
export async function* readRanges(database: Database, batch: Batch): AsyncGenerator<ChunkReading[]> {
  for (const { n } of await readStages(database, batch.batchId)) {
    yield* readChunksInOrder(database, { batchId: batch.batchId, stage: n });
  }
}

/** A start goes on with what follows the last batch before it does anything else. */
function nextOfSteps({ state, loadName }: Batch, steps: StepReading[]): string | null {
  const phase = state === 'published' ? 'after' : state === 'failed' ? 'on_error' : undefined;
  if (!steps.some((step) => step.phase === phase && step.state !== 'done' && step.state !== 'skipped')) return null;
  const force = phase === 'after' ? 'it is skipped' : 'it is skipped, and everything begins anew';
  return `\`${phase}\` is not done: waybill run ${loadName} goes on with it; with --force ${force}`;
}

async function doneBeforeOf(database: Database, { definition, reprocessOf }: Batch): Promise<DoneBefore | null> {
  return keepsItsWork(definition) && reprocessOf !== null ? doneBefore(database, database, reprocessOf) : null;
}

/** As many as one looks at. */
const MOST_RANGES = 20;

/** The document of `show --json`: a batch, and more. */
export function detailsDocument(details: BatchDetails): BatchView & Record<string, unknown> {
  const { batch, view } = details;
  const iso = (date: Date | null): string | null => date?.toISOString() ?? null;
  return {
    ...view,
    description: batch.definition.description ?? null,
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
    troubled_chunks: details.troubledChunks.map(chunkDocument),
    rejected: details.rejected.rows,
    ranges: details.ranges.map(chunkDocument),
    done_before: details.doneBefore && {
      ...{ batches: details.doneBefore.batches, chunks: details.doneBefore.chunks, rows: details.doneBefore.rows },
    },
    inputs: details.inputs.map(({ batchId, load, via }) => ({ batch_id: batchId, load, via })),
    outputs: details.outputs,
    events: details.events.map(({ what, requestedBy, reason, happenedAt }) => ({
      ...{ what, requested_by: requestedBy, reason, at: happenedAt.toISOString() },
    })),
    next: details.next,
  };
}

/** One of `ranges` or `troubled_chunks` in it. */
export const chunkDocument = ({ startedAt, finishedAt, ...chunk }: ChunkReading): Record<string, unknown> => ({
  ...chunk,
  started_at: startedAt?.toISOString() ?? null,
  finished_at: finishedAt?.toISOString() ?? null,
});
