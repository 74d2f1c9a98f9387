import type { SqlDialect } from '../sql/dialect.ts';
import { nothingCuts, nothingHalves } from './check-halves.ts';
import { requireBatchId, requireColumn, requireTable, requireTakeBack } from './table-requirements.ts';
import type { TableCheck, TableDescription } from './table-requirements.ts';
import type { AcquisitionSource } from './definition.ts';

/** An acquisition's source has its cursor; its landing table has its own two columns, and takes those of the source. */
export async function checkAcquisitionTables(from: AcquisitionSource | undefined, check: TableCheck): Promise<void> {
  const { load, dialect, find, findQuery, planLanding, report, says } = check;
  // Which columns files have is seen where they are.
  const source = from === undefined ? undefined : await findSource(from, find, findQuery);
  const name = from?.table ?? 'from.sql';
  if (source !== undefined && from?.cursor !== undefined) {
    requireColumn(source, name, from.cursor, ['from', 'cursor'], report);
    const type = source.columns.find((column) => column.name === from.cursor)?.type;
    if (from.lagMs !== undefined && type !== undefined && !/^(?:date|time)/.test(type)) {
      const message = `\`lag\` means nothing for a cursor that is no time (${type}): windows of numbers end behind the greatest`;
      report(['from', 'lag'], message, 'Leave it out.');
    }
  }
  if (source !== undefined && from?.range !== undefined) {
    requireColumn(source, name, from.range.column, ['from', 'range', 'column'], report);
  }
  const unhalved = source && nothingHalves(load, source);
  if (unhalved) report(['on_bad_row'], unhalved.message, unhalved.next);
  if (source !== undefined && says('chunk_rows') && nothingCuts(load, source)) {
    const message = `\`chunk_rows\` does nothing: \`${name}\` has no primary key and no unique index without NULLs, and is one chunk`;
    report(
      ['chunk_rows'],
      message,
      'Give it one, name `cursor` or `range` in `from`, or leave `chunk_rows` out.',
      'warn',
    );
  }
  const target = load.outputs[0]?.table ?? '';
  const landing = await find(load.connection, target, ['to', 'table']);
  if (landing !== undefined) {
    const sound = [
      requireTable(landing, target, ['to', 'table'], report),
      requireBatchId(landing, target, ['to', 'table'], report),
      requireNumbering(landing, target, dialect, report),
      await requireTakeBack(check, target, ['to', 'table']),
    ];
    if (sound.includes(false)) return;
  }
  if (source === undefined) return;
  const plan = await planLanding(load);
  if ('refused' in plan) report(['to'], plan.refused, plan.next);
  else plan.notes.forEach((note) => report(['to'], note, undefined, 'warn'));
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
): boolean {
  const column = landing.columns.find(({ name }) => name === 'ngdw_id');
  if (column?.hasDefault === true) return true;
  const message =
    column === undefined
      ? `\`${target}\` has no column \`ngdw_id\``
      : `\`ngdw_id\` of \`${target}\` has no default: nothing would number the rows`;
  report(['to', 'table'], message, dialect.numberColumn(target, 'ngdw_id', column === undefined ? 'add' : 'alter'));
  return false;
}
