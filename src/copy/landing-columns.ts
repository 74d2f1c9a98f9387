import type { CopyFormat, CopyInColumn } from '../database/copy-stream.ts';
import type { ColumnFacts, Database, Dialect, TableFacts } from '../database/dialect.ts';
import type { InvalidRule, LandingDefinition, LoadDefinition } from '../config/definition.ts';
import type { NativeCopy } from '../database/copy-dialect.ts';
import { lostBetween, orTooLong } from '../database/value-shape.ts';
import { ConfigurationError } from '../errors.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import { columnNamed, nearest } from '../sql/names.ts';

const OWN = new Set(['batch_id', 'ngdw_id']);

/** Whether it is the name of a column that the landing table has for itself. */
export const isOwn = (name: string, { foldColumn }: Pick<SqlDialect, 'foldColumn'>): boolean =>
  OWN.has(foldColumn(name));

/** A column of a landing table that is filled from the source. */
export interface LandingColumn {
  name: string;
  /** What the SELECT on the source says for it. */
  select: string;
  /** The same for an INSERT within one database. */
  own: string;
  into: CopyInColumn;
}

/** What a landing table is for. */
type Landing = Pick<LoadDefinition, 'connection' | 'outputs' | 'landing' | 'file'>;

/** A column of the source, and the one of the landing table that takes its values. */
interface Pair {
  column: ColumnFacts;
  into: ColumnFacts;
}

/** Which columns travel, how, and into what. Throws as `fittingColumns` does, before anything is copied. */
export async function landingColumns(
  sourceDatabase: Database,
  source: TableFacts,
  targetDatabase: Database,
  load: Landing,
): Promise<{ columns: LandingColumn[]; format: CopyFormat; target: TableFacts }> {
  const [from, to] = [sourceDatabase.dialect, targetDatabase.dialect];
  const target = await to.describeTable(targetDatabase, load.outputs[0]!.table);
  const pairs = fittingColumns({ dialect: from, facts: source }, to, target, load);
  const columns = pairs.map(({ column, into }) => landingColumn(from, to, column, into, load.landing));
  const types = pairs.map(({ column, into }) => ({ source: column.castType, target: into.castType }));
  return { columns, format: nativeCopy(from, to)?.agreesInBinary(types) ? 'binary' : 'text', target: target! };
}

/** How the values of one column become those of another. */
export function landingColumn(
  from: Dialect,
  to: Dialect,
  column: ColumnFacts,
  into: ColumnFacts,
  landing: LandingDefinition | undefined,
): LandingColumn {
  const [source, target] = [from.shapeOf(column), to.shapeOf(underDomain(into))];
  const plain = from.quoteName(column.name);
  const native = nativeCopy(from, to) !== undefined;
  const kept = invalidRule(landing, column.name, from.sql) === 'null' ? from.keepable(column, target) : undefined;
  const whole = (value: string): string => {
    const text = orTooLong(value, source, target, from.textOf);
    return kept === undefined ? text : `case when ${kept} then ${text} end`;
  };
  return {
    name: into.name,
    select: whole(native ? plain : from.copyOutValue(column, target)),
    own: whole(from.ownValue(column, into)),
    into: native ? { name: to.quoteName(into.name) } : to.copyInColumn(into),
  };
}

const nativeCopy = (from: Dialect, to: Dialect): NativeCopy | undefined => (from === to ? to.nativeCopy : undefined);

/**
 * Every column of the source has one in the landing table, of what is the same name there, that takes its values as they are, or is
 * left out where the load says so. Throws `ConfigurationError` naming the columns that do not fit. `planned`: a start makes the table (`target` is
 * undefined), or gives it the columns that it lacks, and those fit.
 */
