/** What a stage was planned with. Its lanes take that, and never look anew: bounds of one key are none of another. */
import type { ChunkMethod, ColumnFacts, Database } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { WaybillError } from '../errors.ts';
import type { StageKey } from './plan.ts';

export interface PlannedWith {
  /** The columns that its ranges are of; empty: nothing cuts it, or pages do. */
  key: ColumnFacts[];
  /** What an acquisition reads. */
  source?: PlannedSource;
  /** The columns of its landing table that it fills. Batches that an earlier version has planned lack them. */
  target?: ColumnFacts[];
}

interface PlannedSource {
  /** All columns, in their order. */
  columns: ColumnFacts[];
  /** Names of those that are copied. */
  copied: string[];
}

interface PlannedStage extends PlannedWith {
  method: ChunkMethod;
}

/** As the ledger has it. */
export const noted = (plannedWith: PlannedWith): string => JSON.stringify(plannedWith);

/** Of a stage that is planned. */
export async function plannedStage(database: Database, { batchId, stage }: StageKey): Promise<PlannedStage> {
  const { rows } = await database.query<{ method: ChunkMethod; planned_with: string | null }>(sql`
    select method, planned_with from ${database.ledger('stage')} where batch_id = ${batchId} and n = ${stage}`);
  const { method, planned_with: kept } = rows[0]!;
  if (kept !== null) return { method, ...(JSON.parse(kept) as PlannedWith) };
  if (method !== 'key') return { method, key: [] };
  throw plannedOtherwise();
}

/** Of a stage of an acquisition. */
export async function plannedAcquisition(
  database: Database,
  at: StageKey,
): Promise<PlannedStage & { source: PlannedSource }> {
  const { source, ...planned } = await plannedStage(database, at);
  if (source === undefined) throw plannedOtherwise();
  return { ...planned, source };
}

const plannedOtherwise = (): WaybillError =>
  new WaybillError('another version of Waybill has planned this batch, and did not keep with what', {
    next: 'start the load again',
  });

/** What columns have become, in words: gone, of another type or, of the `key`, in another order. Undefined: they are the same. */
export function changeOf(
  was: readonly ColumnFacts[],
  now: readonly ColumnFacts[],
  key: ReadonlySet<string>,
): string | undefined {
  const changes = was.flatMap((column) => {
    const found = now.find(({ name }) => name === column.name);
    const [before, after] = [column, found].map((facts) => facts && wordsOf(facts, key.has(facts.name)));
    if (before === after) return [];
    const by = key.has(column.name) ? ', by which its chunks were cut,' : '';
    return [`${column.name}${by} was ${before} and is ${after ?? 'gone'}`];
  });
  return changes.length > 0 ? changes.join('; ') : undefined;
}

/** All of a type that makes other values, or other words, of what is stored. */
function wordsOf({ type, base, locale, generated, collation }: ColumnFacts, isKey: boolean): string {
  return [
    type,
    ...(base ? [`(${base.type})`] : []),
    ...(locale === undefined ? [] : [`of ${locale}`]),
    ...(generated ? ['generated'] : []),
    ...(isKey && collation !== undefined ? [`collate ${collation}`] : []),
  ].join(' ');
}

/** The same of all that a batch reads. `isIgnored`: a column that has come since changes nothing. */
export function sourceChange(
  { key, source }: { key: readonly ColumnFacts[]; source: PlannedSource },
  now: readonly ColumnFacts[],
  isIgnored: (column: ColumnFacts) => boolean,
): string | undefined {
  const was = source.columns;
  const change = changeOf(was, now, new Set(key.map(({ name }) => name)));
  const come = now.filter((column) => !was.some(({ name }) => name === column.name) && !isIgnored(column));
  const changes = [
    ...(change === undefined ? [] : [change]),
    ...come.map(({ name, type }) => `${name}, ${type}, has come`),
  ];
  return changes.length > 0 ? changes.join('; ') : orderOf(was, now);
}

/** Whether columns that are all there stand in another order, in words: two that have each other's name do. */
export function orderOf(was: readonly ColumnFacts[], now: readonly ColumnFacts[]): string | undefined {
  const known = now.filter(({ name }) => was.some((column) => column.name === name));
  const [before, after] = [was, known].map((columns) => columns.map(({ name }) => name).join(', '));
  return before === after ? undefined : `its columns were ${before} and are ${after}, in this order`;
}
