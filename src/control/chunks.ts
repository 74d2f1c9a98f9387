/** The tables `stage` and `chunk`: the ledger of what is done. */
import type { ChunkMethod, ChunkRange, Database, Dialect, QueryResult, Session } from '../database/dialect.ts';
import { composed, list, part, raw, repeated, SAVEPOINT, sql, SqlPart, type SqlStatement } from '../database/sql.ts';
import type { BatchState } from '../workflows/messages.ts';

export interface Chunk {
  n: number;
  range: ChunkRange;
  /** Those before this one. */
  attempts: number;
  /** This one stands in the ledger already: `countAttempt`. */
  counted?: true;
}

export interface StageCounts {
  planned: number | null;
  pending: number;
  done: number;
  failed: number;
  rows: number;
}

/** What a lane finds when it comes for a chunk. */
export interface Claim {
  /** The batch's; undefined: there is no such batch. */
  state: BatchState | undefined;
  /** The lane was asked to stop. */
  stop: boolean;
  /** In their order; none: nothing to claim now. */
  chunks: Chunk[];
}

/** Who comes for chunks, and for how many at most. `lowWater`: chunks below are known to be done. */
interface Claimant {
  batchId: string;
  stage: number;
  lane: number;
  lowWater: number;
  most: number;
  /** This chunk and no other, whether its time has come or not. */
  only?: number;
}

/**
 * Begins a transaction for chunks: gate, state, stop flag, claim and savepoint, in one round trip where the server can. Claimed are
 * the lowest pending chunks that nobody holds, by row locks that end with the connection; they mean nothing unless the state
 * is `running`.
 */
export async function claimChunks(
  session: Session,
  database: Database,
  at: Claimant,
  options: { relaxed: boolean },
): Promise<Claim> {
  return claimOf(await session.pipeline(claiming(database, at, options)));
}

/**
 * Without `lowWater` a claim walks over every dead index entry when an old snapshot elsewhere stops vacuum (17 ms a claim seen,
 * FACTS).
 */
function claiming(database: Database, at: Claimant, options: { relaxed: boolean }): SqlStatement[] {
  const { dialect } = database;
  const stop = part`, coalesce((
    select stop_asked from ${database.ledger('lane')}
    where batch_id = ${at.batchId} and stage = ${at.stage} and n = ${at.lane}), false) as stop`;
  return [
    ...dialect.begin(options),
    ...dialect.gate(database, at.batchId, 'shared', stop),
    repeated(
      'claim',
      sql`select n, range_from, range_to, attempts from ${database.ledger('chunk')}
          where batch_id = ${at.batchId} and stage = ${at.stage} and state = 'pending'
            and ${at.only === undefined ? part`n >= ${at.lowWater} and not_before <= ${dialect.words.now}` : part`n = ${at.only}`}
          order by n limit ${raw(String(at.most))} for update skip locked`,
    ),
    SAVEPOINT,
  ];
}

function claimOf(answers: QueryResult<Record<string, unknown>>[]): Claim {
  const [gate, claim] = answers.slice(-3).map(({ rows }) => rows);
  const entered = gate?.[0] as { state: BatchState; stop: unknown } | undefined;
  const claimed = claim as unknown as ChunkRow[];
  return {
    state: entered?.state,
    stop: Boolean(Number(entered?.stop)), // a truth value is a number to some
    chunks: claimed.map(({ n, range_from: from, range_to: to, attempts }) => ({ n, range: { from, to }, attempts })),
  };
}

interface ChunkRow {
  n: number;
  range_from: string | null;
  range_to: string | null;
  attempts: number;
}

/** What the ledger says of a chunk that is done. */
export interface DoneChunk {
  n: number;
  /** Those that failed. */
  attempts: number;
  rows: number;
  /** Or a query for it. */
  rowsRead: number | SqlPart | null;
  worker: string;
  startedAt: Date;
  finishedAt: Date;
}

/**
 * Ends the transaction of these chunks: done and committed, and the next ones claimed where `ahead` is given. `holds`: what must be
 * true at its end, asked once, for it can cost more than a small chunk. Undefined: nothing was committed, because one of them was
 * not pending or something of `holds` is not true.
 */
export async function completeChunks(
  session: Session,
  database: Database,
  at: { batchId: string; stage: number },
  { chunks, holds }: { chunks: readonly DoneChunk[]; holds: readonly SqlPart[] },
  ahead: Claimant | undefined,
): Promise<{ claim: Claim | undefined } | undefined> {
  const proof = holds.reduce((all, condition) => part`${all} and ${condition}`, part``);
  const groups = inPowersOfTwo(chunks);
  const done = groups.map((group, i) => ({
    statement: part`${marking(database, at, group)} ${i === groups.length - 1 ? proof : part``}`,
    rows: group.length,
  }));
  const answers = await session.commitAfter(done, ahead ? claiming(database, ahead, { relaxed: true }) : []);
  return answers && { claim: ahead && claimOf(answers) };
}

