/** What `status`, `show` and the progress bar read: nothing here locks or changes anything. */
import type { Database } from '../database/dialect.ts';
import { part, raw, sql, type RawSql, type SqlPart } from '../database/sql.ts';
import type { Batch } from './batch.ts';
import { rejectedRows } from './bad-rows.ts';
import { batchColumns, batchOf } from './batch.ts';

/** The newest batch that this chain of workflow runs opened: what someone who follows it looks at. */
export async function findNewestOfRun(database: Database, firstRunId: string): Promise<Batch | undefined> {
  const { rows } = await database.query(sql`
    select ${batchColumns(database)} from ${database.ledger('batch')} where first_run_id = ${firstRunId}
    order by attempt desc limit 1`);
  return rows[0] && batchOf(rows[0]);
}

export interface StageReading {
  n: number;
  name: string;
  /** Null: not planned yet. */
  total: number | null;
  done: number;
  failed: number;
  rows: number;
  startedAt: Date | null;
  finishedAt: Date | null;
}

/** Every stage of a batch with its counts. */
export async function readStages(database: Database, batchId: string): Promise<StageReading[]> {
  const { rows } = await database.query<{
    n: number;
    name: string;
    total: number | null;
    done: string;
    failed: string;
    written: string;
    started_at: Date | null;
    finished_at: Date | null;
  }>(sql`
    select s.n, s.name, s.planned_chunks as total, sum(case when c.state = 'done' then 1 else 0 end) as done,
      sum(case when c.state = 'failed' then 1 else 0 end) as failed, coalesce(sum(c.row_count), 0) as written,
      coalesce(min(c.started_at), s.started_at) as started_at, max(c.finished_at) as finished_at
    from ${database.ledger('stage')} s left join ${database.ledger('chunk')} c on c.batch_id = s.batch_id and c.stage = s.n
    where s.batch_id = ${batchId} group by s.n, s.name, s.planned_chunks, s.started_at order by s.n`);
  return rows.map((row) => ({
    n: row.n,
    name: row.name,
    total: row.total,
    done: Number(row.done),
    failed: Number(row.failed),
    rows: Number(row.written),
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }));
}

/** The newest batch of each load, or of one load. */
export async function readLatest(database: Database, load?: string): Promise<Batch[]> {
  const { rows } = await database.query(sql`
    select ${batchColumns(database)} from ${database.ledger('batch')} b
    where batch_id = (select max(batch_id) from ${database.ledger('batch')} l where l.load_name = b.load_name)
      ${load === undefined ? raw('') : part`and load_name = ${load}`} order by load_name`);
  return rows.map(batchOf);
}

/** Snapshots that still stand though their batch is published: a crash before the drop, or somebody reads them. */
export async function readUndropped(database: Database): Promise<{ batchId: string; processing: string }[]> {
  const { rows } = await database.query<{ batch_id: string; processing_name: string }>(sql`
    select s.batch_id, s.processing_name from ${database.ledger('snapshot')} s
    join ${database.ledger('batch')} b on b.batch_id = s.batch_id
    where b.state = 'published' and s.dropped_at is null order by s.batch_id, s.table_name`);
  return rows.map((row) => ({ batchId: row.batch_id, processing: row.processing_name }));
}

export interface CheckReading {
  name: string;
  severity: string;
  expected: string;
  actual: string | null;
  passed: boolean;
}

export async function readChecks(database: Database, batchId: string): Promise<CheckReading[]> {
  const { rows } = await database.query<CheckReading>(sql`
    select name, severity, expected, actual, passed from ${database.ledger('check_result')}
    where batch_id = ${batchId} order by n`);
  return rows;
}

export interface ChunkReading {
  stage: number;
  n: number;
  state: string;
  attempts: number;
  range: { from: string | null; to: string | null };
  rows: number | null;
  worker: string | null;
  error: string | null;
  startedAt: Date | null;
  finishedAt: Date | null;
}

/** Chunks that failed, were tried more than once or are held up: what a person wants to see first. */
export const readTroubledChunks = (database: Database, batchId: string, most = 50): Promise<ChunkReading[]> =>
  readChunks(
    database,
    part`
    c.batch_id = ${batchId} and (c.attempts > 0 or c.error is not null or c.state = 'failed')
    order by (c.state = 'failed') desc, c.attempts desc, c.stage, c.n ${limit(most)}`,
  );

/** The chunks that took longest, of those that are done; last those whose start an earlier version did not keep. */
export const readSlowestChunks = (database: Database, batchId: string, most: number): Promise<ChunkReading[]> =>
  readChunks(
    database,
    part`
    c.batch_id = ${batchId} and c.state = 'done'
    order by case when c.started_at is null then 1 else 0 end,
      ${database.dialect.words.secondsBetween('c.started_at', 'c.finished_at')} desc, c.stage, c.n ${limit(most)}`,
  );

