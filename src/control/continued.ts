/**
 * Batches that go on with one another: a task without outputs takes nothing back when it fails, and the next batch does what
 * is left. `reprocess_of` leads from each to the one before.
 */
import type { ChunkMethod, Database, Session } from '../database/dialect.ts';
import { part, sql, type SqlPart } from '../database/sql.ts';
import { markPlanned, type StageKey } from './plan.ts';

type Reader = Pick<Session, 'query'>;

/** A batch and all that it goes on with, as the table `earlier`. */
export const earlierBatches = (database: Database, newest: string): SqlPart => part`
  with recursive earlier (batch_id) as (
    select b.batch_id from ${database.ledger('batch')} b where b.batch_id = ${newest}
    union all
    select b.reprocess_of from ${database.ledger('batch')} b join earlier e on e.batch_id = b.batch_id
    where b.reprocess_of is not null)`;

/** What batches have left undone of a stage. */
export interface LeftUndone {
  /** The one that had planned it last. */
  batchId: string;
  method: ChunkMethod;
  chunks: number;
  /** As `noted`. */
  plannedWith: string | null;
}

/**
 * A chunk `c` that is to be done again: of a range one value alone is set aside, and nothing was written of it. The value may be mended
 * since, and is otherwise among those that the next batch counts.
 */
const undone = (database: Database): SqlPart => part`(c.state <> 'done' or exists (
    select 1 from ${database.ledger('rejected_row')} r
    where r.batch_id = c.batch_id and r.stage = c.stage and r.chunk = c.n))`;

/** Undefined: none of them had come to this stage. `newest`: the batch that is gone on with. */
export async function leftUndone(
  reader: Reader,
  database: Database,
  newest: string,
  stage: number,
): Promise<LeftUndone | undefined> {
  const { rows } = await reader.query<{
    batch_id: string;
    method: ChunkMethod;
    planned_with: string | null;
    chunks: string;
  }>(sql`
    ${earlierBatches(database, newest)}
    select s.batch_id, s.method, s.planned_with, (
        select count(*) from ${database.ledger('chunk')} c
        where c.batch_id = s.batch_id and c.stage = s.n and ${undone(database)}) as chunks
    from ${database.ledger('stage')} s join earlier e on e.batch_id = s.batch_id
    where s.n = ${stage} and s.planned_chunks is not null order by s.batch_id desc limit 1`);
  const row = rows[0];
  return (
    row && {
      batchId: row.batch_id,
      method: row.method,
      chunks: Number(row.chunks),
      plannedWith: row.planned_with,
    }
  );
}

/** Plans a stage with the chunks that another batch has left undone; each keeps its number. False: it had been planned. */
export async function takeUndone(
  session: Session,
  database: Database,
  at: StageKey,
  { batchId: from, method, chunks, plannedWith }: LeftUndone,
): Promise<boolean> {
  if (!(await markPlanned(session, database, at, method, chunks, plannedWith))) return false;
  await session.query(sql`
    insert into ${database.ledger('chunk')} (batch_id, stage, n, range_from, range_to)
    select b.batch_id, c.stage, c.n, c.range_from, c.range_to
    from ${database.ledger('chunk')} c join ${database.ledger('batch')} b on b.batch_id = ${at.batchId}
    where c.batch_id = ${from} and c.stage = ${at.stage} and ${undone(database)}`);
  return true;
}

/** Steps `before` that are done are not done again. */
export async function takeStepsDone(
  session: Session,
  database: Database,
  batchId: string,
  from: string,
): Promise<void> {
  await session.query(sql`
    insert into ${database.ledger('step')} (batch_id, phase, n, state, attempts, row_count, started_at, finished_at)
    select b.batch_id, s.phase, s.n, s.state, s.attempts, s.row_count, s.started_at, s.finished_at
    from ${database.ledger('step')} s join ${database.ledger('batch')} b on b.batch_id = ${batchId}
    where s.batch_id = ${from} and s.phase = 'before' and s.state = 'done'`);
}

/** What these batches have done, and what stays of it. */
export interface DoneBefore {
  /** Oldest first. */
  batches: string[];
  chunks: number;
  rows: number;
  /** Steps. */
  before: number;
}

/** `newest`: the batch that is, or would be, gone on with. */
export async function doneBefore(reader: Reader, database: Database, newest: string): Promise<DoneBefore> {
  const { rows } = await reader.query<{ batch_id: string; chunks: string; written: string; steps: string }>(sql`
    ${earlierBatches(database, newest)}
    select e.batch_id,
      (select count(*) from ${database.ledger('chunk')} c where c.batch_id = e.batch_id and not ${undone(database)}) as chunks,
      (select coalesce(sum(c.row_count), 0) from ${database.ledger('chunk')} c
       where c.batch_id = e.batch_id and not ${undone(database)}) as written,
      (select count(*) from ${database.ledger('step')} s
       where s.batch_id = e.batch_id and s.phase = 'before' and s.state = 'done') as steps
    from earlier e order by e.batch_id`);
  const sum = (of: (row: (typeof rows)[number]) => string): number => rows.reduce((n, row) => n + Number(of(row)), 0);
  return {
    batches: rows.map((row) => row.batch_id),
    chunks: sum((row) => row.chunks),
    rows: sum((row) => row.written),
    before: Number(rows.at(-1)?.steps ?? 0),
  };
}
