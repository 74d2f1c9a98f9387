import { Context } from '@temporalio/activity';
import { statementTimeoutMs } from '../control/batch.ts';
import { countChunks, lowestPending, type Claim, type StageCounts } from '../control/chunks.ts';
import { clearLane, recordLane } from '../control/lanes.ts';
import type { Session } from '../database/dialect.ts';
import { UnreachableError } from '../errors.ts';
import type { BatchReference } from '../workflows/messages.ts';
import { loadContext, type BatchContext } from './batch-context.ts';
import { attemptChunks, SHARED_MS, type ChunkWork, type Turn } from './chunk-transaction.ts';
import { copyWork } from './copy-chunk.ts';
import { fileWork } from './file-chunk.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';
import { report } from './heartbeat.ts';
import { provingTables } from './proving-tables.ts';
import { sqlWork } from './sql-chunk.ts';

export interface LaneRequest extends BatchReference {
  stage: number;
  lane: number;
  /** Milliseconds after which the lane returns between two chunks, so that the workflow sees how far it came. */
  sliceMs: number;
}

/** Why a lane came back. */
export type LaneEnd =
  /** Nothing is pending any more. */
  | 'drained'
  /** Its time was up, or its worker was asked to stop: start it again. */
  | 'slice'
  /** Asked to stop: pause, or fewer lanes. */
  | 'stopped'
  /** The batch was fenced. */
  | 'fenced'
  /** A chunk failed for good. */
  | 'failed';

export interface LaneResult {
  end: LaneEnd;
  /** What this lane did. */
  chunks: number;
  rows: number;
  /** Where the stage stands, from the ledger. */
  stage: StageCounts;
  /** Of the chunk that failed, without values of rows. */
  failure?: { chunk: number; message: string; attempts: number; next?: string | undefined };
}

const SHORTEST_POLL_MS = 20;
const LONGEST_POLL_MS = 500;
const RECONNECT_MS = 1_000;
/** Between two attempts of a chunk. */
const LONGEST_BACKOFF_MS = 30_000;
/**
 * Chunks after which the lanes, each for itself, look where the pending ones begin now: their claims go over what all of them have
 * done since. On MySQL, where a claim passes over some 500 of them, it takes 6 ms.
 */
const CHUNKS_A_LOOK = 64;
/** So much longer a pause, a cancel, or who waits for a row of the chunk, may have to wait for its bad rows to be found. */
const SEARCH_MS = 1_000;
/** More of them in one transaction would save next to nothing. */
const MOST_SHARED = 64;

/**
 * One lane of a stage: claims chunk after chunk until none is left, its time is up, or it is told to stop. Safe to run
 * twice at once: the ledger's row locks keep two claims apart.
 */
