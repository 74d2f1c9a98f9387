/** How a stage's chunks come into the ledger: all in one transaction, once. */
import type { ChunkMethod, ChunkRange, Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { noted, type PlannedWith } from './planned-with.ts';

export interface StageKey {
  batchId: string;
  stage: number;
}

/** They may be made as they are asked for, so that millions take no memory. */
export type PlannedRanges = Iterable<ChunkRange> & { readonly length: number };

/** Chunks a statement: 5 values each, far under the protocol's 65,535. */
const CHUNKS_A_STATEMENT = 2_000;

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
  let some: ChunkRange[] = [];
  let n = 0;
  for (const range of ranges) {
    some.push(range);
    n += 1;
    if (some.length < CHUNKS_A_STATEMENT && n < ranges.length) continue;
    await insertChunks(session, database, at, n - some.length + 1, some);
    some = [];
  }
  return true;
}

async function insertChunks(
  session: Session,
  database: Database,
  { batchId, stage }: StageKey,
  first: number,
  ranges: ChunkRange[],
): Promise<void> {
  const strings = [`insert into ${database.ledger('chunk').text} (batch_id, stage, n, range_from, range_to) values (`];
  const values: unknown[] = [];
  ranges.forEach((range, i) => {
    values.push(batchId, stage, first + i, range.from, range.to);
    strings.push(', ', ', ', ', ', ', ', i === ranges.length - 1 ? ')' : '), (');
  });
  await session.query({ strings, values });
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