export function fittingColumns(
  { dialect: from, facts: source }: { dialect: Dialect; facts: TableFacts },
  to: Dialect,
  target: TableFacts | undefined,
  { connection, outputs, landing, file }: Landing,
  planned = false,
): Pair[] {
  const targetTable = outputs[0]!.table;
  if (!target && !planned) throw noTable(connection, targetTable, file);
  const native = nativeCopy(from, to);
  const pairs: Pair[] = [];
  const problems = repeated(source, to.sql);
  const lost = (column: ColumnFacts, into: ColumnFacts): string | undefined =>
    native ? narrowed(native, column, into) : lostBetween(from.shapeOf(column), to.shapeOf(underDomain(into)));
  for (const column of source.columns) {
    const into = target && columnNamed(target.columns, column.name, to.sql);
    if (!into && (planned || landing?.onNewColumns === 'ignore')) continue;
    const problem = misfit(column, into, source, target!, to.sql, lost) ?? noText(column, into, from, to, landing);
    if (problem !== undefined) problems.push(problem);
    // What both compute is computed again from the same values.
    else if (into && !into.generated) pairs.push({ column, into });
  }
  if (target) problems.push(...unfilled(target, new Set(pairs.map(({ into }) => into.name)), 'the source', to.sql));
  for (const name of Object.keys(landing?.onInvalid?.columns ?? {})) {
    if (columnNamed(source.columns, name, from.sql)) continue;
    const near = nearest(
      name,
      source.columns.map((column) => column.name),
    );
    problems.push(`on_invalid names ${name}, which the source has not${near ? `; is it ${near}?` : ''}`);
  }
  if (problems.length > 0) {
    throw new ConfigurationError(`${source.table} does not fit ${targetTable}: ${problems.join('; ')}`, {
      where: file,
      next: `change ${targetTable}, or read a view or a query (from.sql) that has its columns`,
    });
  }
  return pairs;
}

function narrowed(native: NativeCopy, column: ColumnFacts, into: ColumnFacts): string | undefined {
  return native.narrowing(underDomain(column), underDomain(into));
}

/** A domain reads and keeps of a value what the type does that it is made of. */
export const underDomain = (column: ColumnFacts): ColumnFacts => ({ ...column, ...column.base });

/** What becomes of values of this column that its landing column cannot keep. */
export function invalidRule(
  landing: LandingDefinition | undefined,
  column: string,
  dialect: Pick<SqlDialect, 'foldColumn'>,
): InvalidRule {
  const rules = Object.entries(landing?.onInvalid?.columns ?? {}).map(([name, rule]) => ({ name, rule }));
  return columnNamed(rules, column, dialect)?.rule ?? landing?.onInvalid?.all ?? 'fail';
}

/** `on_invalid: text` is kept by a text column only; where nothing can be invalid, any will do. */
function noText(
  column: ColumnFacts,
  into: ColumnFacts | undefined,
  from: Pick<Dialect, 'keepable' | 'sql'>,
  to: Pick<Dialect, 'shapeOf'>,
  landing: LandingDefinition | undefined,
): string | undefined {
  if (!into || into.generated || invalidRule(landing, column.name, from.sql) !== 'text') return undefined;
  const shape = to.shapeOf(underDomain(into));
  if (shape.kind === 'text' || from.keepable(column, shape) === undefined) return undefined;
  return `${column.name}, whose rule is on_invalid: text, is no text (${into.type})`;
}

/** Which of two columns of one name is meant a query does not say; of two that are one name in the landing table, one would be lost. */
function repeated({ columns }: TableFacts, to: SqlDialect): string[] {
  return [...new Set(columns.flatMap(({ name }, i) => repetition(columns.slice(0, i), name, to) ?? []))];
}

/** That a column of this name comes behind one of what is the same name to that server. */
export function repetition(before: readonly ColumnFacts[], name: string, to: SqlDialect): string | undefined {
  const first = columnNamed(before, name, to)?.name;
  if (first === undefined) return undefined;
  return first === name
    ? `the source has two columns ${name}`
    : `the source has columns ${first} and ${name}, which are one to ${to.title}`;
}

/** Why a column of the source cannot travel; undefined: it can. */
function misfit(
  column: ColumnFacts,
  into: ColumnFacts | undefined,
  source: TableFacts,
  target: TableFacts,
  to: SqlDialect,
  lost: (column: ColumnFacts, into: ColumnFacts) => string | undefined,
): string | undefined {
  if (isOwn(column.name, to)) return `the source has a column ${column.name}, which the landing table keeps for itself`;
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
export function unfilled(
  target: TableFacts,
  filled: ReadonlySet<string>,
  source: string,
  dialect: Pick<SqlDialect, 'foldColumn'>,
): string[] {
  const batchId = columnNamed(target.columns, 'batch_id', dialect);
  const problems = target.columns
    .filter((column) => !column.nullable && !column.hasDefault && !column.generated)
    .filter((column) => column !== batchId && !filled.has(column.name))
    .map(({ name }) => `${target.table}.${name} is NOT NULL without a default, and ${source} has no such column`);
  if (!batchId) problems.push(`${target.table} has no column batch_id`);
  return problems;
}

function noTable(connection: string, table: string, file: string): ConfigurationError {
  return new ConfigurationError(`${connection} has no table ${table}`, {
    where: file,
    next: 'create it (or have it made: to.create), correct its name, or grant the role USAGE on its schema',
  });
}
