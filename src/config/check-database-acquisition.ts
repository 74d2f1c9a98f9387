import { nothingCuts, nothingHalves } from './check-halves.ts';
import { notNumbered } from './check-numbering.ts';
import { requireBatchId, requireColumn, requireTable, requireTakeBack } from './table-requirements.ts';
import type { TableCheck, TableDescription } from './table-requirements.ts';
import type { AcquisitionSource } from './definition.ts';

/** An acquisition's source has its cursor; its landing table has its own two columns, and takes those of the source. */
export async function checkAcquisitionTables(from: AcquisitionSource | undefined, check: TableCheck): Promise<void> {
  const { load, dialectOf, find, findQuery, notOfOneMoment, planLanding, cursorRefusals, rangeRefusal, report, says } =
    check;
  // Which columns files have is seen where they are.
  const source = from === undefined ? undefined : await findSource(from, find, findQuery);
  const name = from?.table ?? 'from.sql';
  if (source !== undefined && from?.cursor !== undefined) {
    const dialect = dialectOf(from.connection);
    const isThere = requireColumn(source, name, from.cursor, ['from', 'cursor'], { dialect, report });
    const unfit = isThere ? await cursorRefusals(load) : [];
    for (const { key, message, next } of unfit) report(['from', key], message, next);
  }
  if (source !== undefined && from?.range !== undefined) {
    const at = ['from', 'range', 'column'];
    const dialect = dialectOf(from.connection);
    const isThere = requireColumn(source, name, from.range.column, at, { dialect, report });
    const unfit = isThere ? await rangeRefusal(load) : undefined;
    if (unfit) report(at, unfit.message, unfit.next);
  }
  const unsteady = source && (await notOfOneMoment(load));
  if (unsteady) report(['from', 'consistent'], unsteady.message, unsteady.next);
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
      requireBatchId(landing, target, ['to', 'table'], check),
      requireNumbering(landing, target, check),
      await requireTakeBack(check, target, ['to', 'table']),
    ];
    if (sound.includes(false)) return;
  }
  if (from !== undefined && source === undefined) return;
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
  { dialect, report }: Pick<TableCheck, 'dialect' | 'report'>,
): boolean {
  const why = notNumbered(landing, target, dialect);
  if (why) report(['to', 'table'], why.message, why.next);
  return why === undefined;
}
