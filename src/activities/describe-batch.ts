import { getBatch } from '../control/batch.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';
import { describeOpened, type OpenedBatch } from './opened-batch.ts';

/** An open batch as the ledger has it, for a run that continues another: no file of the project is read again. */
export const describeBatch =
  (engine: Engine) =>
  async (at: BatchReference): Promise<OpenedBatch> => {
    const database = engine.databases.get(at.connection);
    try {
      return await describeOpened(engine, database, await getBatch(database, at.batchId));
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}`);
    }
  };
