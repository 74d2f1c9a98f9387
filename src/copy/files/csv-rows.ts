/** CSV (RFC 4180) into the rows that both families of servers read, byte by byte: nothing becomes an object. */

import { isUtf8 } from 'node:buffer';
import {
  CsvError,
  escaped,
  unescaped,
  valuesIn,
  type BadCsvRow,
  type CsvFormat,
  type ValueCheck,
} from './csv-format.ts';

export interface CsvShape {
  /** Names that the first row must have, which is no row of values then; undefined: it is one. */
  header?: readonly string[];
  /** Which values of a row go on; undefined: all. */
  keep?: readonly boolean[];
  /** What is asked of each value of a row that goes on and is not NULL. */
  checks?: readonly (ValueCheck | undefined)[];
  /** Takes each row with a wrong value, or with too many or too few, and the file goes on behind it; undefined: the first ends it. */
  bad?: (row: BadCsvRow) => void;
  /** Rows after which nothing more is read. */
  most?: number;
  /** What ends each row, behind its last value. */
  end: string;
  /** Bytes of a row at the most, as it is handed on; 64 MB. */
  longest?: number;
}

const MB = 1024 * 1024;
/** A quote that stays open must not fill the memory with the rest of the file. */
const LONGEST_ROW = 64 * MB;
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const BACKSLASH = 0x5c;
const [SMALL_N, SMALL_R, SMALL_T] = [0x6e, 0x72, 0x74];
/** The byte order mark of UTF-8. */
const MARK = Buffer.from('\ufeff');
const NULL = Buffer.from('\\N');
const NOTHING = Buffer.alloc(0);
/** What one step adds at the most, besides the end of a row. */
const MARGIN = 8;

const enum At {
  Value,
  Unquoted,
  Quoted,
  /** Behind a quote within quotes: the first of two, or the end. */
  Quote,
  /** Behind a carriage return that ends a row. */
  Return,
}

/** Takes a CSV file in pieces that may be cut anywhere; gives whole rows. */
export class CsvRows {
  rows = 0;
  /** Of the file, from 1: that which is read now. */
  line = 1;
  /** Those on which rows begin, where somebody takes bad ones. */
  readonly lines: number[] = [];
  private at: At = At.Value;
  private out = Buffer.allocUnsafe(1 << 16);
  private length = 0;
  /** Up to here are whole rows. */
  private whole = 0;
  /** Where the value begins in `out`. */
  private valueAt = 0;
  private column = 0;
  private rowLine = 1;
  private valueLine = 1;
  /** Some byte of this piece, or of the row that it goes on with, is not UTF-8: which value has it is asked one by one. */
  private doubtful = false;
  /** What is wrong with the row. */
  private wrong: CsvError | undefined;
  private quoted = false;
  /** Bytes of a mark that were seen at the start of the file; the first byte that is none of it ends that. */
  private marked = 0;
  private begun = false;
  private header: string | undefined;
  private width: number | undefined;
  private readonly delimiter: number;
  private readonly quote: number;
  private readonly nullText: Buffer;
  private readonly end: Buffer;
  private readonly most: number;
  private readonly longest: number;
  private readonly keep: readonly boolean[] | undefined;
  private readonly bad: ((row: BadCsvRow) => void) | undefined;
  private readonly checks: readonly (ValueCheck | undefined)[] | undefined;
  private readonly names: readonly string[] | undefined;

  constructor(format: CsvFormat, { header, keep, checks, bad, most = Infinity, end, longest = LONGEST_ROW }: CsvShape) {
    this.delimiter = format.delimiter.charCodeAt(0);
    this.quote = format.quote.charCodeAt(0);
    this.nullText = Buffer.from(escaped(format.nullText));
    this.header = header?.map(escaped).join('\t');
    this.width = header?.length;
    this.names = header;
    this.keep = keep;
    this.checks = checks;
    this.bad = bad;
    this.end = Buffer.from(end);
    this.most = most;
    this.longest = longest;
  }