/** One statement, whose text is the same for as many chunks. */
function marking(database: Database, at: { batchId: string; stage: number }, chunks: readonly DoneChunk[]): SqlPart {
  const { dialect } = database;
  const typed = (value: unknown, sort: Parameters<Dialect['castOf']>[0]): SqlPart =>
    value instanceof SqlPart ? value : composed(dialect.sql, (bind) => bind(value, dialect.castOf(sort)));
  const each = (sort: Parameters<Dialect['castOf']>[0], valueOf: (chunk: DoneChunk) => unknown): SqlPart =>
    chunks.reduce((cases, chunk) => part`${cases} when ${chunk.n} then ${typed(valueOf(chunk), sort)}`, part`case n`);
  return part`
    update ${database.ledger('chunk')}
    set state = 'done', row_count = ${each('integer', ({ rows }) => rows)} end,
        rows_read = ${each('integer', ({ rowsRead }) => rowsRead)} end, worker = ${chunks[0]!.worker},
        started_at = ${each('time', ({ startedAt }) => startedAt)} end,
        finished_at = ${each('time', ({ finishedAt }) => finishedAt)} end,
        attempts = ${each('integer', ({ attempts }) => attempts)} end, error = null
    where batch_id = ${at.batchId} and stage = ${at.stage} and n in ${list(chunks.map(({ n }) => n))} and state = 'pending'`;
}

/** 13 of them as 8, 4 and 1: so that sessions have few texts to prepare. */
function inPowersOfTwo<T>(all: readonly T[]): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < all.length; at += groups.at(-1)!.length) {
    groups.push(all.slice(at, at + 2 ** Math.floor(Math.log2(all.length - at))));
  }
  return groups;
}

/** Counts so many attempts (1), or takes some back; `failed` ends the chunk, else it may be tried again after `waitSeconds`. */
export async function markAttempt(
  session: Session,
  database: Database,
  at: { batchId: string; stage: number; n: number },
  facts: { error: string | null; waitSeconds: number; failed: boolean; worker: string; counts?: number },
): Promise<void> {
  await session.query(sql`
    update ${database.ledger('chunk')}
    set attempts = attempts + ${raw(String(facts.counts ?? 1))}, error = ${facts.error}, worker = ${facts.worker},
        not_before = ${database.dialect.words.secondsFromNow(facts.waitSeconds)},
        state = case when ${facts.failed} then 'failed' else state end
    where batch_id = ${at.batchId} and stage = ${at.stage} and n = ${at.n} and state = 'pending'`);
}

/** Locks a chunk anew that another lane may have had meanwhile; false: it is not pending any more, or was cut in two. */
export async function lockAgain(
  session: Session,
  database: Database,
  at: { batchId: string; stage: number },
  { n, range }: Chunk,
): Promise<boolean> {
  const { rows } = await session.query<ChunkRow>(sql`
    select range_from, range_to from ${database.ledger('chunk')}
    where batch_id = ${at.batchId} and stage = ${at.stage} and n = ${n} and state = 'pending' for update`);
  return rows.some(({ range_from: from, range_to: to }) => isSame(range, { from, to }));
}

const isSame = (a: ChunkRange, b: ChunkRange): boolean => a.from === b.from && a.to === b.to;

/** For so long a chunk whose attempt was counted is kept for the lane that is about to begin it. */
const KEPT_SECONDS = 5;

/**
 * Counts an attempt at a claimed chunk before it is made, commits that, and claims the chunk again. An attempt that ends well or
 * fails takes it back; what is left is the attempts that nobody came back from. Undefined: the chunk is not to be had any more,
 * or not as it was.
 */
export async function countAttempt(
  session: Session,
  database: Database,
  at: Claimant,
  chunk: Chunk,
  facts: { error: string; worker: string },
): Promise<Chunk | undefined> {
  await markAttempt(session, database, { ...at, n: chunk.n }, { ...facts, waitSeconds: KEPT_SECONDS, failed: false });
  await session.commit();
  const { state, chunks } = await claimChunks(session, database, { ...at, only: chunk.n }, { relaxed: true });
  // Cut in two by another lane, it has lost the attempt that was counted.
  const kept = chunks.some(({ range }) => isSame(range, chunk.range));
  return state === 'running' && kept ? { ...chunk, counted: true } : undefined;
}

