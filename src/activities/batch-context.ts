import { findLastLoadAt } from '../control/reading.ts';
import { consumedBatches } from '../control/consumption.ts';
import { getBatch, type Batch } from '../control/batch.ts';
import type { ColumnFacts, Database } from '../database/dialect.ts';
import type { StageDefinition } from '../config/definition.ts';
import { ConfigurationError } from '../errors.ts';
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
  const [lastLoadAt, consumed] = await Promise.all([
    findLastLoadAt(database, batch),
    consumedBatches(database, at.batchId),
  ]);
  return {
    database,
    batch,
    values: {
      definition: batch.definition,
      batchId: at.batchId,
      loadAt: batch.startedAt.toISOString(),
      lastLoadAt: lastLoadAt?.toISOString() ?? null,
      params: batch.params,
      consumed,
      invisible: batch.invisible,
    },
  };
}

/** The columns that a stage's ranges are cut by; empty for page ranges and uncut stages. */
export async function keyColumns(context: BatchContext, stage: StageDefinition): Promise<ColumnFacts[]> {
  const key = await chunkKey(context, stage);
  if (!stage.chunk || key.length === 0) return [];
  const table = sourceTable(stage.chunk.input, context.batch.definition);
  const facts = await context.database.dialect.describeTable(context.database, table);
  return key.map((name) => {
    const column = facts?.columns.find((candidate) => candidate.name === name);
    if (column) return column;
    throw new ConfigurationError(`${table} has no column ${name}, by which stage ${stage.name} is cut`, {
      where: `load ${context.batch.loadName}, stage ${stage.name}`,
      next: 'correct chunk.key',
    });
  });
}

/** The declared key; for a table that is not frozen, its primary key or a unique one, because pages would not hold still. */
async function chunkKey(context: BatchContext, stage: StageDefinition): Promise<string[]> {
  const { chunk } = stage;
  if (!chunk) return [];
  if (chunk.key) return chunk.key;
  const { definition } = context.batch;
  if (definition.inputs.some((input) => input.table === chunk.input)) return [];
  const facts = await context.database.dialect.describeTable(context.database, chunk.input);
  const unique = facts?.indexes.find((index) => index.primary) ?? facts?.indexes.find((index) => index.unique);
  if (unique && unique.columns.length > 0) return unique.columns;
  throw new ConfigurationError(`${chunk.input} has no primary key, so stage ${stage.name} cannot be cut into chunks`, {
    where: `load ${context.batch.loadName}, stage ${stage.name}`,
    next: 'name the columns to cut by in chunk.key',
  });
}
