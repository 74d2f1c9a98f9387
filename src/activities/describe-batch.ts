import { getBatch } from '../control/batch.ts';
import { isUnderWay } from '../control/states.ts';
import type { BatchReference, OwnedBatch } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toUntoldFailure } from './failures.ts';
import { describeOpened, type OpenedBatch } from './opened-batch.ts';

/**
 * An open batch as the ledger has it, for a run that continues another: no file of the project is read again. Undefined: it has
 * ended, or another workflow has resumed it. Temporal hands the input of a run that continued to those that follow it by a retry
 * or a cron schedule, too. Without `firstRunId` (asked by a worker of an older version) a batch under way is the asker's.
 */
export const describeBatch =
  (engine: Engine) =>
  async (at: BatchReference & Partial<OwnedBatch>): Promise<OpenedBatch | undefined> => {
    const database = engine.databases.get(at.connection);
    try {
      const batch = await getBatch(database, at.batchId);
      const others = at.firstRunId !== undefined && at.firstRunId !== batch.firstRunId;
      if (!isUnderWay(batch.state) || others) return undefined;
      return await describeOpened(engine, database, batch);
    } catch (error) {
      throw toUntoldFailure(error, database, `batch ${at.batchId}`);
    }
  };
