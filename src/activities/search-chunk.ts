import { readAndPending, recordRejected, splitChunk, type RejectedRow } from '../control/bad-rows.ts';
import { completeChunks, type Chunk } from '../control/chunks.ts';
import type { ChunkRange, Session } from '../database/dialect.ts';
import { sql, type SqlStatement } from '../database/sql.ts';
import { ENOUGH_FOR_A_SHARE, mendRejected, MOST_OF_ONE_KEY, overLimit, type BadRows } from './bad-rows.ts';
import type { BatchContext } from './batch-context.ts';
import { factsOf, isOfRow, TooManyRejected, type ChunkErrorFacts } from './chunk-errors.ts';
import type { ChunkAttempt, ChunkOutcome, Turn } from './chunk-transaction.ts';

/** Rather than `user_statements`, which goes back to where the chunk began. It stays when it was gone back to. */
const PIECE = sql`savepoint chunk_piece`;
const WITHOUT_PIECE = sql`rollback to savepoint chunk_piece`;
const WITH_PIECE = sql`release savepoint chunk_piece`;

/** Other lanes reject rows, too: after so many of this chunk's the ledger is asked how many. At the end of the batch it is, in any case. */
const ASK_AFTER = 100;

interface Search extends ChunkAttempt {
  bad: BadRows;
  /** When the attempt began that found that some row is bad. */
  startedAt: Date;
}

/** Ranges one behind the other, which are tried together. */
interface Piece {
  ranges: ChunkRange[];
  /** None of them can be cut further. */
  smallest: boolean;
}

/**
 * A chunk failed because of a row's values: halves it until the bad row stands alone, in the transaction that the session is in, which
 * holds the chunk and is back at its savepoint. Pieces that are good stay, bad rows are written down, and the chunk is done. What
 * there was no time for become chunks of their own, in the same transaction.
 *
 * @throws TooManyRejected, and whatever else ends the attempt
 */
export async function searchChunk(
  session: Session,
  context: BatchContext,
  at: Search,
  chunk: Chunk,
  facts: ChunkErrorFacts,
): Promise<Turn> {
  try {
    return await new ChunkSearch(session, context, at, chunk).run(facts);
  } finally {
    await at.bad.close?.();
  }
}

class ChunkSearch {
  /** What is left, its last one first. */
  private readonly pieces: Piece[] = [];
  private readonly rejected: RejectedRow[] = [];
  private written = 0;
  /** Rows that were read, where the work says it of each range. */
  private read = 0;
  private saysRead = true;
  /** Ranges that are tried together where all are the smallest: the more the fewer of them are bad. */
  private most = Infinity;
  private proof: ChunkOutcome['proof'];
  /** What the ledger said of other rejected rows when it was asked last, and of how many here it was. */
  private asked: { known: number; here: number } | undefined;
  private readonly settings: SqlStatement[];

  constructor(
    private readonly session: Session,
    private readonly context: BatchContext,
    private readonly at: Search,
    private readonly chunk: Chunk,
  ) {
    this.settings = context.database.dialect.settings(context.batch.definition.sessionParams);
  }

  async run(facts: ChunkErrorFacts): Promise<Turn> {
    const { bad, work, searchMs } = this.at;
    const until = Date.now() + (bad.apart || work.leavesBehind || work.untilCommit ? 0 : searchMs);
    await this.session.query(PIECE);
    await this.divide({ ranges: [this.chunk.range], smallest: false }, facts);
    while (this.pieces.length > 0 && Date.now() < until) await this.settle(this.next());
    return this.finish();
  }

  private next(): Piece {
    const piece = this.pieces.pop()!;
    if (!piece.smallest || piece.ranges.length <= this.most) return piece;
    this.pieces.push({ ranges: piece.ranges.slice(this.most), smallest: true });
    return { ranges: piece.ranges.slice(0, this.most), smallest: true };
  }

  private async settle(piece: Piece): Promise<void> {
    const { session, at, chunk } = this;
    try {
      if (this.settings.length > 0) await session.pipeline(this.settings);
      const { rows, rowsRead, proof } = await at.work.run(session, { ...chunk, range: spanOf(piece) });
      this.written += rows;
      if (typeof rowsRead === 'number') this.read += rowsRead;
      else this.saysRead = false;
      this.proof = proof;
    } catch (error) {
      const facts = factsOf(error, this.context);
      if (!isOfRow(facts)) throw error;
      await session.query(WITHOUT_PIECE);
      return this.divide(piece, facts);
    }
    this.most *= 2;
    // What the piece has set stays: the next bounds would be written in its style, and be read in another by who takes them from the ledger.
    await session.pipeline([WITH_PIECE, ...this.context.database.dialect.ownStyle, PIECE]);
  }

  /** Of a piece that failed. */
  private async divide(piece: Piece, facts: ChunkErrorFacts): Promise<void> {
    const cut = piece.ranges.length > 1 || piece.smallest ? piece : await this.at.bad.cut(this.session, spanOf(piece));
    const { ranges, smallest } = cut;
    const middle = ranges.length >> 1;
    if (smallest) this.most = Math.max(1, middle);
    if (middle === 0) return this.reject(ranges[0]!, facts);
    this.pieces.push({ ranges: ranges.slice(middle), smallest }, { ranges: ranges.slice(0, middle), smallest });
  }

