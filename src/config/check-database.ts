import type { SqlDialect } from '../sql/dialect.ts';
import { nearest } from '../sql/names.ts';
import { checkAcquisitionTables } from './check-database-acquisition.ts';
import type { LoadedProject } from './load-project.ts';
import { didYouMean, problemAt } from './parsed-load.ts';
import { noRowKey, rowKey } from '../sql/row-key.ts';
import { sortProblems } from './problem.ts';
import type { Problem } from './problem.ts';
import { sqlDialectOf } from './sql-dialect.ts';
import { requireBatchId, requireColumn, requireTable, requireTakeBack } from './table-requirements.ts';
import type { TableCheck, TableLookup } from './table-requirements.ts';

export type { TableDescription, TableLookup } from './table-requirements.ts';

/**
 * Checks tables and columns of a project against its databases: those of inputs, reads and outputs, `chunk.key`, `range.of`,
 * source table and cursor. It reads catalogs only. Answers problems in reading order; errors of `describe` (unreachable, not
 * permitted) pass through. Whether the SQL itself is right, the server says when it prepares it.
 */
export async function checkAgainstDatabase(
  project: LoadedProject,
  { describe, misleading, describeQuery, listTables, ...lookup }: TableLookup,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const load of Object.values(project.loads)) {
    const report: TableCheck['report'] = (at, message, next, severity = 'error') => {
      problems.push(problemAt(project.placeInLoad(load.name, at), message, next, severity));
    };
    const find: TableCheck['find'] = async (connection, table, at) => {
      const another = await misleading(load, connection, table);
      if (another !== undefined) {
        report(at, another.message, another.next);
        return undefined;
      }
      const found = await describe(connection, table);
      if (found !== undefined || madeByStart(project, connection, table)) return found;
      const close = nearest(table, await listTables(connection));
      report(
        at,
        `there is no table \`${table}\` in \`${connection}\`${didYouMean(close)}`,
        'Create it, or correct the name.',
      );
      return undefined;
    };
    const dialectOf = (connection: string): SqlDialect => sqlDialectOf(project.connections, connection);
    const dialect = dialectOf(load.connection);
    const findQuery: TableCheck['findQuery'] = async () => {
      const found = await describeQuery(load);
      if ('columns' in found) return found;
      problems.push(found);
      return undefined;
    };
    const says = (key: string): boolean => project.saysInLoad(load.name, key);
    const check = { ...lookup, load, dialect, dialectOf, find, findQuery, report, says };
    for (const { at, message, next } of await check.settingsRefusals(load)) report(at, message, next);
    if (load.kind === 'acquisition') await checkAcquisitionTables(load.from, check);
    else await checkTransformTables(check);
  }
  return sortProblems(problems);
}

/** Whether it is the landing table of an acquisition that makes it. */
function madeByStart({ loads }: LoadedProject, connection: string, table: string): boolean {
  return Object.values(loads).some(
    (load) =>
      load.landing?.create === true && load.connection === connection && load.outputs.some((o) => o.table === table),
  );
}

async function checkTransformTables(check: TableCheck): Promise<void> {
  const { load, dialect, find, report, cutsByPages, noSnapshot } = check;
  for (const [index, { table }] of load.inputs.entries()) {
    const found = await find(load.connection, table, ['inputs', index]);
    if (found === undefined) continue;
    for (const { reason, next } of await noSnapshot(load, table)) {
      report(['inputs', index], `the snapshot cannot be taken: ${table}: ${reason}`, next);
    }
  }
  for (const [index, table] of load.reads.entries()) await find(load.connection, table, ['reads', index]);
  for (const [index, { table }] of load.outputs.entries()) {
    const at = ['outputs', index];
    const found = await find(load.connection, table, at);
    if (found === undefined) continue;
    if (found.kind !== 'partitioned table' && !requireTable(found, table, at, report)) continue;
    requireBatchId(found, table, at, check);
    await requireTakeBack(check, table, at);
    if (found.indexes.some(({ columns: [first] }) => first !== undefined && dialect.foldColumn(first) === 'batch_id'))
      continue;
    const next = `create index ${table.replace(/\W+/g, '_')}_batch on ${table} (batch_id);`;
    report(at, `no index of \`${table}\` begins with \`batch_id\`: a roll back reads the whole table`, next, 'warn');
  }
  if (load.range !== undefined && 'table' in load.range.over) {
    const { table, column } = load.range.over;
    const found = await find(load.connection, table, ['range', 'of']);
    if (found !== undefined && requireColumn(found, table, column, ['range', 'of'], check)) {
      const unfit = await check.rangeRefusal(load);
      if (unfit) report(['range', 'of'], unfit.message, unfit.next);
    }
  }
  for (const [index, { chunk }] of load.stages.entries()) {
    if (chunk === undefined) continue;
    const frozen = load.inputs.some(({ table }) => table === chunk.input);
    if (chunk.key === undefined && frozen && cutsByPages(load.connection)) continue;
    // That the table itself is there has been asked where it is declared.
    const found = await find(load.connection, chunk.input, ['stages', index, 'chunk', 'input']);
    if (found === undefined) continue;
    const at = ['stages', index, 'chunk', 'key'];
    const key = chunk.key?.filter((column) => requireColumn(found, chunk.input, column, at, check));
    const unfit = key && (await check.keyRefusal(load.connection, chunk.input, key));
    if (unfit) report(at, unfit.message, unfit.next);
    if (chunk.key !== undefined || rowKey(found) !== undefined) continue;
    const { message, next } = noRowKey(chunk.input);
    report(['stages', index, 'chunk'], message, next);
  }
}
