import type { Database, TableFacts } from '../database/dialect.ts';
import { agreesInBinary } from '../database/postgres/copy.ts';
import { ConfigurationError } from '../errors.ts';
import { nearest } from '../sql/names.ts';

export interface ColumnPair {
  name: string;
}

/** Columns that the landing table has for itself. */
const OWN = new Set(['batch_id', 'ngdw_id']);

/**
 * Which columns travel, and how: every column of the source has one of the same name in the landing table. Throws
 * `ConfigurationError` naming the columns that do not fit, before anything is copied.
 */
export async function landingColumns(
  sourceDatabase: Database,
  sourceTable: string,
  targetDatabase: Database,
  targetTable: string,
  file: string,
): Promise<{ pairs: ColumnPair[]; format: 'binary' | 'text' }> {
  const source = await describe(sourceDatabase, sourceTable, file);
  const target = await describe(targetDatabase, targetTable, file);
  const problems: string[] = [];
  const pairs: { name: string; source: string; target: string }[] = [];
  const names = target.columns.map((column) => column.name);
  for (const column of source.columns) {
    const found = target.columns.find((candidate) => candidate.name === column.name);
    if (OWN.has(column.name))
      problems.push(`the source has a column ${column.name}, which the landing table keeps for itself`);
    else if (!found) {
      const near = nearest(
        column.name,
        names.filter((name) => !source.columns.some((other) => other.name === name)),
      );
      problems.push(`${targetTable} has no column ${column.name} (${column.type})${near ? `; is it ${near}?` : ''}`);
    } else if (!found.generated) pairs.push({ name: column.name, source: column.castType, target: found.castType });
  }
  for (const column of target.columns) {
    if (pairs.some((pair) => pair.name === column.name) || column.hasDefault || column.nullable || column.generated)
      continue;
    if (column.name !== 'batch_id')
      problems.push(`${targetTable}.${column.name} is NOT NULL without a default, and the source has no such column`);
  }
  if (!target.columns.some((column) => column.name === 'batch_id'))
    problems.push(`${targetTable} has no column batch_id`);
  if (problems.length > 0) {
    throw new ConfigurationError(`${sourceTable} does not fit ${targetTable}: ${problems.join('; ')}`, {
      where: file,
      next: `change ${targetTable}, or read a view of ${sourceTable} that has its columns`,
    });
  }
  return { pairs: pairs.map(({ name }) => ({ name })), format: agreesInBinary(pairs) ? 'binary' : 'text' };
}

async function describe(database: Database, table: string, file: string): Promise<TableFacts> {
  const facts = await database.dialect.describeTable(database, table);
  if (facts) return facts;
  throw new ConfigurationError(`${database.connection} has no table ${table}`, {
    where: file,
    next: 'create it, correct its name, or grant the role USAGE on its schema',
  });
}