  private async reject(range: ChunkRange, { message, safeMessage }: ChunkErrorFacts): Promise<void> {
    const { session, at } = this;
    const found = await at.bad.rows(session, range);
    const rows = found.slice(0, MOST_OF_ONE_KEY);
    this.rejected.push(...rows.map((row) => ({ ...row, error: message })));
    this.read += rows.length;
    const over =
      found.length > MOST_OF_ONE_KEY
        ? `more than ${MOST_OF_ONE_KEY} rows share one key, which cannot be cut further`
        : await this.overLimit();
    if (over === undefined) return;
    const [told, inFull] = [safeMessage, message].map((last) => `${over}; the last: ${last}`);
    throw new TooManyRejected(told!, this.rejected, mendRejected(at.batchId), inFull);
  }

  private async overLimit(): Promise<string | undefined> {
    if (!this.asksNow()) return undefined;
    const { session, at, rejected } = this;
    const { database, batch } = this.context;
    const here = { rejected: rejected.length, ...(await this.readInAll()) };
    const { over, known } = await overLimit(session, database, at.batchId, batch.definition.maxRejected, here);
    this.asked = { known, here: rejected.length };
    return over;
  }

  private asksNow(): boolean {
    const { asked, rejected } = this;
    if (asked === undefined || rejected.length - asked.here >= ASK_AFTER) return true;
    const limit = this.context.batch.definition.maxRejected;
    const most = 'rows' in limit ? limit.rows : ENOUGH_FOR_A_SHARE;
    return asked.known + asked.here <= most && asked.known + rejected.length > most;
  }

  /** Bad rows often lie together: a share is one of the whole chunk, and of those that nobody has done. */
  private async readInAll(): Promise<{ read: number; toCome: (read: number, enough: number) => Promise<number> }> {
    const { session, at, asked, rejected } = this;
    const few = asked !== undefined && asked.known + rejected.length <= ENOUGH_FOR_A_SHARE;
    if ('rows' in this.context.batch.definition.maxRejected || few || !at.bad.countsRead)
      return { read: 0, toCome: () => Promise.resolve(0) };
    const own = (await at.bad.count?.(session, this.chunk.range)) ?? 0;
    return { read: own, toCome: async (read, enough) => Math.max(0, (await this.inAll(own, read + enough)) - read) };
  }

  /**
   * Rows that will have been read when the stage is done, or at least `enough` of them. What a search has cut off may be chunks of any
   * size, so they are counted: not all together, which may be the whole source. Each count takes twice as many chunks as the one before,
   * for each may run a whole query.
   */
  private async inAll(own: number, enough: number): Promise<number> {
    const { session, at, chunk } = this;
    const { read, pending } = await readAndPending(session, this.context.database, { ...at, n: chunk.n });
    let rows = read + own;
    for (let most = 1; rows < enough && pending.length > 0; most *= 2)
      rows += (await at.bad.count?.(session, takeAdjoining(pending, most))) ?? 0;
    return rows;
  }

  /** Of what is done of the chunk; null: they are not counted. */
  private async rowsRead(): Promise<number | null> {
    const { bad } = this.at;
    if (!bad.countsRead) return null;
    return this.saysRead ? this.read : ((await bad.count?.(this.session, this.done())) ?? null);
  }

  private done(): ChunkRange {
    const [next] = this.left();
    return { from: this.chunk.range.from, to: next ? next.from : this.chunk.range.to };
  }

  private left(): ChunkRange[] {
    return this.pieces.map(spanOf).reverse();
  }

  private async finish(): Promise<Turn> {
    const { session, at, chunk, rejected } = this;
    const { database } = this.context;
    const key = { batchId: at.batchId, stage: at.stage, n: chunk.n };
    const left = this.left();
    if (left[0] && left[0].from === chunk.range.from) {
      await splitChunk(session, database, key, left);
      await session.commit();
      return { kind: 'again' };
    }
    if (left.length > 0) await splitChunk(session, database, key, [this.done(), ...left]);
    await recordRejected(session, database, key, rejected);
    const { n, attempts } = chunk;
    const { worker, startedAt } = at;
    const rowsRead = await this.rowsRead();
    await this.proof?.look?.(session);
    const done = { n, attempts, rows: this.written, rowsRead, worker, startedAt, finishedAt: new Date() };
    const holds = this.proof?.holds ?? [];
    const completed = await completeChunks(session, database, at, { chunks: [done], holds }, undefined);
    if (completed) return { kind: 'done', chunks: [n], rows: this.written, claim: undefined };
    if ((await this.proof?.explain(session)) === 'again') return { kind: 'again' };
    throw new Error(`chunk ${n} of batch ${at.batchId} was not pending when its bad rows were found`);
  }
}

/** Takes the first out of these, up to so many, as far as each begins where the one before it ends. */
function takeAdjoining(ranges: ChunkRange[], most: number): ChunkRange {
  let n = 1;
  while (n < most && ranges[n] && ranges[n]!.from !== null && ranges[n]!.from === ranges[n - 1]!.to) n += 1;
  return spanOf({ ranges: ranges.splice(0, n) });
}

function spanOf({ ranges }: Pick<Piece, 'ranges'>): ChunkRange {
  return { from: ranges[0]!.from, to: ranges.at(-1)!.to };
}
