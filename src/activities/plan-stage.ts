import { sourceWhere } from '../control/conditions.ts';
import { countChunks, writePlan, type StageCounts } from '../control/chunks.ts';
import { passGate } from '../control/gate.ts';
import type { ChunkMethod, ChunkRange } from '../database/dialect.ts';
import { sourceTable } from '../sql/batch-sql.ts';
import type { BatchReference } from '../workflows/messages.ts';
import { planAcquisition } from './plan-acquisition.ts';
import { keyColumns, loadContext, type BatchContext } from './batch-context.ts';
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
      const { method, ranges } = context.batch.definition.from
        ? await planAcquisition(engine, context)
        : await planRanges(context, at.stage);
      await database.transaction((session) =>
        passGate(session, database, at.batchId, ['running'], () => writePlan(session, database, at, method, ranges)),
      );
      return await countChunks(database, database, at);
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, stage ${at.stage}, plan`);
    }
  };

async function planRanges(context: BatchContext, n: number): Promise<{ method: ChunkMethod; ranges: ChunkRange[] }> {
  const { database, batch, values } = context;
  const stage = batch.definition.stages[n - 1]!;
  if (!stage.chunk) return { method: 'once', ranges: [{ from: null, to: null }] };
  const key = await keyColumns(context, stage);
  const table = sourceTable(stage.chunk.input, batch.definition);
  const { rows } = stage.chunk;
  const { dialect } = database;
  const session = await database.openSession(`waybill ${batch.batchId} plan ${stage.name}`);
  try {
    await session.begin({ readOnly: true });
    if (key.length === 0) return { method: 'pages', ranges: await dialect.planPages!(session, table, rows) };
    const where = sourceWhere(dialect, stage.chunk.input, values);
    return { method: 'key', ranges: await dialect.planKeys(session, table, key, rows, where) };
  } finally {
    await session.rollback();
    await session.close();
  }
}
