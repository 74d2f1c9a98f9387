/** The position of a cursor: the union of the published windows of a load. */
import type { AcquisitionSource, LoadDefinition } from '../config/definition.ts';
import type { Reread } from '../config/reread.ts';
import type { ColumnFacts, Database, Session } from '../database/dialect.ts';
import { fromItem } from '../database/row-source.ts';
import { list, raw, sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import { columnNamed } from '../sql/names.ts';
import { windowWhere } from './conditions.ts';
import { refuseDoubtfulCursor } from './cursor-doubts.ts';
import { gapsBetween, isBelow, readCovered, windowOver, type CursorOrder, type Gap } from './published-windows.ts';
import { historyNames } from './rename.ts';
import { refuseUnreached } from './unreached.ts';
import { cursorColumn, lagOf, sourceRows, withSource, type Cursor } from './source.ts';

/** `[from, to)` of the cursor as text; null: open. Without a cursor both are null: the whole table. */
export interface Window {
  from: string | null;
  to: string | null;
}

/** What a start reads. */
export interface NextWindow extends Window {
  /** Where the next gap above it begins that holds rows, too: another start reads those. */
  leftFrom?: string;
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
  asked: Reread = {},
): Promise<NextWindow | undefined> {
  const cursor = await cursorColumn(database, load, source);
  const { dialect } = database;
  const rows = sourceRows(source, dialect.sql);
  if (!cursor) {
    // A query is run once, for its rows: to ask whether it has any could take as long.
    const some =
      typeof rows !== 'string' || (await withSource(database, load, (session) => dialect.hasRows(session, rows)));
    return some ? { from: null, to: null } : undefined;
  }
  refuseLag(load, source, cursor);
  const item = raw(fromItem(rows, (table) => dialect.quoteTable(table)));
  return withSource(database, load, async (session) => {
    await refuseUnreached(
      session,
      dialect,
      { connection: source.connection, table: source.table ?? 'from.sql', from: item.text, column: cursor.column },
      {
        lost: 'no window would ever read them',
        where: load.file,
        next: 'give those rows a value (and the column NOT NULL), or leave cursor out to read the whole table each time',
      },
    );
    const read = (written: string, what: string) => valueOf(session, database, load, cursor, written, what);
    const start = source.start === undefined ? null : await read(source.start, 'from.start');
    await refuseOtherCursor(target, load, cursor.column, dialect.sql);
    const inOrder: CursorOrder = (values) => dialect.inCursorOrder(session, cursor.column, values);
    const names = historyNames(load);
    const covered = await readCovered(target, names, inOrder);
    const bounds = {
      full: asked.full === true,
      since: asked.since === undefined ? undefined : await read(asked.since, '--since'),
      until: asked.until === undefined ? undefined : await read(asked.until, '--until'),
    };
    const gaps = await stretchesAsked(bounds, await gapsBetween(covered, start, inOrder), start, inOrder, load);
    const readAlready = (value: string) => windowOver(target, names, value, covered, inOrder);
    await refuseDoubtfulCursor(session, dialect, { load, source, cursor, readAlready });
    let lowest: Window | undefined;
    for (const { from, until } of gaps) {
      const limits = { lagMs: lagOf(source), until };
      const to = await dialect.windowEnd(session, rows, cursor.column, cursor.kind, limits);
      if (to === null) break;
      const { rows: answer } = await session.query<{ found: boolean }>(sql`
        select exists (select 1 from ${item}
                       where ${windowWhere(dialect, cursor.column, { from, to })}) as found`);
      if (!answer[0]?.found) continue;
      if (lowest) return { ...lowest, leftFrom: from! }; // only the first gap is open below
      lowest = { from, to };
    }
    return lowest;
  });
}

/**
 * What a start was asked to read, in place of the gaps between published windows: the window since a value, everything from
 * `start` on, or the gaps up to a value.
 */
async function stretchesAsked(
  { full, since, until }: { full: boolean; since: string | undefined; until: string | undefined },
  gaps: Gap[],
  start: string | null,
  inOrder: CursorOrder,
  load: LoadDefinition,
): Promise<Gap[]> {
  if (full) return [{ from: start, until: null }];
  if (since !== undefined) {
    if (start !== null && (await isBelow(since, start, inOrder))) {
      throw new ConfigurationError(`--since ${since} lies below from.start, ${start}: no row down there is read`, {
        where: load.file,
        next: 'ask for a later value, or lower from.start first',
      });
    }
    if (until !== undefined && !(await isBelow(since, until, inOrder))) {
      throw new ConfigurationError(`--until ${until} does not lie above --since ${since}: no row is between them`, {
        where: load.file,
        next: 'ask for an end that comes after the beginning',
      });
    }
    return [{ from: since, until: until ?? null }];
  }
  if (until === undefined) return gaps;
  const below: Gap[] = [];
  for (const gap of gaps) {
    if (gap.from !== null && !(await isBelow(gap.from, until, inOrder))) continue;
    const whole = gap.until !== null && (await isBelow(gap.until, until, inOrder));
    below.push(whole ? gap : { from: gap.from, until });
  }
  return below;
}

/** What is wrong with this acquisition's cursor, its `lag` and its `start`, each with the key of `from` that says it. The column is known to be there. */
export async function cursorRefusals(
  source: Database,
  load: LoadDefinition,
): Promise<{ key: 'cursor' | 'lag' | 'start'; message: string; next: string }[]> {
  const { from } = load;
  const refusals: Awaited<ReturnType<typeof cursorRefusals>> = [];
  const attempt = async <T>(key: 'cursor' | 'lag' | 'start', work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      refusals.push({ key, message: error.message, next: error.next ?? 'correct it' });
      return undefined;
    }
  };
  const cursor = from && (await attempt('cursor', () => cursorColumn(source, load, from)));
  if (!cursor) return refusals;
  await attempt('lag', () => refuseLag(load, from, cursor));
  const { start } = from;
  if (start !== undefined) {
    await attempt('start', () =>
      withSource(source, load, (session) => valueOf(session, source, load, cursor, start, '`start`')),
    );
  }
  return refusals;
}