  /** Throws `CsvError`. */
  take(piece: Buffer): Buffer {
    // Also where a piece ends within a character: then for no reason.
    this.doubtful = !isUtf8(piece) || (this.doubtful && this.length > this.whole);
    for (const byte of this.begun ? piece : this.begin(piece)) {
      if (this.length + MARGIN > this.out.length) this.grow(MARGIN);
      this.step(byte);
      if (this.rows === this.most) break;
    }
    return this.give();
  }

  /** The last row, where no newline ends it. Throws `CsvError`. */
  finish(): Buffer {
    if (!this.begun) this.unmark();
    if (this.at === At.Quoted) throw new CsvError(this.valueLine, 'a quote opens here and is never closed');
    const begun = this.column > 0 || this.at !== At.Value;
    if (begun) this.endRow();
    return this.give();
  }

  /** Passes over the byte order mark of UTF-8. */
  private begin(piece: Buffer): Buffer {
    let at = 0;
    while (at < piece.length && this.marked < MARK.length && piece[at] === MARK[this.marked]) {
      at += 1;
      this.marked += 1;
    }
    if (at === piece.length && this.marked < MARK.length) return NOTHING;
    const first = this.marked > 0 ? MARK[0] : piece[0];
    if (first === 0xfe || first === 0xff)
      throw new CsvError(1, 'it begins as a text in UTF-16 does, and only UTF-8 is read');
    this.unmark();
    return piece.subarray(at);
  }

  /** What began like a mark and was none belongs to the file. */
  private unmark(): void {
    this.begun = true;
    if (this.marked < MARK.length) for (const byte of MARK.subarray(0, this.marked)) this.step(byte);
  }

  private step(byte: number): void {
    switch (this.at) {
      case At.Value:
        this.valueLine = this.line;
        this.quoted = byte === this.quote;
        this.at = this.quoted ? At.Quoted : At.Unquoted;
        if (!this.quoted) this.unquoted(byte);
        return;
      case At.Unquoted:
        this.unquoted(byte);
        return;
      case At.Quoted:
        if (byte === this.quote) this.at = At.Quote;
        else {
          if (byte === LF) this.line += 1;
          this.put(byte);
        }
        return;
      case At.Quote:
        if (byte === this.quote) {
          this.put(byte);
          this.at = At.Quoted;
        } else if (!this.ends(byte)) throw new CsvError(this.line, 'a value goes on behind its closing quote');
        return;
      case At.Return:
        if (byte !== LF)
          throw new CsvError(this.line, 'a carriage return without a line feed stands outside of quotes');
        this.endLine();
    }
  }

  private unquoted(byte: number): void {
    if (this.ends(byte)) return;
    if (byte === this.quote)
      throw new CsvError(this.line, 'a quote stands within a value that does not begin with one');
    this.put(byte);
  }

  /** Whether this byte ends the value; then it has. */
  private ends(byte: number): boolean {
    if (byte === this.delimiter) this.endValue();
    else if (byte === LF) this.endLine();
    else if (byte === CR) this.at = At.Return;
    else return false;
    return true;
  }

  private put(byte: number): void {
    const { out } = this;
    if (byte === BACKSLASH) {
      out[this.length++] = BACKSLASH;
      out[this.length++] = BACKSLASH;
    } else if (byte === TAB || byte === LF || byte === CR) {
      out[this.length++] = BACKSLASH;
      out[this.length++] = byte === TAB ? SMALL_T : byte === LF ? SMALL_N : SMALL_R;
    } else out[this.length++] = byte;
  }

  private endValue(): void {
    const { out, valueAt, column } = this;
    if (this.header === undefined && this.keep?.[column] === false) this.length = valueAt;
    else {
      if (this.doubtful && !isUtf8(out.subarray(valueAt, this.length))) this.notUtf8();
      else if (this.header === undefined && this.isNull()) this.length = valueAt + NULL.copy(out, valueAt);
      else if (this.header === undefined) this.check();
      out[this.length++] = TAB;
    }
    this.column += 1;
    this.valueAt = this.length;
    this.quoted = false;
    this.at = At.Value;
  }