/** Every chunk of a stage in order, some thousand at a time: a task may have millions. */
export async function* readChunksInOrder(
  database: Database,
  { batchId, stage }: { batchId: string; stage: number },
): AsyncGenerator<ChunkReading[]> {
  for (let last = 0; ;) {
    const found = await readChunks(
      database,
      part`c.batch_id = ${batchId} and c.stage = ${stage} and c.n > ${last} order by c.n ${limit(CHUNKS_AT_A_TIME)}`,
    );
    if (found.length > 0) yield found;
    if (found.length < CHUNKS_AT_A_TIME) return;
    last = found.at(-1)!.n;
  }
}

/** About two megabytes. */
const CHUNKS_AT_A_TIME = 5000;

const limit = (most: number): RawSql => raw(`limit ${Math.floor(most)}`);

async function readChunks(database: Database, which: SqlPart): Promise<ChunkReading[]> {
  const { rows } = await database.query<{
    stage: number;
    n: number;
    state: string;
    attempts: number;
    range_from: string | null;
    range_to: string | null;
    row_count: string | null;
    worker: string | null;
    error: string | null;
    started_at: Date | null;
    finished_at: Date | null;
  }>(sql`
    select c.stage, c.n, c.state, c.attempts, c.range_from, c.range_to, c.row_count, c.worker, c.error, c.started_at,
      c.finished_at
    from ${database.ledger('chunk')} c where ${which}`);
  return rows.map((row) => ({
    stage: row.stage,
    n: row.n,
    state: row.state,
    attempts: row.attempts,
    range: { from: row.range_from, to: row.range_to },
    rows: row.row_count === null ? null : Number(row.row_count),
    worker: row.worker,
    error: row.error,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }));
}

/** How many rows of a batch were rejected so far. Asks only where no publish has counted them and there may be some. */
export async function readRejectedCount(
  database: Database,
  { batchId, rowsRejected, definition }: Batch,
): Promise<number> {
  if (rowsRejected !== null) return Number(rowsRejected);
  if (definition.onBadRow !== 'quarantine') return 0;
  const { rows } = await database.query<{ n: string }>(sql`select ${rejectedRows(database, batchId)} as n`);
  return Number(rows[0]!.n);
}

export interface RejectedReading {
  stage: number;
  chunk: number;
  key: string | null;
  error: string | null;
}

/** Rows that were set aside, the first of them, and how many there are. */
export async function readRejected(
  database: Database,
  batchId: string,
  most = 20,
): Promise<{ count: number; rows: RejectedReading[] }> {
  const { rows } = await database.query<{
    stage: number;
    chunk: number;
    row_key: string | null;
    error: string | null;
    n: string;
  }>(sql`
    select stage, chunk, row_key, error, count(*) over () as n from ${database.ledger('rejected_row')}
    where batch_id = ${batchId} order by stage, chunk, n limit ${raw(String(Math.floor(most)))}`);
  return {
    count: Number(rows[0]?.n ?? 0),
    rows: rows.map(({ stage, chunk, row_key: key, error }) => ({ stage, chunk, key, error })),
  };
}

export interface EventReading {
  what: string;
  requestedBy: string | null;
  reason: string | null;
  happenedAt: Date;
}

export async function readEvents(database: Database, batchId: string): Promise<EventReading[]> {
  const { rows } = await database.query<{
    what: string;
    requested_by: string | null;
    reason: string | null;
    happened_at: Date;
  }>(sql`
    select what, requested_by, reason, happened_at from ${database.ledger('event')}
    where batch_id = ${batchId} order by event_id`);
  return rows.map((row) => ({
    what: row.what,
    requestedBy: row.requested_by,
    reason: row.reason,
    happenedAt: row.happened_at,
  }));
}

export interface InputReading {
  batchId: string;
  load: string;
  via: string;
}

export async function readInputs(database: Database, batchId: string): Promise<InputReading[]> {
  const { rows } = await database.query<{ producer_batch_id: string; producer_load: string; via: string }>(sql`
    select producer_batch_id, producer_load, via from ${database.ledger('batch_input')}
    where batch_id = ${batchId} order by producer_batch_id`);
  return rows.map((row) => ({ batchId: row.producer_batch_id, load: row.producer_load, via: row.via }));
}

export interface StepReading {
  phase: string;
  n: number;
  state: string;
  attempts: number;
  error: string | null;
}

export async function readSteps(database: Database, batchId: string): Promise<StepReading[]> {
  const { rows } = await database.query<StepReading>(sql`
    select phase, n, state, attempts, error from ${database.ledger('step')}
    where batch_id = ${batchId} order by ${raw("phase <> 'before'")}, n`);
  return rows;
}
