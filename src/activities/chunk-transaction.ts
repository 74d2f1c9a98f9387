import {
  claimChunks,
  completeChunks,
  countAttempt,
  lockAgain,
  markAttempt,
  type Chunk,
  type Claim,
  type DoneChunk,
} from '../control/chunks.ts';
import { enterGate } from '../control/gate.ts';
import { SourceStateLost } from '../control/source-state.ts';
import type { Session } from '../database/dialect.ts';
import { SAVEPOINT, type SqlPart } from '../database/sql.ts';
import type { BatchReference } from '../workflows/messages.ts';
import { recordRejected } from '../control/bad-rows.ts';
import type { BadRows } from './bad-rows.ts';
import type { BatchContext } from './batch-context.ts';
import { factsOf, isOfRow, type ChunkErrorFacts } from './chunk-errors.ts';
import { searchChunk } from './search-chunk.ts';

/** What is done for one chunk, inside a transaction of its own or one that it shares. */
export interface ChunkWork {
  /** Gets what `run` needs from elsewhere, before the transaction begins. False: it is not there yet, or is for another lane. */
  ready?(): Promise<boolean>;
  /**
   * Something of what it runs outlives the transaction (`leavesBehind`): each chunk, and each attempt at one, has a transaction and a
   * connection of its own.
   */
  leavesBehind?: boolean;
  /** Something lasts until its transaction ends (`lastsUntilCommit`): each chunk, and each piece of one that is searched, has one of its own. */
  untilCommit?: boolean;
  /** Runs it. Throws to have it rolled back. */
  run(session: Session, chunk: Chunk): Promise<ChunkOutcome>;
  /** The lane is cancelled: ends what is done for it on another connection than the lane's own. */
  cut?(): void;
  close(): Promise<void>;
  /** How a bad row is found in a chunk; undefined: it fails with all of its chunk, and so does the batch. */
  bad?: BadRows | undefined;
}

export interface ChunkOutcome {
  /** Rows written. */
  rows: number;
  /** Rows read, or a query that counts them; null: not known. */
  rowsRead: number | SqlPart | null;
  /**
   * What must be true when the ledger says that it is done. Of chunks that share a transaction the last one's is proven, for all of
   * them: what they have read is locked until it ends.
   */
  proof?: {
    holds: readonly SqlPart[];
    /** Looks for more of that before, in the transaction: throws what is not true any more. */
    look?(session: Session): Promise<void>;
    /** Throws what is not true any more, in words; `again`: it is known anew, and the chunks may be tried again. In no transaction. */
    explain(session: Session): Promise<'again' | undefined>;
  };
}

export interface ChunkAttempt extends BatchReference {
  stage: number;
  lane: number;
  lowWater: number;
  /** Chunks of one transaction, at most. */
  most: number;
  worker: string;
  /** At most between two attempts of the chunk. */
  longestWaitSeconds: number;
  /** The lane died, or lost its connection, in a chunk: count attempts before they are made. */
  suspicious: boolean;
  /** Milliseconds after which the search of bad rows goes on in other transactions. */
  searchMs: number;
  /** What the last turn claimed ahead. */
  claim: Claim | undefined;
  work: ChunkWork;
}

/** What became of one turn. */
export type Turn =
  /** `claim`: the next transaction has begun. `workMs`: what the chunks' own statements took, without claim and commit. */
  | { kind: 'done'; chunks: number[]; rows: number; workMs?: number; claim: Claim | undefined }
  | { kind: 'nothing' }
  | { kind: 'stopped' }
  | { kind: 'fenced' }
  /** The chunk failed for good, and the ledger says why. */
  | { kind: 'failed'; n: number; message: string; attempts: number; next?: string | undefined }
  /** It failed and will be tried again, here or elsewhere, not before its time. */
  | { kind: 'again' }
  /** One of several that shared a transaction failed, and nothing of them is done: one by one it is seen which. */
  | { kind: 'apart' }
  /** The connection is gone, or cannot be had: the server rolls back, the chunk is free again. */
  | { kind: 'lost'; running: boolean };

