/** The position of a cursor: the union of the published windows of a load. */
import type { AcquisitionSource, LoadDefinition } from '../config/definition.ts';
import type { ColumnFacts, Database, Dialect, Session } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import { windowWhere } from './conditions.ts';
import { refuseDoubtfulCursor } from './cursor-doubts.ts';
import { gapsBetween, readCovered, windowOver, type CursorOrder } from './published-windows.ts';
import { cursorColumn, withSource, type Cursor } from './source.ts';

/** `[from, to)` of the cursor as text; null: open. Without a cursor both are null: the whole table. */
export interface Window {
  from: string | null;
  to: string | null;
}

/**
 * The next window of an acquisition that holds rows; undefined: nothing new. A gap that holds none (its rows were deleted)
 * does not stand in the way of the one after it.
 */
export async function nextWindow(
  database: Database,
  target: Database,
  load: LoadDefinition,
  source: AcquisitionSource,
): Promise<Window | undefined> {
  const cursor = await cursorColumn(database, load, source);
  if (!cursor) return (await database.dialect.hasRows(database, source.table)) ? { from: null, to: null } : undefined;
  const { dialect } = database;
  return withSource(database, load.name, async (session) => {
    if (cursor.column.nullable) await refuseNulls(session, dialect, load, source);
    const start = await readStart(session, database, load, source, cursor);
    await refuseOtherCursor(target, load, cursor.column);
    const inOrder: CursorOrder = (values) => dialect.inCursorOrder(session, cursor.column, values);
    const covered = await readCovered(target, load.name, inOrder);
    const gaps = await gapsBetween(covered, start, inOrder);
    const readAlready = (value: string) => windowOver(target, load.name, value, covered, inOrder);
    await refuseDoubtfulCursor(session, dialect, { load, source, cursor, readAlready });
    for (const { from, until } of gaps) {
      const limits = { lagMs: source.lagMs, until };
      const to = await dialect.windowEnd(session, source.table, cursor.column, cursor.kind, limits);
      if (to === null) return undefined;
      const { rows } = await session.query<{ found: boolean }>(sql`
        select exists (select 1 from ${raw(dialect.quoteTable(source.table))}
                       where ${windowWhere(dialect, cursor.column, { from, to })}) as found`);
      if (rows[0]?.found) return { from, to };
    }
    return undefined;
  });
}

/** Rows that are counted to be named in a refusal. */
const COUNTED = 1_000;

/** A row without a cursor value is in no window: it would be lost without a word. */
async function refuseNulls(
  session: Session,
  dialect: Dialect,
  load: LoadDefinition,
  source: AcquisitionSource,
): Promise<void> {
  const { rows } = await session.run({
    text:
      `select count(*) from (select 1 from ${dialect.quoteTable(source.table)} ` +
      `where ${dialect.quoteName(source.cursor!)} is null limit ${COUNTED}) nulls`,
    values: [],
  });
  const found = Number(rows[0]?.[0]);
  if (found === 0) return;
  throw new ConfigurationError(
    `${source.table} on ${source.connection} has ${found === COUNTED ? `${found} or more` : found} ` +
      `row${found === 1 ? '' : 's'} whose ${source.cursor} is NULL: no window would ever read them`,
    {
      where: load.file,
      next: 'give those rows a value (and the column NOT NULL), or leave cursor out to read the whole table each time',
    },
  );
}

/** `start` as the source itself writes it: a time without a zone is meant in the source's own. */
async function readStart(
  session: Session,
  database: Database,
  load: LoadDefinition,
  source: AcquisitionSource,
  { column }: Cursor,
): Promise<string | null> {
  if (source.start === undefined) return null;
  try {
    return await database.dialect.cursorValue(session, column, source.start);
  } catch (error) {
    if (database.dialect.classify(error).kind !== 'permanent') throw error;
    throw new ConfigurationError(`from.start is ${source.start}, which is no ${column.type}`, {
      where: load.file,
      next: `write a value of ${source.table}.${column.name}`,
      cause: error,
    });
  }
}

/** Windows of another column say nothing about this one: everything would be read a second time. */
async function refuseOtherCursor(database: Database, load: LoadDefinition, column: ColumnFacts): Promise<void> {
  const { rows } = await database.query<{ definition: string }>(sql`
    select definition from ${database.ledger('batch')}
    where load_name = ${load.name} and state = 'published' and window_to is not null order by batch_id desc limit 1`);
  if (!rows[0]) return;
  const before = (JSON.parse(rows[0].definition) as LoadDefinition).from?.cursor;
  if (before === undefined || before === column.name) return;
  throw new ConfigurationError(
    `${load.name} was read by cursor ${before} so far: what was read is not known in terms of ${column.name}`,
    {
      where: load.file,
      next: `put cursor: ${before} back; or begin anew under another load name, with a start behind what has been read`,
    },
  );
}
