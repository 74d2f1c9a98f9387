import { chunkKey } from '../control/chunk-key.ts';
import { sourceWhere } from '../control/conditions.ts';
import { Ranges } from '../config/ranges.ts';
import { settleConsumed } from '../control/consumed-tables.ts';
import { countChunks, type StageCounts } from '../control/chunks.ts';
import { keepsItsWork } from '../config/keeps-its-work.ts';
import { leftUndone, takeUndone } from '../control/continued.ts';
import { passGate } from '../control/gate.ts';
import { changedTable } from '../control/known-tables.ts';
import { recordOutputs } from '../control/outputs.ts';
import { writePlan, type PlannedRanges } from '../control/plan.ts';
import type { PlannedWith } from '../control/planned-with.ts';
import { proveSnapshots, readSnapshots } from '../control/snapshots.ts';
import type { ChunkMethod, Session } from '../database/dialect.ts';
import { inTransaction, looking, reading } from '../database/transaction.ts';
import { sourceTable } from '../sql/batch-sql.ts';
import { isRanged } from '../sql/ranged.ts';
import type { BatchReference } from '../workflows/messages.ts';
import { planAcquisition } from './plan-acquisition.ts';
import { loadContext, type BatchContext } from './batch-context.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';

export interface PlanRequest extends BatchReference {
  stage: number;
}

/** Writes a stage's chunks, all in one transaction, once; a second attempt finds them there. */
export const planStage =
  (engine: Engine) =>
  async (at: PlanRequest): Promise<StageCounts> => {
    const database = engine.databases.get(at.connection);
    try {
      const planned = await countChunks(database, database, at);
      if (planned.planned !== null) return planned;
      const context = await loadContext(engine, at);
      const write = await planOf(engine, context, at);
      const outputs = context.batch.definition.outputs.map(({ table }) => table);
      // Not on a control connection: millions of ranges take their time, and others could not even be fenced meanwhile.
      const session = await database.openSession(`waybill ${at.batchId} plan`);
      try {
        await inTransaction(session, () =>
          passGate(session, database, at.batchId, ['running'], async () => {
            await recordOutputs(session, database, at.batchId, outputs);
            await write(session);
          }),
        );
      } finally {
        await session.close();
      }
      return await countChunks(database, database, at);
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, stage ${at.stage}, plan`);
    }
  };

/** What writes the plan, once it is made. */
async function planOf(
  engine: Engine,
  context: BatchContext,
  at: PlanRequest,
): Promise<(session: Session) => Promise<boolean>> {
  const { database, batch } = context;
  if (keepsItsWork(batch.definition) && batch.reprocessOf !== null) {
    const left = await leftUndone(database, database, batch.reprocessOf, at.stage);
    if (left) return (session) => takeUndone(session, database, at, left);
  }
  const { method, ranges, plannedWith } =
    batch.definition.kind === 'acquisition'
      ? await planAcquisition(engine, context)
      : await planRanges(context, at.stage);
  return (session) => writePlan(session, database, at, method, ranges, plannedWith);
}

interface Plan {
  method: ChunkMethod;
  ranges: PlannedRanges;
  plannedWith?: PlannedWith;
}

async function planRanges(context: BatchContext, n: number): Promise<Plan> {
  const { database, batch, values } = context;
  const stage = batch.definition.stages[n - 1]!;
  const { range } = batch.definition;
  if (range && isRanged(stage, database.dialect.sql)) {
    return { method: 'range', ranges: new Ranges({ from: batch.windowFrom!, to: batch.windowTo! }, range.step) };
  }
  if (!stage.chunk) return { method: 'once', ranges: [{ from: null, to: null }] };
  const { input, rows } = stage.chunk;
  const table = sourceTable(input, batch.definition);
  const key = await chunkKey(database, batch.definition, stage, table);
  const { dialect } = database;
  const where = sourceWhere(dialect, input, values);
  const snapshots = await readSnapshots(database, database, batch.batchId);
  for (;;) {
    const plan = await reading(database, `waybill ${batch.batchId} plan ${stage.name}`, async (session) => {
      const made: Plan =
        key.length === 0
          ? { method: 'pages', ranges: await dialect.planPages!(session, table, rows) }
          : { method: 'key', ranges: await dialect.planKeys(session, table, key, rows, where), plannedWith: { key } };
      // Chunks prove what they read, but a plan of nothing has none. Until this transaction ends, the table is the one that it has read.
      await proveSnapshots(session, database, snapshots);
      return (await changedTable(session, database, 'batch_consumed', batch.batchId)) === undefined ? made : undefined;
    });
    if (plan) return plan;
    await looking(database, `waybill ${batch.batchId} look`, (session) =>
      settleConsumed(session, database, batch.batchId, values),
    );
  }
}