/**
 * Small chunks share a transaction for about so long. Alone, each would cost a gate, a claim and a commit, which together take longer
 * than an update of a few rows does. Waiting for the gate, for locked rows or for a stop gets no longer than this.
 */
export const SHARED_MS = 50;

/**
 * One chunk transaction (DESIGN §3): gate, state, claim, the work under a savepoint, the ledger, COMMIT. Rows and ledger
 * commit together, so a chunk happens once, however often its lane is retried. For the same reason the commit need not wait
 * for the disk: what a crash of the server takes, it takes from both. Who relies on a chunk flushes first (`clearLane`).
 */
export async function attemptChunks(session: Session, context: BatchContext, at: ChunkAttempt): Promise<Turn> {
  const { database, batch } = context;
  let chunks: Chunk[] = [];
  let startedAt = new Date();
  try {
    // One that has nothing to read from is asked to stop all the same.
    const most = (await at.work.ready?.()) === false ? 0 : at.most;
    const claim = at.claim ?? (await claimChunks(session, database, { ...at, most }, { relaxed: !at.suspicious }));
    if (claim.state !== 'running') return await leave(session, { kind: 'fenced' });
    if (claim.stop) return await leave(session, { kind: 'stopped' });
    if (claim.chunks.length === 0) return await leave(session, { kind: 'nothing' });
    chunks = claim.chunks;
    if (chunks.some(({ attempts }) => attempts >= batch.definition.maxAttempts)) {
      return chunks.length > 1
        ? await leave(session, { kind: 'apart' })
        : await giveUp(session, context, at, chunks[0]!);
    }
    if (at.suspicious) {
      const counted = await countAttempt(session, database, at, chunks[0]!, { error: BEGUN, worker: at.worker });
      if (counted === undefined) return await leave(session, { kind: 'nothing' });
      chunks = [counted];
    }
    startedAt = new Date();
    return await runChunks(session, context, at, chunks);
  } catch (error) {
    if (error instanceof SourceStateLost) throw error;
    const facts = factsOf(error, context);
    if (facts.kind === 'connection' || chunks.length === 0) {
      if (facts.kind === 'permanent') throw error;
      return { kind: 'lost', running: chunks.length > 0 };
    }
    if (chunks.length > 1) return await leave(session, { kind: 'apart' });
    return recordFailure(session, context, { ...at, startedAt }, chunks[0]!, facts);
  }
}

/** What time there is not for stays claimed until the transaction ends, and pending after it. */
async function runChunks(
  session: Session,
  { database, batch }: BatchContext,
  at: ChunkAttempt,
  chunks: readonly Chunk[],
): Promise<Turn> {
  const began = Date.now();
  const done: DoneChunk[] = [];
  let proven: ChunkOutcome['proof'];
  const settings = database.dialect.settings(batch.definition.sessionParams);
  for (const chunk of chunks) {
    const startedAt = new Date();
    // For each anew: what the one before it has set must not stay.
    if (settings.length > 0) await session.pipeline(settings);
    const { proof, ...outcome } = await at.work.run(session, chunk);
    const finishedAt = new Date();
    const { n, attempts } = chunk;
    done.push({ ...outcome, n, attempts, worker: at.worker, startedAt, finishedAt });
    proven = proof;
    if (finishedAt.getTime() - began >= SHARED_MS) break;
  }
  await proven?.look?.(session);
  // Where something must be ready first, the next transaction does not begin before it is, nor where it begins on another connection;
  // and one that counts an attempt is flushed.
  const ahead = at.work.ready || at.work.leavesBehind || at.suspicious ? undefined : at;
  const completed = await completeChunks(session, database, at, { chunks: done, holds: proven?.holds ?? [] }, ahead);
  const numbers = done.map(({ n }) => n);
  if (completed) {
    const rows = done.reduce((sum, chunk) => sum + chunk.rows, 0);
    const workMs = done.at(-1)!.finishedAt.getTime() - began;
    return { kind: 'done', chunks: numbers, rows, workMs, claim: completed.claim };
  }
  if ((await proven?.explain(session)) === 'again') return { kind: 'again' };
  throw new Error(`chunk ${numbers.join(', ')} of batch ${at.batchId} was not pending when it was done`);
}