/** What the ledger says of a stage. */
export async function countChunks(
  reader: Pick<Session, 'query'>,
  database: Database,
  at: { batchId: string; stage: number },
): Promise<StageCounts> {
  const { rows } = await reader.query<{
    planned: number | null;
    pending: string;
    done: string;
    failed: string;
    n: string;
  }>(
    sql`
    select s.planned_chunks as planned, sum(case when c.state = 'pending' then 1 else 0 end) as pending,
      sum(case when c.state = 'done' then 1 else 0 end) as done, sum(case when c.state = 'failed' then 1 else 0 end) as failed,
      coalesce(sum(c.row_count), 0) as n
    from ${database.ledger('stage')} s left join ${database.ledger('chunk')} c on c.batch_id = s.batch_id and c.stage = s.n
    where s.batch_id = ${at.batchId} and s.n = ${at.stage} group by s.planned_chunks`,
  );
  const row = rows[0];
  return {
    planned: row?.planned ?? null,
    pending: Number(row?.pending ?? 0),
    done: Number(row?.done ?? 0),
    failed: Number(row?.failed ?? 0),
    rows: Number(row?.n ?? 0),
  };
}

/** The lowest pending chunk, undefined when none is: what a lane polls, and its next low water. */
export async function lowestPending(
  session: Session,
  database: Database,
  at: { batchId: string; stage: number; lowWater: number },
): Promise<number | undefined> {
  const { rows } = await session.query<{ n: number | null }>(sql`
    select min(n) as n from ${database.ledger('chunk')}
    where batch_id = ${at.batchId} and stage = ${at.stage} and state = 'pending' and n >= ${at.lowWater}`);
  return rows[0]?.n ?? undefined;
}

/** Stages cut by pages of which some chunks are done and some are not, by number. */
export async function halfDoneByPages(
  reader: Pick<Session, 'query'>,
  database: Database,
  batchId: string,
): Promise<number[]> {
  const { rows } = await reader.query<{ n: number }>(sql`
    select s.n from ${database.ledger('stage')} s
    join ${database.ledger('chunk')} c on c.batch_id = s.batch_id and c.stage = s.n
    where s.batch_id = ${batchId} and s.method = 'pages' group by s.n
    having sum(case when c.state = 'done' then 1 else 0 end) between 1 and count(*) - 1 order by s.n`);
  return rows.map(({ n }) => n);
}

/** Whether any chunk of a batch is done: then rows may have been written, whatever its statements counted (`call`). */
export async function hasDone(database: Database, batchId: string): Promise<boolean> {
  const { rows } = await database.query(sql`
    select 1 as found from ${database.ledger('chunk')} where batch_id = ${batchId} and state = 'done' limit 1`);
  return rows.length > 0;
}

/** Rows that the statements of these batches' chunks wrote, into whichever table, as far as they counted them. */
export async function rowsWritten(database: Database, batchIds: readonly string[]): Promise<number> {
  const { rows } = await database.query<{ n: string }>(sql`
    select coalesce(sum(row_count), 0) as n from ${database.ledger('chunk')} where batch_id in ${list(batchIds)}`);
  return Number(rows[0]!.n);
}

/** A chunk that failed, and the stage that it is of. */
interface FailedChunk {
  stage: string;
  n: number;
  planned: number;
  method: ChunkMethod;
  from: string | null;
  to: string | null;
  error: string;
}

/** The first failed chunk of a batch, for messages. */
export async function firstFailure(
  reader: Pick<Session, 'query'>,
  database: Database,
  batchId: string,
): Promise<FailedChunk | undefined> {
  const { rows } = await reader.query<FailedChunk>(sql`
    select s.name as stage, c.n, s.planned_chunks as planned, s.method, c.range_from as ${raw(database.dialect.quoteName('from'))}, c.range_to as ${raw(database.dialect.quoteName('to'))}, c.error
    from ${database.ledger('chunk')} c join ${database.ledger('stage')} s on s.batch_id = c.batch_id and s.n = c.stage
    where c.batch_id = ${batchId} and c.state = 'failed' order by c.stage, c.n limit 1`);
  return rows[0];
}

/** Failed chunks become pending again, with all their attempts: a held batch is resumed. Which rows of theirs are bad is seen anew. */
export async function reopenFailed(session: Session, database: Database, batchId: string): Promise<void> {
  const rejected = database.ledger('rejected_row');
  await session.query(sql`
    delete from ${rejected} where batch_id = ${batchId} and exists (
      select 1 from ${database.ledger('chunk')} c
      where c.batch_id = ${rejected}.batch_id and c.stage = ${rejected}.stage and c.n = ${rejected}.chunk and c.state <> 'done')`);
  await session.query(sql`
    update ${database.ledger('chunk')} set state = 'pending', attempts = 0, not_before = ${database.dialect.words.now}
    where batch_id = ${batchId} and state <> 'done'`);
  await session.query(sql`
    update ${database.ledger('step')} set state = 'pending', attempts = 0 where batch_id = ${batchId} and state = 'failed'`);
}
