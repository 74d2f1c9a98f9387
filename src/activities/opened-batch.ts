import type { LoadKind } from '../config/definition.ts';
import { timeLeft, type Batch } from '../control/batch.ts';
import { countChunks } from '../control/chunks.ts';
import { keepsItsWork } from '../config/keeps-its-work.ts';
import { openSteps } from '../control/steps.ts';
import { sql } from '../database/sql.ts';
import type { Database } from '../database/dialect.ts';
import type { BatchReference, BatchState } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';

/** What the workflow knows of a batch: ids, counts and switches, never SQL. */
export interface OpenedBatch extends BatchReference {
  load: string;
  kind: LoadKind;
  state: BatchState;
  redoes: string | null;
  /** Milliseconds until its `max_runtime` is over. */
  leftMs: number;
  lanes: number;
  maxAttempts: number;
  stages: { n: number; name: string; lanes: number; chunksDone: number; chunksTotal: number | null; rows: number }[];
  /** Steps that are not done, by number. */
  before: number[];
  after: number[];
  onError: number[];
  /** It has inputs, so a snapshot to take (or to go on with). */
  snapshot: boolean;
  /** An acquisition: the source's open transactions have to end first. */
  source: boolean;
  checks: number;
  /** What is done stays done when it ends badly. */
  keepsItsWork: boolean;
  /** The file that its rows go to; null: none. */
  output: string | null;
  onFailure: 'roll_back' | 'hold';
  /** Those of ours that the Temporal server knows. */
  searchAttributes: string[];
  historyLimit: number | null;
}

/** Everything from the ledger, so that a workflow that continues as new goes on where the ledger stands. */
export async function describeOpened(engine: Engine, database: Database, batch: Batch): Promise<OpenedBatch> {
  const { definition } = batch;
  const { rows: stages } = await database.query<{ n: number; name: string }>(sql`
    select n, name from ${database.ledger('stage')} where batch_id = ${batch.batchId} order by n`);
  const counted = await Promise.all(
    stages.map(async ({ n, name }) => {
      const counts = await countChunks(database, database, { batchId: batch.batchId, stage: n });
      return {
        n,
        name,
        lanes: Math.min(definition.stages[n - 1]?.lanes ?? definition.lanes, database.lanePlaces),
        chunksDone: counts.done,
        chunksTotal: counts.planned,
        rows: counts.rows,
      };
    }),
  );
  return {
    connection: database.connection,
    batchId: batch.batchId,
    load: batch.loadName,
    kind: batch.kind,
    state: batch.state,
    redoes: batch.reprocessOf,
    leftMs: Math.ceil(timeLeft(batch)),
    lanes: definition.lanes,
    maxAttempts: definition.maxAttempts,
    stages: counted,
    before: await openSteps(database, batch.batchId, 'before'),
    after: await openSteps(database, batch.batchId, 'after'),
    onError: await openSteps(database, batch.batchId, 'on_error'),
    snapshot: definition.inputs.length > 0,
    source: definition.from !== undefined,
    checks: definition.checks.length,
    keepsItsWork: keepsItsWork(definition),
    output: definition.output?.file ?? null,
    onFailure: definition.onFailure,
    searchAttributes: await engine.searchAttributes(),
    historyLimit: engine.historyLimit ?? null,
  };
}
