import type { CopyFormat, CopyInColumn } from '../database/copy-stream.ts';
import type { ColumnFacts, Database, Dialect, TableFacts } from '../database/dialect.ts';
import type { InvalidRule, LandingDefinition, LoadDefinition } from '../config/definition.ts';
import { lostBetween } from '../database/value-shape.ts';
import { ConfigurationError } from '../errors.ts';
import { nearest } from '../sql/names.ts';

/** Columns that the landing table has for itself. */
export const OWN = new Set(['batch_id', 'ngdw_id']);

/** A column of a landing table that is filled from the source. */
export interface LandingColumn {
  name: string;
  /** What the SELECT on the source says for it. */
  select: string;
  /** The same within one database. */
  own: string;
  into: CopyInColumn;
}

/**
 * Which columns travel, and how: every column of the source has one of the same name in the landing table that takes its
 * values as they are, or is left out where the load says so. Throws `ConfigurationError` naming the columns that do not fit, before anything is copied.
 */
export async function landingColumns(
  sourceDatabase: Database,
  source: TableFacts,
  targetDatabase: Database,
  { outputs, landing, file }: Pick<LoadDefinition, 'outputs' | 'landing' | 'file'>,
): Promise<{ columns: LandingColumn[]; format: CopyFormat }> {
  const targetTable = outputs[0]!.table;
  const [from, to] = [sourceDatabase.dialect, targetDatabase.dialect];
  const native = from === to ? to.nativeCopy : undefined;
  const target = await describe(targetDatabase, targetTable, file);
  const pairs: { column: ColumnFacts; into: ColumnFacts }[] = [];
  const problems = repeated(source);
  const lost = (column: ColumnFacts, into: ColumnFacts): string | undefined =>
    native ? native.narrowing(column, into) : lostBetween(from.shapeOf(column), to.shapeOf(into));
  for (const column of source.columns) {
    const into = target.columns.find(({ name }) => name === column.name);
    if (!into && landing?.onNewColumns === 'ignore') continue;
    const problem = misfit(column, into, source, target, lost) ?? noText(column, into, from, to, landing);
    if (problem !== undefined) problems.push(problem);
    // What both compute is computed again from the same values.
    else if (into && !into.generated) pairs.push({ column, into });
  }
  problems.push(...unfilled(target, new Set(pairs.map(({ into }) => into.name)), 'the source'));
  for (const name of Object.keys(landing?.onInvalid?.columns ?? {})) {
    const names = source.columns.map((column) => column.name);
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    problems.push(`on_invalid names ${name}, which the source has not${near ? `; is it ${near}?` : ''}`);
  }
  if (problems.length > 0) {
    throw new ConfigurationError(`${source.table} does not fit ${targetTable}: ${problems.join('; ')}`, {
      where: file,
      next: `change ${targetTable}, or read a view or a query (from.sql) that has its columns`,
    });
  }
  const validOnly = (value: string, column: ColumnFacts, into: ColumnFacts): string => {
    if (invalidRule(landing, column.name) !== 'null') return value;
    const kept = from.keepable(column, to.shapeOf(into));
    return kept === undefined ? value : `case when ${kept} then ${value} end`;
  };
  const columns = pairs.map(({ column, into }) => ({
    name: into.name,
    select: validOnly(native ? from.quoteName(column.name) : from.copyOutValue(column, to.shapeOf(into)), column, into),
    own: validOnly(from.quoteName(column.name), column, into),
    into: native ? { name: to.quoteName(into.name) } : to.copyInColumn(into),
  }));
  const types = pairs.map(({ column, into }) => ({ source: column.castType, target: into.castType }));
  return { columns, format: native?.agreesInBinary(types) ? 'binary' : 'text' };
}

/** What becomes of values of this column that its landing column cannot keep. */
export function invalidRule(landing: LandingDefinition | undefined, column: string): InvalidRule {
  return landing?.onInvalid?.columns[column] ?? landing?.onInvalid?.all ?? 'fail';
}

/** `on_invalid: text` is kept by a text column only; where nothing can be invalid, any will do. */
function noText(
  column: ColumnFacts,
  into: ColumnFacts | undefined,
  from: Pick<Dialect, 'keepable'>,
  to: Pick<Dialect, 'shapeOf'>,
  landing: LandingDefinition | undefined,
): string | undefined {
  if (!into || into.generated || invalidRule(landing, column.name) !== 'text') return undefined;
  const shape = to.shapeOf(into);
  if (shape.kind === 'text' || from.keepable(column, shape) === undefined) return undefined;
  return `${column.name}, whose rule is on_invalid: text, is no text (${into.type})`;
}

/** Which of two columns of one name is meant a query does not say. */
function repeated({ columns }: TableFacts): string[] {
  const names = columns.map(({ name }) => name);
  return [...new Set(names.filter((name, i) => names.indexOf(name) !== i))].map(
    (name) => `the source has two columns ${name}`,
  );
}

/** Why a column of the source cannot travel; undefined: it can. */
function misfit(
  column: ColumnFacts,
  into: ColumnFacts | undefined,
  source: TableFacts,
  target: TableFacts,
  lost: (column: ColumnFacts, into: ColumnFacts) => string | undefined,
): string | undefined {
  if (OWN.has(column.name)) return `the source has a column ${column.name}, which the landing table keeps for itself`;
  if (!into) {
    const others = target.columns.map(({ name }) => name);
    const free = others.filter((name) => !source.columns.some((other) => other.name === name));
    const near = nearest(column.name, free);
    return `${target.table} has no column ${column.name} (${column.type})${near ? `; is it ${near}?` : ''}`;
  }
  if (into.generated && !column.generated)
    return `${target.table}.${into.name} is generated: the source's value would be lost`;
  const change = lost(column, into);
  return change && `${column.name}, ${column.type}, ${change} in ${target.table}, where it is ${into.type}`;
}

/** Columns of the landing table that a row from the source would leave empty though they must not be. */
export function unfilled(target: TableFacts, filled: ReadonlySet<string>, source: string): string[] {
  const problems = target.columns
    .filter((column) => !column.nullable && !column.hasDefault && !column.generated)
    .filter(({ name }) => name !== 'batch_id' && !filled.has(name))
    .map(({ name }) => `${target.table}.${name} is NOT NULL without a default, and ${source} has no such column`);
  if (!target.columns.some(({ name }) => name === 'batch_id')) problems.push(`${target.table} has no column batch_id`);
  return problems;
}

async function describe(database: Database, table: string, file: string): Promise<TableFacts> {
  const facts = await database.dialect.describeTable(database, table);
  if (facts) return facts;
  throw new ConfigurationError(`${database.connection} has no table ${table}`, {
    where: file,
    next: 'create it (or have it made: to.create), correct its name, or grant the role USAGE on its schema',
  });
}
