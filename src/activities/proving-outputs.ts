import { areStill, isSame, readOutputs, settleOutputs } from '../control/outputs.ts';
import type { Session } from '../database/dialect.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkWork } from './chunk-transaction.ts';

/**
 * The same work, of which the ledger says that it is done only while the batch's outputs are the tables that they were when it was
 * planned. Rows of the chunks before would stand in another table, or nowhere.
 */
export async function provingOutputs({ database, batch }: BatchContext, work: ChunkWork): Promise<ChunkWork> {
  let outputs = await readOutputs(database, database, batch.batchId);
  const settle = async (session: Session): Promise<'again' | undefined> => {
    const before = outputs;
    outputs = await settleOutputs(session, database, batch.batchId);
    return outputs.every(({ identity }, i) => isSame(identity, before[i]?.identity)) ? undefined : 'again';
  };
  return {
    ...work,
    run: async (session, chunk) => {
      const { proof, ...outcome } = await work.run(session, chunk);
      const holds = [...(proof?.holds ?? []), ...areStill(database, outputs)];
      const explain = async (session: Session): Promise<'again' | undefined> => {
        await proof?.explain(session);
        return settle(session);
      };
      return { ...outcome, proof: { ...proof, holds, explain } };
    },
  };
}
