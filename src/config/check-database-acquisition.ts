import type { SqlDialect } from '../sql/dialect.ts';
import { requireBatchId, requireColumn, requireTable } from './table-requirements.ts';
import type { TableCheck, TableDescription } from './table-requirements.ts';
import type { AcquisitionSource, LoadDefinition } from './definition.ts';

/** Columns of a landing table that Waybill fills itself. */
const LANDING_COLUMNS = ['batch_id', 'ngdw_id'];

/** An acquisition's source has its cursor; its landing table has room for every column of the source, and its own two. */
export async function checkAcquisitionTables(
  from: AcquisitionSource | undefined,
  { load, dialect, find, findQuery, planLanding, report }: TableCheck,
): Promise<void> {
  // Which columns files have is seen where they are.
  const source = from === undefined ? undefined : await findSource(from, find, findQuery);
  const name = from?.table ?? 'from.sql';
  if (source !== undefined && from?.cursor !== undefined) {
    requireColumn(source, name, from.cursor, ['from', 'cursor'], report);
  }
  if (source !== undefined && from?.range !== undefined) {
    requireColumn(source, name, from.range.column, ['from', 'range', 'column'], report);
  }
  const target = load.outputs[0]?.table ?? '';
  const landing = await find(load.connection, target, ['to', 'table']);
  // What is wrong with the source was said.
  const plan = source === undefined ? { notes: [] } : await planLanding(load);
  if ('refused' in plan) report(['to'], plan.refused, plan.next);
  else plan.notes.forEach((note) => report(['to'], note, undefined, 'warn'));
  if (landing === undefined) return;
  requireTable(landing, target, ['to', 'table'], report);
  requireBatchId(landing, target, ['to', 'table'], report);
  requireNumbering(landing, target, dialect, report);
  if (source !== undefined) requireSameColumns(source, name, landing, load, report);
}

function findSource(
  from: AcquisitionSource,
  find: TableCheck['find'],
  findQuery: TableCheck['findQuery'],
): Promise<TableDescription | undefined> {
  return from.sql ? findQuery() : find(from.connection, from.table!, ['from', 'table']);
}

function requireNumbering(
  landing: TableDescription,
  target: string,
  dialect: SqlDialect,
  report: TableCheck['report'],
): void {
  const column = landing.columns.find(({ name }) => name === 'ngdw_id');
  if (column?.hasDefault === true) return;
  const message =
    column === undefined
      ? `\`${target}\` has no column \`ngdw_id\``
      : `\`ngdw_id\` of \`${target}\` has no default: nothing would number the rows`;
  report(['to', 'table'], message, dialect.numberColumn(target, 'ngdw_id', column === undefined ? 'add' : 'alter'));
}

function requireSameColumns(
  source: TableDescription,
  from: string,
  landing: TableDescription,
  { outputs, landing: rule }: LoadDefinition,
  report: TableCheck['report'],
): void {
  const target = outputs[0]!.table;
  const isNew = (name: string): boolean => landing.columns.every((column) => column.name !== name);
  const writable = landing.columns.filter(({ generated }) => !generated).map(({ name }) => name);
  const lost = source.columns
    .map(({ name }) => name)
    .filter((name) => !writable.includes(name) && !(rule?.onNewColumns !== 'fail' && isNew(name)));
  if (lost.length > 0) {
    const message = `\`${target}\` has no column for ${list(lost)} of \`${from}\`: the values would be lost`;
    report(['to', 'table'], message, `Add the column to \`${target}\`.`);
  }
  const arriving = new Set([...LANDING_COLUMNS, ...source.columns.map(({ name }) => name)]);
  const empty = landing.columns.filter((column) => !column.nullable && !column.hasDefault && !column.generated);
  const unfilled = empty.map(({ name }) => name).filter((name) => !arriving.has(name));
  if (unfilled.length === 0) return;
  const message = `nothing fills ${list(unfilled)} of \`${target}\`: it is not null, has no default and is not in \`${from}\``;
  report(['to', 'table'], message, 'Give it a default, or allow null.');
}

function list(names: string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