  private isNull(): boolean {
    const { nullText, valueAt, length } = this;
    if (this.quoted || length - valueAt !== nullText.length) return false;
    return this.out.compare(nullText, 0, nullText.length, valueAt, length) === 0;
  }

  private check(): void {
    const check = this.checks?.[this.column];
    if (!check || this.wrong) return;
    const complaint = check(unescaped(this.out.toString('utf8', this.valueAt, this.length)));
    if (complaint !== undefined) this.wrong = new CsvError(this.valueLine, complaint);
  }

  private notUtf8(): void {
    const name = (this.header === undefined && this.names?.[this.column]) || `column ${this.column + 1}`;
    this.wrong ??= new CsvError(
      this.valueLine,
      `${name} holds bytes that are not UTF-8`,
      'write the file in UTF-8 (iconv -f windows-1252 -t utf-8, where that is what it is in), then start the load again',
    );
  }

  private endLine(): void {
    this.endRow();
    this.line += 1;
    this.rowLine = this.line;
  }

  private endRow(): void {
    const empty = this.column === 0 && !this.quoted && this.length === this.valueAt;
    if (empty && this.width !== 1) {
      this.at = At.Value; // an empty line
      return;
    }
    this.grow(this.end.length + MARGIN);
    this.endValue();
    this.width ??= this.column;
    if (this.column !== this.width) {
      const count = `${this.column} value${this.column === 1 ? '' : 's'}`;
      this.wrong = new CsvError(this.rowLine, `${count} where the header has ${this.width}`);
    }
    if (this.wrong) {
      this.setAside(this.wrong);
      return;
    }
    this.length -= this.length > this.whole ? 1 : 0; // the last tab
    if (this.header !== undefined) {
      this.leaveHeader();
      return;
    }
    this.length += this.end.copy(this.out, this.length);
    this.whole = this.valueAt = this.length;
    this.column = 0;
    this.rows += 1;
    if (this.bad) this.lines.push(this.rowLine);
  }

  private setAside(error: CsvError): void {
    if (!this.bad || this.header !== undefined) throw error;
    const values = valuesIn(this.out.toString('utf8', this.whole, Math.max(this.whole, this.length - 1)));
    this.bad({ line: this.rowLine, message: error.message, values });
    this.forget();
  }

  /** What was read of this row. */
  private forget(): void {
    this.length = this.valueAt = this.whole;
    this.column = 0;
    this.wrong = undefined;
  }

  private leaveHeader(): void {
    const found = this.out.toString('utf8', this.whole, this.length);
    if (found !== this.header) throw new CsvError(1, 'the header is another than it was when the batch opened');
    this.header = undefined;
    this.forget();
  }

  private grow(by: number): void {
    if (this.length + by <= this.out.length) return;
    if (this.length - this.whole > this.longest) throw this.tooLong();
    const larger = Buffer.allocUnsafe(Math.min(2 * this.out.length, this.whole + this.longest + MARGIN) + by);
    this.out.copy(larger, 0, 0, this.length);
    this.out = larger;
  }

  private tooLong(): CsvError {
    const most = `${this.longest / MB} MB`;
    return this.at === At.Quoted
      ? new CsvError(
          this.valueLine,
          `a quote opens here and is not closed within ${most}, which is the most that a row may have`,
        )
      : new CsvError(
          this.rowLine,
          `a row begins here that is longer than ${most}, which is the most that one may have`,
        );
  }

  /** Whole rows, and a new place for what has begun. */
  private give(): Buffer {
    if (this.whole === 0) return NOTHING;
    const rows = this.out.subarray(0, this.whole);
    const begun = this.out.subarray(this.whole, this.length);
    this.out = Buffer.allocUnsafe(Math.max(1 << 16, begun.length * 2));
    begun.copy(this.out);
    this.valueAt -= this.whole;
    this.length = begun.length;
    this.whole = 0;
    return rows;
  }
}