/** Only a window of times ends behind the clock. */
function refuseLag(load: LoadDefinition, { lagMs }: AcquisitionSource, { column, kind }: Cursor): void {
  if (lagMs === undefined || kind === 'time') return;
  throw new ConfigurationError(
    `\`lag\` means nothing for a cursor that is no time (${column.type}): windows of numbers end behind the greatest`,
    { where: load.file, next: 'leave it out' },
  );
}

/** A value as the source itself writes it: a time without a zone is meant in the source's own. `what`: where it was given. */
async function valueOf(
  session: Session,
  database: Database,
  load: LoadDefinition,
  { column }: Cursor,
  written: string,
  what: string,
): Promise<string> {
  try {
    return await database.dialect.cursorValue(session, column, written);
  } catch (error) {
    if (database.dialect.classify(error).kind !== 'permanent') throw error;
    throw new ConfigurationError(`${what} is ${written}, which is no ${column.type}`, {
      where: load.file,
      next: `write a value of ${column.name}`,
      cause: error,
    });
  }
}

/** Windows of another column say nothing about this one: everything would be read a second time. */
async function refuseOtherCursor(
  database: Database,
  load: LoadDefinition,
  column: ColumnFacts,
  source: SqlDialect,
): Promise<void> {
  const { rows } = await database.query<{ definition: string }>(sql`
    select definition from ${database.ledger('batch')}
    where load_name in ${list(historyNames(load))} and state = 'published' and window_to is not null order by batch_id desc limit 1`);
  if (!rows[0]) return;
  const before = (JSON.parse(rows[0].definition) as LoadDefinition).from?.cursor;
  if (before === undefined || columnNamed([column], before, source)) return;
  throw new ConfigurationError(
    `${load.name} was read by cursor ${before} so far: what was read is not known in terms of ${column.name}`,
    {
      where: load.file,
      next: `put cursor: ${before} back; or begin anew under another load name, with a start behind what has been read`,
    },
  );
}
