import type { AcquisitionSource, LoadDefinition } from '../config/definition.ts';
import { cursorPosition } from '../control/windows.ts';
import type { ColumnFacts, CursorKind, Database, Session } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import { nearest } from '../sql/names.ts';
import type { Engine } from './engine.ts';
import { refused } from './failures.ts';

/** `[from, to)` of the cursor as text; null: open. Without a cursor both are null: the whole table. */
export interface Window {
  from: string | null;
  to: string | null;
}

/** A short read-only session on the source. Named so that other acquisitions do not wait for it. */
export async function withSource<T>(
  engine: Engine,
  source: AcquisitionSource,
  load: string,
  work: (session: Session, database: Database) => Promise<T>,
): Promise<T> {
  const database = engine.databases.get(source.connection);
  const session = await database.openSession(`waybill read ${load}`);
  try {
    await session.begin({ readOnly: true });
    const value = await work(session, database);
    await session.commit();
    return value;
  } finally {
    await session.rollback();
    await session.close();
  }
}

/** The cursor's column as the source has it now. */
export async function cursorColumn(
  engine: Engine,
  load: LoadDefinition,
  source: AcquisitionSource,
): Promise<{ column: ColumnFacts; kind: CursorKind } | undefined> {
  if (source.cursor === undefined) return undefined;
  const database = engine.databases.get(source.connection);
  const facts = await database.dialect.describeTable(database, source.table);
  if (!facts) {
    throw new ConfigurationError(`${source.connection} has no table ${source.table}`, {
      where: load.file,
      next: 'correct from.table, or grant the role USAGE on its schema',
    });
  }
  const column = facts.columns.find((candidate) => candidate.name === source.cursor);
  if (!column) {
    const near = nearest(
      source.cursor,
      facts.columns.map((candidate) => candidate.name),
    );
    throw new ConfigurationError(`${source.table} has no column ${source.cursor}`, {
      where: load.file,
      next: near ? `did you mean ${near}?` : 'correct from.cursor',
    });
  }
  const kind = database.dialect.cursorKind(column);
  if (!kind) {
    throw new ConfigurationError(`${source.table}.${source.cursor} is ${column.type}: no cursor can be kept on it`, {
      where: load.file,
      next: 'use an integer, a numeric of fixed scale, a date or a timestamp column that only grows',
    });
  }
  return { column, kind };
}

/** The next window of an acquisition; undefined: nothing new. */
export async function nextWindow(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  source: AcquisitionSource,
): Promise<Window | undefined> {
  const cursor = await cursorColumn(engine, load, source);
  if (!cursor) {
    const sourceDatabase = engine.databases.get(source.connection);
    const some = await sourceDatabase.dialect.hasRows(sourceDatabase, source.table);
    return some ? { from: null, to: null } : undefined;
  }
  if (cursor.column.nullable) await refuseNullCursor(engine, load, source);
  const { from, until } = await cursorPosition(database, load.name, cursor.column, source.start ?? null);
  return withSource(engine, source, load.name, async (session, { dialect }) => {
    const to = until ?? (await dialect.windowEnd(session, source.table, cursor.column, cursor.kind, source.lagMs));
    if (to === null) return undefined;
    const values: unknown[] = [];
    const condition = dialect.windowCondition(cursor.column, { from, to }, (value, cast) => {
      values.push(value);
      const placeholder = dialect.sql.placeholder(values.length);
      return cast ? dialect.sql.cast(placeholder, cast) : placeholder;
    });
    const { rows } = await session.run({
      text: `select exists (select 1 from ${dialect.quoteTable(source.table)} where ${condition})`,
      values,
    });
    return rows[0]?.[0] === true ? { from, to } : undefined;
  });
}

/** A row without a cursor value is in no window: it would be lost without a word. */
async function refuseNullCursor(engine: Engine, load: LoadDefinition, source: AcquisitionSource): Promise<void> {
  const found = await withSource(engine, source, load.name, async (session, { dialect }) => {
    const { rows } = await session.run({
      text: `select exists (select 1 from ${dialect.quoteTable(source.table)} where ${dialect.quoteName(source.cursor!)} is null)`,
      values: [],
    });
    return rows[0]?.[0] === true;
  });
  if (!found) return;
  throw refused(
    `${source.connection} ${source.table} has rows whose ${source.cursor} is NULL: no window would ever read them`,
    {
      where: load.file,
      next: `give those rows a value (and the column NOT NULL), or leave cursor out to read the whole table each time`,
    },
  );
}
