/** What a task's range goes over: asked once, before its batch opens. */
import type { LoadDefinition, RangeBound, RangeDefinition } from '../config/definition.ts';
import { misfit, mixed, type Misfit } from '../config/ranges.ts';
import type { ColumnFacts, Database, Session } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import type { BatchValues } from '../sql/batch-sql.ts';
import { columnNamed, nearest } from '../sql/names.ts';
import { parseRangeValue, valueAfter, writeRangeValue, type RangeValue } from '../sql/range-value.ts';
import { answerTo, asking, placeOf } from './early-queries.ts';
import { refuseUnreached } from './unreached.ts';

/** `[from, to)` as text; or why there is nothing to go over. */
export type RangeWindow = { from: string; to: string } | { nothing: string };

/** Asks a task's bounds. Throws `ConfigurationError` for what cannot be cut into ranges. */
export async function askWindow(database: Database, load: LoadDefinition, values: BatchValues): Promise<RangeWindow> {
  const { over, step } = load.range!;
  const column = 'table' in over ? `${over.table}.${over.column}` : undefined;
  const [min, max] = written(over) ?? (await asking(database, load, (session) => ask(session, database, load, values)));
  if (min === null || max === null) {
    return {
      nothing: column === undefined ? `range.${min === null ? 'min' : 'max'} is NULL` : `${column} has no value`,
    };
  }
  const first = valueOf(min, column ?? 'range.min', load);
  const last = valueOf(max, column ?? 'range.max', load);
  refuse(load, mixed(first, last));
  if (last.at < first.at) return { nothing: `range.max is ${max}, which is below range.min, ${min}` };
  const end = valueAfter(last);
  refuse(load, misfit(first, end, step));
  const [from, to] = [writeRangeValue(first), writeRangeValue(end)];
  if (from !== undefined && to !== undefined) return { from, to };
  throw new ConfigurationError(`${column ?? 'range.max'} goes up to ${max}, and behind it no last range could end`, {
    where: `${load.file}, range`,
    next: 'let the range end before 9999-12-31',
  });
}

function refuse({ file }: LoadDefinition, found: Misfit | undefined): void {
  if (!found) return;
  throw new ConfigurationError(found.message.replaceAll('`', ''), {
    where: `${file}, range`,
    next: found.next.replaceAll('`', ''),
  });
}

type Ends = [min: string | null, max: string | null];

/** Bounds that stand in the file: nobody has to be asked. */
function written(over: RangeDefinition['over']): Ends | undefined {
  if ('table' in over || 'query' in over.min || 'query' in over.max) return undefined;
  return [over.min.value, over.max.value];
}

async function ask(session: Session, database: Database, load: LoadDefinition, values: BatchValues): Promise<Ends> {
  const { over } = load.range!;
  if ('table' in over) return askColumn(session, database, load, over);
  const min = await askBound(session, database, over.min, 'min', values);
  return [min, await askBound(session, database, over.max, 'max', values)];
}

/** Text of a bound; null: NULL. */
async function askBound(
  session: Session,
  database: Database,
  bound: RangeBound,
  name: 'min' | 'max',
  values: BatchValues,
): Promise<string | null> {
  if ('value' in bound) return bound.value;
  const { query } = bound;
  const where = placeOf(query);
  // The limit: a query that lacks its max() would bring its whole table here. The line's end: it may end in a comment.
  const { rows } = await answerTo(session, database, query, values, `the query of range.${name}`, (rendered) => ({
    ...rendered,
    text: `select * from (${rendered.text}\n) bound limit 2`,
  }));
  const [row, second] = rows;
  const next = 'Let the query give one row with one value: select max(id) from …';
  if (row === undefined) throw new ConfigurationError(`the query of range.${name} gives no row`, { where, next });
  if (second !== undefined)
    throw new ConfigurationError(`the query of range.${name} gives several rows`, { where, next });
  if (row.length !== 1) {
    throw new ConfigurationError(`the query of range.${name} gives ${row.length} columns`, { where, next });
  }
  return textOf(row[0]);
}

/** Why `range.of` cannot name this column. */
export const whyNoRanges = (
  { dialect }: Database,
  table: string,
  column: ColumnFacts,
): { message: string; next: string } | undefined =>
  dialect.cursorKind(column) === undefined
    ? {
        message: `${table}.${column.name} is ${column.type}: no ranges can be made of it`,
        next: 'use a column of whole numbers, dates or times',
      }
    : undefined;

/** The same of the column that a task's file names, and that is there. */
export async function rangeOfRefusal(
  database: Database,
  { range }: LoadDefinition,
): Promise<{ message: string; next: string } | undefined> {
  if (!range || !('table' in range.over)) return undefined;
  const { table, column: name } = range.over;
  const facts = await database.dialect.describeTable(database, table);
  const column = facts && columnNamed(facts.columns, name, database.dialect.sql);
  return column && whyNoRanges(database, table, column);
}

/** First and last value of a column; rows without one would be in no range. */
async function askColumn(
  session: Session,
  database: Database,
  load: LoadDefinition,
  { table, column: name }: { table: string; column: string },
): Promise<Ends> {
  const { dialect } = database;
  const where = `${load.file}, range.of`;
  const facts = await dialect.describeTable(session, table);
  if (!facts)
    throw new ConfigurationError(`${load.connection} has no table ${table}`, { where, next: 'correct range.of' });
  const column = columnNamed(facts.columns, name, dialect.sql);
  if (!column) {
    const near = nearest(
      name,
      facts.columns.map((candidate) => candidate.name),
    );
    const next = near ? `did you mean ${near}?` : 'correct range.of';
    throw new ConfigurationError(`${table} has no column ${name}`, { where, next });
  }
  const unfit = whyNoRanges(database, table, column);
  if (unfit) throw new ConfigurationError(unfit.message, { where, next: unfit.next });
  await refuseUnreached(
    session,
    dialect,
    { connection: load.connection, table, from: dialect.quoteTable(table), column },
    {
      lost: 'no range would ever reach them',
      where,
      next: 'give those rows a value; or write min and max, which leave them out',
    },
  );
  const value = dialect.quoteName(name);
  const text = `select min(${value}), max(${value}) from ${dialect.quoteTable(table)}`;
  const { time_zone: timeZone } = load.sessionParams;
  const { rows } = await session.run({ text, values: [], ...(timeZone !== undefined && { timeZone }) }, { first: 1 });
  return [textOf(rows[0]?.[0]), textOf(rows[0]?.[1])];
}

/** An instant comes as a `Date`, to the millisecond. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Date ? value.toISOString() : `${value as string | number}`;
}

/** What it is stays unsaid where it could be anything: a query may give a customer's name. */
function valueOf(text: string, what: string, { file }: LoadDefinition): RangeValue {
  const value = parseRangeValue(text);
  if (value) return value;
  const number = /^-?[\d.]+$/.test(text);
  throw new ConfigurationError(
    `${what} is ${number ? text : 'something else'}: ranges go over whole numbers, dates and times`,
    {
      where: `${file}, range`,
      next: number
        ? 'use floor() for the first value, and ceil() for the last one'
        : 'let the query give one of these; times without a zone as 2001-01-31 10:00:00',
    },
  );
}
