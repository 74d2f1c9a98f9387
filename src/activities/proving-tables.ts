import { isDeepStrictEqual } from 'node:util';
import { settleConsumed } from '../control/consumed-tables.ts';
import { adoptOwnChanges, areStill, readKnown, type Journal, type KnownTable } from '../control/known-tables.ts';
import { settleOutputs } from '../control/outputs.ts';
import type { Session } from '../database/dialect.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkWork } from './chunk-transaction.ts';

/** How tables are proven to be what they were. */
interface Proven {
  journal: Journal;
  /** Throws what is wrong with one that has changed, and has them as they are now, where nothing is. */
  settle: (session: Session) => Promise<KnownTable[]>;
}

/**
 * The same work, of which the ledger says that it is done only while the batch's outputs, and the tables whose batches it consumes, are
 * those that they were when it began. Rows of the chunks before would stand in another table, or nowhere; rows to consume, too.
 */
export async function provingTables(context: BatchContext, work: ChunkWork): Promise<ChunkWork> {
  const { database, batch, values } = context;
  const { batchId } = batch;
  const outputs = await proving(context, work, {
    journal: 'batch_output',
    settle: (session) => settleOutputs(session, database, batchId),
  });
  if (values.definition.consumes.length === 0) return outputs;
  return proving(context, outputs, {
    journal: 'batch_consumed',
    settle: (session) => settleConsumed(session, database, batchId, values),
  });
}

async function proving(context: BatchContext, work: ChunkWork, { journal, settle }: Proven): Promise<ChunkWork> {
  const { database, batch } = context;
  let tables = await readKnown(database, database, journal, batch.batchId);
  // Nobody else has changed them, and yet they were not what they were: each chunk is looked at behind its SQL from then on.
  let changesThem = false;
  const settled = async (session: Session): Promise<'again' | undefined> => {
    const before = tables;
    tables = await settle(session);
    if (!isDeepStrictEqual(tables, before)) return 'again';
    if (changesThem) return undefined;
    changesThem = true;
    return 'again';
  };
  return {
    ...work,
    run: async (session, chunk) => {
      const { proof, ...outcome } = await work.run(session, chunk);
      if (changesThem) tables = await adoptOwnChanges(session, database, journal, batch.batchId);
      const holds = [...(proof?.holds ?? []), ...areStill(database, tables)];
      const explain = async (session: Session): Promise<'again' | undefined> => {
        const again = await proof?.explain(session);
        return (await settled(session)) ?? again;
      };
      return { ...outcome, proof: { ...proof, holds, explain } };
    },
  };
}
