import { readConsumed, settleConsumed } from '../control/consumed-tables.ts';
import { areStill, isSame, readOutputs, settleOutputs, type BatchOutput } from '../control/outputs.ts';
import type { Session } from '../database/dialect.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkWork } from './chunk-transaction.ts';

/**
 * The same work, of which the ledger says that it is done only while the batch's outputs, and the tables whose batches it consumes, are
 * those that they were when it began. Rows of the chunks before would stand in another table, or nowhere; rows to consume, too.
 */
export async function provingTables(context: BatchContext, work: ChunkWork): Promise<ChunkWork> {
  const { database, batch, values } = context;
  const { batchId } = batch;
  const { producers, consumes } = values.definition;
  const toOutputs = proving(context, work, await readOutputs(database, database, batchId), (session) =>
    settleOutputs(session, database, batchId),
  );
  if (consumes.length === 0) return toOutputs;
  return proving(context, toOutputs, await readConsumed(database, database, batchId), (session) =>
    settleConsumed(session, database, batchId, (table) => values.consumed[producers[table]!] ?? []),
  );
}

/** @param settle throws what is wrong with one that has changed, and has them as they are now, where nothing is */
function proving<Table extends BatchOutput>(
  { database }: BatchContext,
  work: ChunkWork,
  known: Table[],
  settle: (session: Session) => Promise<Table[]>,
): ChunkWork {
  let tables = known;
  const settled = async (session: Session): Promise<'again' | undefined> => {
    const before = tables;
    tables = await settle(session);
    return tables.every(({ identity }, i) => isSame(identity, before[i]?.identity)) ? undefined : 'again';
  };
  return {
    ...work,
    run: async (session, chunk) => {
      const { proof, ...outcome } = await work.run(session, chunk);
      const holds = [...(proof?.holds ?? []), ...areStill(database, tables)];
      const explain = async (session: Session): Promise<'again' | undefined> => {
        const again = await proof?.explain(session);
        return (await settled(session)) ?? again;
      };
      return { ...outcome, proof: { ...proof, holds, explain } };
    },
  };
}
