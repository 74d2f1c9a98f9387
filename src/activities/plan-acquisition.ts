import type { ChunkMethod, ChunkRange, ColumnFacts, Database } from '../database/dialect.ts';
import { cursorColumn, withSource } from './acquisition-window.ts';
import type { BatchContext } from './batch-context.ts';
import type { Engine } from './engine.ts';

/**
 * Cuts the source by its cursor, or by its primary key where there is no cursor. The source lives on, so only values can
 * cut it: pages would not hold still. A table without either is one chunk.
 */
export async function planAcquisition(
  engine: Engine,
  { batch }: BatchContext,
): Promise<{ method: ChunkMethod; ranges: ChunkRange[] }> {
  const source = batch.definition.from!;
  const key = await acquisitionKey(engine, batch.definition);
  if (!key) return { method: 'once', ranges: [{ from: null, to: null }] };
  const ranges = await withSource(engine, source, batch.loadName, async (session, { dialect }) => {
    if (!source.cursor) return dialect.planKeys(session, source.table, [key], batch.definition.chunkRows);
    const bound: unknown[] = [];
    const text = dialect.windowCondition(key, { from: batch.windowFrom, to: batch.windowTo }, (value, cast) => {
      bound.push(value);
      const placeholder = dialect.sql.placeholder(bound.length);
      return cast ? dialect.sql.cast(placeholder, cast) : placeholder;
    });
    return dialect.planKeys(session, source.table, [key], batch.definition.chunkRows, { text, values: bound });
  });
  return { method: 'key', ranges };
}

/** The column that cuts an acquisition; undefined: none. */
export async function acquisitionKey(
  engine: Engine,
  definition: BatchContext['batch']['definition'],
): Promise<ColumnFacts | undefined> {
  const source = definition.from!;
  if (source.cursor) return (await cursorColumn(engine, definition, source))?.column;
  const database: Database = engine.databases.get(source.connection);
  const facts = await database.dialect.describeTable(database, source.table);
  const primary = facts?.indexes.find((index) => index.primary && index.columns.length > 0);
  return facts?.columns.find((column) => column.name === primary?.columns[0]);
}
