import { cursorColumn, describeSource, rangeColumn, sourceRows, withSource } from '../control/source.ts';
import { windowWhere } from '../control/conditions.ts';
import type { PlannedWith } from '../control/planned-with.ts';
import { landingColumns } from '../copy/landing-columns.ts';
import type { ChunkMethod, ChunkRange, ColumnFacts, TableFacts } from '../database/dialect.ts';
import { arithmeticRanges } from '../control/arithmetic-ranges.ts';
import { filesOf } from '../control/source-files.ts';
import { lastingKey } from '../sql/row-key.ts';
import type { BatchContext } from './batch-context.ts';
import { filledByFiles, landingOfFiles } from './file-chunk.ts';
import type { Engine } from './engine.ts';

interface Cut {
  method: ChunkMethod;
  ranges: ChunkRange[];
  /** Of a table, a view or a query. */
  read?: { facts: TableFacts; key: ColumnFacts[] };
}

/** The chunks of an acquisition whose landing table is there. */
export async function planAcquisition(
  engine: Engine,
  context: BatchContext,
): Promise<Pick<Cut, 'method' | 'ranges'> & { plannedWith?: PlannedWith }> {
  const { read, ...cut } = await cutAcquisition(engine, context);
  const { definition } = context.batch;
  if (!read) {
    const target = filledByFiles(await landingOfFiles(context), context.database.dialect);
    return { ...cut, plannedWith: { key: [], target } };
  }
  const database = engine.databases.get(definition.from!.connection);
  const { columns, target } = await landingColumns(database, read.facts, context.database, definition);
  const copied = columns.map(({ name }) => name);
  const source = { columns: read.facts.columns, copied };
  const filled = target.columns.filter(({ name }) => copied.includes(name));
  return { ...cut, plannedWith: { key: read.key, source, target: filled } };
}

/**
 * Files are chunks as they are. Else cuts the source by its cursor, or by all columns of its row key where there is no cursor. The
 * source lives on, so only values can cut it: pages would not hold still. A table without either is one chunk, and so is a query
 * without a cursor.
 */
export async function cutAcquisition(engine: Engine, { database: target, batch }: BatchContext): Promise<Cut> {
  if (batch.definition.files) {
    const files = await filesOf(target, batch.batchId);
    return { method: 'file', ranges: files.map((name) => ({ from: name, to: null })) };
  }
  const source = batch.definition.from!;
  const database = engine.databases.get(source.connection);
  const facts = await describeSource(database, batch.definition, source);
  const key = await acquisitionKey(engine, batch.definition, facts);
  const [first] = key;
  if (!first) return { method: 'once', ranges: [{ from: null, to: null }], read: { facts, key } };
  const window = { from: batch.windowFrom, to: batch.windowTo };
  const where = source.cursor ? { condition: windowWhere(database.dialect, first, window), window: true } : undefined;
  const rows = sourceRows(source, database.dialect.sql);
  const { range } = source;
  const ranges = await withSource(database, batch.definition, (session) =>
    range
      ? arithmeticRanges(session, database.dialect, rows, first, range.step)
      : database.dialect.planKeys(session, rows, key, batch.definition.chunkRows, where),
  );
  return { method: 'key', ranges, read: { facts, key } };
}

/** The columns that cut an acquisition: its cursor's, its range's, or all of a table's row key; none: nothing cuts it. */
async function acquisitionKey(
  engine: Engine,
  definition: BatchContext['batch']['definition'],
  facts: TableFacts,
): Promise<ColumnFacts[]> {
  const source = definition.from!;
  const database = engine.databases.get(source.connection);
  if (source.cursor) return [(await cursorColumn(database, definition, source))!.column];
  if (source.range) return [await rangeColumn(database, definition, source)];
  // By its first column alone, all rows of one tenant would be one chunk.
  return lastingKey(facts);
}
