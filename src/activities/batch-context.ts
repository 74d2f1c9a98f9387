import { consumedBatches } from '../control/consumption.ts';
import { getBatch, type Batch } from '../control/batch.ts';
import type { Database } from '../database/dialect.ts';
import type { BatchValues } from '../sql/batch-sql.ts';
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
