import { recordRejected, type RejectedRow } from '../control/bad-rows.ts';
import type { FileMark, PieceTaker, ReadSoFar, readPieces } from '../copy/files/csv-file.ts';
import { valuesIn, type BadCsvRow } from '../copy/files/csv-format.ts';
import type { ErrorFacts, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { WaybillError } from '../errors.ts';
import { mendRejected, overLimit } from './bad-rows.ts';
import type { BatchContext } from './batch-context.ts';
import { TooManyRejected } from './chunk-errors.ts';

/** The transaction's own goes back to where the chunk began. */
const PIECE = sql`savepoint file_rows`;
const WITHOUT_PIECE = [sql`rollback to savepoint file_rows`, sql`release savepoint file_rows`];
const WITH_PIECE = sql`release savepoint file_rows`;

/** Other lanes reject rows, too: after so many of this file's the ledger is asked how many. At the end of the batch it is, in any case. */
const ASK_AFTER = 100;
/** And of many, after this part of them: it takes the longer, the more there are. */
const PART_OF_MANY = 0.1;

/**
 * A share is of all rows, and those to come are guessed by their bytes. Bad rows may well be longer than others, or those of this file
 * longer than those of another one: of so many times as many it would still be too large a share before the file is given up.
 */
const MORE_TO_COME = 4;

/** A file whose rows are brought, and how. */
export interface CarefulCopy {
  /** `data/a.csv` */
  name: string;
  size: number;
  chunk: { batchId: string; stage: number; n: number };
  /** Columns of the values that go on. */
  columns: readonly string[];
  read(taker: PieceTaker): ReturnType<typeof readPieces>;
  /** Bytes of the other files that no lane has done, in terms of this one's. */
  others(): Promise<number>;
  /** Writes these rows, and says how many; throws the server's error. */
  pour(rows: Buffer, count: number): Promise<number>;
}

/**
 * Brings a file in one pass, and sets aside what cannot be brought. Rows go in pieces, each under a savepoint; a piece that the server
 * refuses because of its values is halved until the bad row stands alone.
 */
export class FileQuarantine implements PieceTaker {
  private readonly rejected: (RejectedRow & { line: number })[] = [];
  private written = 0;
  /** Rows of other files that were rejected, when the ledger was asked last. */
  private known = 0;
  /** Of this file's own, how many are rejected when it is asked next. */
  private askAt = 1;
  private soFar: ReadSoFar = { rows: 0, bytes: 0 };
  /** Asked for once: while others are done, they count among what was read, too, and so the file is given up later, if at all. */
  private others: number | undefined;

  constructor(
    private readonly session: Session,
    private readonly context: BatchContext,
    private readonly copy: CarefulCopy,
  ) {}

  /** Throws `TooManyRejected`. */
  async run(): Promise<{ written: number; read: number; mark: FileMark }> {
    await this.record(); // what a batch had found that was held, and is resumed
    const { rows, bad, ...mark } = await this.copy.read(this);
    await this.record();
    const read = rows + bad;
    if (this.written + this.rejected.length !== read) {
      const there = `${this.written} were written and ${this.rejected.length} rejected`;
      throw new WaybillError(`the file has ${read} rows, ${there}`);
    }
    return { written: this.written, read, mark };
  }

  rows(rows: Buffer, lines: readonly number[], soFar: ReadSoFar): Promise<void> {
    this.soFar = soFar;
    return this.bring(rows, lines);
  }

  private async bring(rows: Buffer, lines: readonly number[]): Promise<void> {
    const { session, copy } = this;
    await session.query(PIECE);
    let facts: ErrorFacts;
    try {
      this.written += await copy.pour(rows, lines.length);
      await session.query(WITH_PIECE);
      return;
    } catch (error) {
      facts = this.context.database.dialect.classify(error);
      if (facts.because !== 'data') throw error;
    }
    for (const statement of WITHOUT_PIECE) await session.query(statement);
    if (lines.length === 1) {
      await this.reject(lines[0]!, valuesIn(rows.toString()).slice(0, copy.columns.length), facts);
      return;
    }
    const middle = lines.length >> 1;
    const at = behindRows(rows, middle);
    await this.bring(rows.subarray(0, at), lines.slice(0, middle));
    await this.bring(rows.subarray(at), lines.slice(middle));
  }

  bad({ line, message, values }: BadCsvRow, soFar: ReadSoFar): Promise<void> {
    this.soFar = soFar;
    return this.reject(line, values, { message, safeMessage: message });
  }

  private async reject(
    line: number,
    values: (string | null)[],
    { message, safeMessage }: Pick<ErrorFacts, 'message' | 'safeMessage'>,
  ): Promise<void> {
    const { name, columns } = this.copy;
    const named = values.length === columns.length;
    const data = named ? Object.fromEntries(columns.map((column, i) => [column, values[i]])) : values;
    this.rejected.push({ line, key: JSON.stringify({ file: name, line }), data: JSON.stringify(data), error: message });
    const n = this.rejected.length;
    if (n < this.askAt && !this.overAtMost(n)) return;
    const { database, batch } = this.context;
    const here = { rejected: n, read: this.written + n, toCome: () => this.toCome() };
    const { over, known } = await overLimit(this.session, database, batch.batchId, batch.definition.maxRejected, here);
    this.known = known;
    this.askAt = n + Math.max(ASK_AFTER, Math.floor(n * PART_OF_MANY));
    if (over === undefined) return;
    const last = `${over}; the last, in line ${line}: ${safeMessage}`;
    throw new TooManyRejected(last, this.inOrder(), mendRejected(batch.batchId));
  }

  /** Rows at the most. Bad rows often lie together, and in the files that come first. */
  private async toCome(): Promise<number> {
    const { rows, bytes } = this.soFar;
    this.others ??= await this.copy.others();
    const left = Math.max(0, this.copy.size - bytes) + this.others;
    return rows - this.written - this.rejected.length + (MORE_TO_COME * left * rows) / bytes;
  }

  /** With what the ledger had when it was asked last, these are more than may be. */
  private overAtMost(n: number): boolean {
    const limit = this.context.batch.definition.maxRejected;
    return 'rows' in limit && this.known + n > limit.rows;
  }

  /** Those that were read badly come before those of their piece that the server refused. */
  private inOrder(): RejectedRow[] {
    return this.rejected.toSorted((a, b) => a.line - b.line);
  }

  private record(): Promise<void> {
    return recordRejected(this.session, this.context.database, this.copy.chunk, this.inOrder());
  }
}

/** Where so many rows end. A line end within a value is written otherwise. */
function behindRows(rows: Buffer, count: number): number {
  let at = 0;
  for (let i = 0; i < count; i++) at = rows.indexOf(NEWLINE, at) + 1;
  return at;
}

const NEWLINE = 0x0a;
