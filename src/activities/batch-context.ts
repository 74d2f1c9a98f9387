import { consumedBatches } from '../control/consumption.ts';
import { getBatch, type Batch } from '../control/batch.ts';
import { chunkKey } from '../control/chunk-key.ts';
import type { ColumnFacts, Database } from '../database/dialect.ts';
import type { StageDefinition } from '../config/definition.ts';
import { sourceTable, type BatchValues } from '../sql/batch-sql.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';

/** A batch with what its SQL needs, all from the ledger: the files may have changed since. */
export interface BatchContext {
  database: Database;
  batch: Batch;
  values: BatchValues;
}

/** Reads the batch and what its SQL is about. */
export async function loadContext(engine: Engine, at: BatchReference): Promise<BatchContext> {
  const database = engine.databases.get(at.connection);
  const batch = await getBatch(database, at.batchId);
  const consumed = await consumedBatches(database, at.batchId);
  return {
    database,
    batch,
    values: {
      definition: batch.definition,
      batchId: at.batchId,
      loadAt: batch.loadAt.toISOString(),
      lastLoadAt: batch.lastLoadAt?.toISOString() ?? null,
      params: batch.params,
      consumed,
      invisible: batch.invisible,
    },
  };
}

/** The columns that a stage's ranges are cut by; empty for page ranges and uncut stages. */
export async function keyColumns({ database, batch }: BatchContext, stage: StageDefinition): Promise<ColumnFacts[]> {
  if (!stage.chunk) return [];
  return chunkKey(database, batch.definition, stage, sourceTable(stage.chunk.input, batch.definition));
}