export const runLane =
  (engine: Engine) =>
  async (at: LaneRequest): Promise<LaneResult> => {
    const database = engine.databases.get(at.connection);
    try {
      const context = await loadContext(engine, at);
      return await new Lane(engine, context, at).run();
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, stage ${at.stage}, lane ${at.lane}`);
    }
  };

class Lane {
  private chunks = 0;
  private rows = 0;
  private lowWater = 1;
  private pollMs = SHORTEST_POLL_MS;
  private session: Session | undefined;
  /** Users' SQL has run on it. */
  private used = false;
  /** The next chunk's transaction has begun on the session. It ends with the connection when the lane does not go on. */
  private claim: Claim | undefined;
  private readonly until: number;
  private readonly activity = Context.current();
  /**
   * Chunks that have a transaction each, and whose attempts are counted before they are made. The attempt before this one died,
   * perhaps because of a chunk: one of as many as shared its transaction, and each of them may come again to any lane. So a chunk
   * that kills workers is found, be it after a few more of them, and no other is taken for it.
   */
  private wary = this.activity.info.attempt > 1 ? MOST_SHARED : 0;
  /** What the ledger says of this lane's connection is one that was left, by the attempt before this one or by us. */
  private left = this.activity.info.attempt > 1;
  /** Every chunk has a transaction of its own: one of those that shared one failed. */
  private apart = false;
  /** Chunks of the next transaction, at most. */
  private most = 1;
  private untilLook = 0;

  constructor(
    private readonly engine: Engine,
    private readonly context: BatchContext,
    private readonly at: LaneRequest,
  ) {
    // Who holds the state of a source must not let go of it.
    this.until = context.batch.definition.from?.consistent ? Infinity : Date.now() + at.sliceMs;
  }

  async run(): Promise<LaneResult> {
    let work: ChunkWork | undefined;
    // A cancelled lane cuts its connections; the fence ends what the ledger's server still does for it.
    const onCancel = (): void => {
      this.session?.destroy();
      work?.cut?.();
    };
    this.activity.cancellationSignal.addEventListener('abort', onCancel);
    try {
      work = await this.prepare();
      for (;;) {
        this.activity.cancellationSignal.throwIfAborted();
        const turn = await this.turn(work);
        const end = await this.after(turn);
        if (end) return end;
      }
    } finally {
      this.activity.cancellationSignal.removeEventListener('abort', onCancel);
      await work?.close();
      await this.session?.close();
    }
  }

  private async prepare(): Promise<ChunkWork> {
    return provingTables(this.context, await this.work());
  }

  private work(): Promise<ChunkWork> {
    const { batch } = this.context;
    if (batch.definition.files) return fileWork(this.engine, this.context, this.at);
    if (batch.definition.from) return copyWork(this.engine, this.context, this.at, this.activity.cancellationSignal);
    return sqlWork(this.context, this.at.stage);
  }

  private async turn(work: ChunkWork): Promise<Turn> {
    try {
      if (work.leavesBehind && this.used) await this.leave();
      this.session ??= await this.connect();
      await this.look();
    } catch (error) {
      // The server is down. The lane waits here, heartbeating, until it is back or the batch's time is over.
      if (!(error instanceof UnreachableError) || this.engine.stopping()) throw error;
      return { kind: 'lost', running: false };
    }
    const turn = await attemptChunks(this.session, this.context, {
      ...this.at,
      lowWater: this.lowWater,
      most:
        work.ready || work.leavesBehind || work.untilCommit || this.apart || this.wary > 0
          ? 1
          : Math.min(this.most, this.engine.mostShared ?? MOST_SHARED),
      worker: this.engine.worker,
      longestWaitSeconds: (this.engine.longestBackoffMs ?? LONGEST_BACKOFF_MS) / 1000,
      suspicious: this.wary > 0,
      searchMs: this.engine.searchMs ?? SEARCH_MS,
      claim: this.claim,
      work,
    });
    this.claim = turn.kind === 'done' ? turn.claim : undefined;
    this.used ||= turn.kind !== 'nothing';
    if (turn.kind === 'done') {
      if (turn.workMs !== undefined) this.most = fitting(this.most, turn.workMs / turn.chunks.length);
      this.wary = Math.max(0, this.wary - turn.chunks.length);
    }
    return turn;
  }

  /** Before its first claim, too: the run before this one, or other lanes, may have done a hundred thousand. */
  private async look(): Promise<void> {
    if (this.untilLook > 0) return;
    this.lowWater = (await this.lowestPending()) ?? this.lowWater;
    this.untilLook = CHUNKS_A_LOOK / this.context.batch.definition.lanes;
  }

  private async leave(): Promise<void> {
    await this.session?.close();
    this.session = undefined;
    this.used = false;
  }

  private async connect(): Promise<Session> {
    const { database, batch } = this.context;
    const name = batch.definition.kind === 'acquisition' ? 'copy' : batch.definition.stages[this.at.stage - 1]!.name;
    const session = await database.openSession(`waybill ${batch.batchId} ${name} lane ${this.at.lane}`, {
      statementTimeoutMs: statementTimeoutMs(batch),
      signal: this.activity.cancellationSignal,
    });
    try {
      if (this.left) await database.dialect.endLeftLane(database, this.at);
      this.left = false;
      await recordLane(database, this.at, { connectionId: session.connectionId, worker: this.engine.worker });
      this.activity.cancellationSignal.throwIfAborted(); // there was nothing to cut yet
    } catch (error) {
      session.destroy();
      throw error;
    }
    return session;
  }

  /** What the lane does after a turn: its result, or undefined to go on. */
  private async after(turn: Turn): Promise<LaneResult | undefined> {
    switch (turn.kind) {
      case 'done':
        this.chunks += turn.chunks.length;
        this.rows += turn.rows;
        this.pollMs = SHORTEST_POLL_MS;
        report({ lane: this.at.lane, chunk: turn.chunks.at(-1)!, chunks: this.chunks, rows: this.rows });
        this.untilLook -= turn.chunks.length;
        break;
      case 'nothing':
        if (await this.isDrained()) return this.end('drained');
        break;
      case 'lost':
        this.session?.destroy();
        this.session = undefined;
        // A crash of the server may have taken what was done: chunks below what was the lowest pending one are pending again.
        this.lowWater = 1;
        this.untilLook = 0;
        // Perhaps a chunk is what ends connections.
        if (turn.running) {
          this.wary = MOST_SHARED;
          this.left = true;
        }
        await sleep(RECONNECT_MS);
        return undefined;
      case 'again':
        break;
      case 'apart':
        this.apart = true;
        break;
      case 'failed':
        return {
          ...(await this.end('failed')),
          failure: { chunk: turn.n, message: turn.message, attempts: turn.attempts, next: turn.next },
        };
      case 'stopped':
      case 'fenced':
        return this.end(turn.kind);
    }
    return Date.now() >= this.until || this.engine.stopping() ? this.end('slice') : undefined;
  }

  /** "Nothing to claim" is not "done": other lanes hold chunks, or a failed one waits for its next attempt. */
  private async isDrained(): Promise<boolean> {
    const lowest = await this.lowestPending();
    if (lowest === undefined) return true;
    this.lowWater = lowest;
    await sleep(this.pollMs);
    this.pollMs = Math.min(LONGEST_POLL_MS, this.pollMs * 2);
    return false;
  }

  private lowestPending(): Promise<number | undefined> {
    return lowestPending(this.session!, this.context.database, { ...this.at, lowWater: this.lowWater });
  }

  private async end(end: LaneEnd): Promise<LaneResult> {
    const { database } = this.context;
    const stage = await countChunks(database, database, this.at);
    await clearLane(database, this.at);
    return { end, chunks: this.chunks, rows: this.rows, stage };
  }
}

/**
 * How many chunks the next transaction may have, after some whose statements took so long each: a power of two, for each is a text of
 * its own. A commit that waits for the disk is no part of it: the slower that is, the more there is to save.
 */
function fitting(most: number, msEach: number): number {
  if (most * msEach > SHARED_MS) return Math.max(1, most / 2);
  return 2 * most * msEach > SHARED_MS ? most : Math.min(MOST_SHARED, 2 * most);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
