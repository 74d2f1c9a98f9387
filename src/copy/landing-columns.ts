import type { CopyFormat } from '../database/copy-stream.ts';
import type { ColumnFacts, Database, Dialect, TableFacts } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import { nearest } from '../sql/names.ts';

/** Columns that the landing table has for itself. */
const OWN = new Set(['batch_id', 'ngdw_id']);

/**
 * Which columns travel, and how: every column of the source has one of the same name in the landing table that takes its
 * values as they are. Throws `ConfigurationError` naming the columns that do not fit, before anything is copied.
 */
export async function landingColumns(
  sourceDatabase: Database,
  sourceTable: string,
  targetDatabase: Database,
  targetTable: string,
  file: string,
): Promise<{ columns: string[]; format: CopyFormat }> {
  const { dialect } = targetDatabase;
  const source = await describe(sourceDatabase, sourceTable, file);
  const target = await describe(targetDatabase, targetTable, file);
  const pairs: { name: string; source: string; target: string }[] = [];
  const problems: string[] = [];
  for (const column of source.columns) {
    const into = target.columns.find(({ name }) => name === column.name);
    const problem = misfit(dialect, column, into, source, target);
    if (problem !== undefined) problems.push(problem);
    // What both compute is computed again from the same values.
    else if (into && !into.generated) pairs.push({ name: into.name, source: column.castType, target: into.castType });
  }
  problems.push(...unfilled(target, new Set(pairs.map(({ name }) => name))));
  if (problems.length > 0) {
    throw new ConfigurationError(`${sourceTable} does not fit ${targetTable}: ${problems.join('; ')}`, {
      where: file,
      next: `change ${targetTable}, or read a view of ${sourceTable} that has its columns`,
    });
  }
  return { columns: pairs.map(({ name }) => name), format: dialect.agreesInBinary(pairs) ? 'binary' : 'text' };
}

/** Why a column of the source cannot travel; undefined: it can. */
function misfit(
  dialect: Dialect,
  column: ColumnFacts,
  into: ColumnFacts | undefined,
  source: TableFacts,
  target: TableFacts,
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
  const change = dialect.narrowing(column, into);
  return change && `${column.name}, ${column.type}, ${change} in ${target.table}, where it is ${into.type}`;
}

/** Columns of the landing table that a row from the source would leave empty though they must not be. */
function unfilled(target: TableFacts, filled: ReadonlySet<string>): string[] {
  const problems = target.columns
    .filter((column) => !column.nullable && !column.hasDefault && !column.generated)
    .filter(({ name }) => name !== 'batch_id' && !filled.has(name))
    .map(({ name }) => `${target.table}.${name} is NOT NULL without a default, and the source has no such column`);
  if (!target.columns.some(({ name }) => name === 'batch_id')) problems.push(`${target.table} has no column batch_id`);
  return problems;
}

async function describe(database: Database, table: string, file: string): Promise<TableFacts> {
  const facts = await database.dialect.describeTable(database, table);
  if (facts) return facts;
  throw new ConfigurationError(`${database.connection} has no table ${table}`, {
    where: file,
    next: 'create it, correct its name, or grant the role USAGE on its schema',
  });
}
