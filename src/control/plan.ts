/** How a stage's chunks come into the ledger: all in one transaction, once. */
import type { ChunkMethod, ChunkRange, Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { insertMany } from './insert-many.ts';
import { noted, type PlannedWith } from './planned-with.ts';

export interface StageKey {
  batchId: string;
  stage: number;
}

/** They may be made as they are asked for, so that millions take no memory. */
export type PlannedRanges = Iterable<ChunkRange> & { readonly length: number };

/** Writes a stage's chunks, once: false if they have been written already. Within the caller's transaction. */
export async function writePlan(
  session: Session,
  database: Database,
  at: StageKey,
  method: ChunkMethod,
  ranges: PlannedRanges,
  plannedWith?: PlannedWith,
): Promise<boolean> {
  const noting = plannedWith && noted(plannedWith);
  if (!(await markPlanned(session, database, at, method, ranges.length, noting))) return false;
  await insertMany(session, database.ledger('chunk'), CHUNK, rowsOf(at, ranges));
  return true;
}

const CHUNK = ['batch_id', 'stage', 'n', 'range_from', 'range_to'];

function* rowsOf({ batchId, stage }: StageKey, ranges: PlannedRanges): Generator<unknown[]> {
  let n = 0;
  for (const { from, to } of ranges) yield [batchId, stage, ++n, from, to];
}

/** From now on the stage has so many chunks; false: it had been planned. `plannedWith`: as `noted`. */
export async function markPlanned(
  session: Session,
  database: Database,
  { batchId, stage }: StageKey,
  method: ChunkMethod,
  chunks: number,
  plannedWith: string | null = null,
): Promise<boolean> {
  const { now } = database.dialect.words;
  const { rowCount } = await session.query(sql`
    update ${database.ledger('stage')}
    set planned_chunks = ${chunks}, method = ${method}, planned_with = ${plannedWith}, started_at = ${now},
        finished_at = case when ${chunks === 0} then ${now} end
    where batch_id = ${batchId} and n = ${stage} and planned_chunks is null`);
  return rowCount > 0;
}