async function leave(session: Session, turn: Turn): Promise<Turn> {
  await session.rollback();
  return turn;
}

/** What the ledger says of an attempt that was counted before it was made, until its end is known. */
const BEGUN = 'the last attempt is under way, or its worker died or was cut off in it';

/** Nobody came back from the last attempt that there was. */
async function giveUp(session: Session, { database }: BatchContext, at: ChunkAttempt, chunk: Chunk): Promise<Turn> {
  const { n, attempts } = chunk;
  const message = `the worker died or was cut off while it ran this chunk (${attempts} attempts)`;
  const facts = { error: message, waitSeconds: 0, failed: true, counts: 0, worker: at.worker };
  await markAttempt(session, database, { ...at, n }, facts);
  await session.commit();
  return { kind: 'failed', n, message, attempts };
}

/**
 * Rolls back to the savepoint and commits what happened under the same claim: nobody else burns this chunk's attempts in
 * between. Where the transaction itself is lost (deadlock, a statement that committed, a snapshot that is another), it is done
 * anew through the gate.
 */
async function recordFailure(
  session: Session,
  context: BatchContext,
  at: ChunkAttempt & { startedAt: Date },
  chunk: Chunk,
  facts: ChunkErrorFacts,
): Promise<Turn> {
  const { database, batch } = context;
  const { counts } = facts;
  const attempts = chunk.attempts + (counts ? 1 : 0);
  const failed = facts.kind === 'permanent' || (counts && attempts >= batch.definition.maxAttempts);
  const usedUp = facts.kind !== 'permanent' && failed;
  const error = usedUp ? `${facts.message} (${attempts} attempts)` : facts.message;
  const message = usedUp ? `${facts.safeMessage} (${attempts} attempts)` : facts.safeMessage;
  const bad = isOfRow(facts) ? at.work.bad : undefined;
  const waitSeconds = Math.min(at.longestWaitSeconds, Math.max(facts.retryAfterSeconds, backoffSeconds(attempts)));
  let { searchMs } = at;
  try {
    try {
      await session.rollbackToSavepoint();
    } catch {
      await session.rollback();
      await session.begin();
      const gate = await enterGate(session, database, at.batchId, 'shared');
      if (gate?.state !== 'running') return await leave(session, { kind: 'fenced' });
      // The chunk was nobody's for a moment; or it is done, and the error is of the claim behind its COMMIT. What is wrong for good
      // ends the load whoever has the chunk now: of SQL that committed, rows may be there twice.
      const forGood = facts.kind === 'permanent' && !bad;
      if (!forGood && !(await lockAgain(session, database, at, chunk))) return await leave(session, { kind: 'again' });
      if (bad) {
        await session.query(SAVEPOINT);
        searchMs = 0; // what ends a transaction, or is refused by its COMMIT alone, is not told apart within one
      }
    }
    if (bad) {
      try {
        return await searchChunk(session, context, { ...at, bad, searchMs }, chunk, facts);
      } catch (error) {
        const found = factsOf(error, context);
        if (found.kind === 'connection') throw error;
        // Too many of them, or the search itself failed: that is what became of this attempt. Where COMMIT refuses a row, it is cut.
        const work = isOfRow(found) && searchMs > 0 ? at.work : { ...at.work, bad: undefined };
        return await recordFailure(session, context, { ...at, work, searchMs: 0 }, chunk, found);
      }
    }
    if (facts.rejected) await recordRejected(session, database, { ...at, n: chunk.n }, facts.rejected);
    await markAttempt(
      session,
      database,
      { ...at, n: chunk.n },
      { error, waitSeconds, failed, counts: (counts ? 1 : 0) - (chunk.counted ? 1 : 0), worker: at.worker },
    );
    await session.commit();
    return failed ? { kind: 'failed', n: chunk.n, message, attempts, next: facts.next } : { kind: 'again' };
  } catch {
    return { kind: 'lost', running: true };
  }
}

/** 0.2 s, 0.4 s, … */
const backoffSeconds = (attempts: number): number => 0.1 * 2 ** attempts;
