/** CSV (RFC 4180) into the rows that both families of servers read, byte by byte: nothing becomes an object. */

import { isUtf8 } from 'node:buffer';
import { BYTE_ORDER_MARK, ByteOrderMark } from './byte-order-mark.ts';
import {
  CsvError,
  escaped,
  unescaped,
  valuesIn,
  type BadCsvRow,
  type CsvFormat,
  type CsvShape,
  type ValueCheck,
} from './csv-format.ts';
import { RowBuffer } from './row-buffer.ts';

const MB = 1024 * 1024;
/** A quote that stays open must not fill the memory with the rest of the file. */
const LONGEST_ROW = 64 * MB;
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const BACKSLASH = 0x5c;
const [SMALL_N, SMALL_R, SMALL_T] = [0x6e, 0x72, 0x74];
const NULL = Buffer.from('\\N');
const SEVERAL_IN_ONE =
  'take these lines out, or give each of the files that were put together here its own name; then start the load again';

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
  private readonly mark = new ByteOrderMark();
  private readonly out: RowBuffer;
  private column = 0;
  private rowLine = 1;
  private valueLine = 1;
  /** Some byte of this piece, or of the row that it goes on with, is not UTF-8: which value has it is asked one by one. */
  private doubtful = false;
  /** What is wrong with the row. */
  private wrong: CsvError | undefined;
  private quoted = false;
  private header: string | undefined;
  private width: number | undefined;
  private readonly delimiter: number;
  private readonly quote: number;
  /** By byte: 0 where it is put as it is, within a value. */
  private readonly special = new Uint8Array(256);
  private readonly nullText: Buffer;
  private readonly end: Buffer;
  private readonly most: number;
  private readonly longest: number;
  private readonly keep: readonly boolean[] | undefined;
  private readonly bad: ((row: BadCsvRow) => void) | undefined;
  private readonly checks: readonly (ValueCheck | undefined)[] | undefined;
  private readonly names: readonly string[] | undefined;
  /** The header as a row would have it; undefined: so few values go on that a row may well be the same. */
  private readonly again: Buffer | undefined;

  constructor(format: CsvFormat, { header, keep, checks, bad, most = Infinity, end, longest = LONGEST_ROW }: CsvShape) {
    this.delimiter = format.delimiter.charCodeAt(0);
    this.quote = format.quote.charCodeAt(0);
    for (const byte of [this.delimiter, this.quote, LF, CR, TAB, BACKSLASH]) this.special[byte] = 1;
    this.nullText = Buffer.from(escaped(format.nullText));
    this.header = header?.map(escaped).join('\t');
    this.width = header?.length;
    this.names = header;
    const kept = header?.filter((_, i) => keep?.[i] ?? true) ?? [];
    this.again = kept.length > 1 ? Buffer.from(kept.map(escaped).join('\t')) : undefined;
    this.keep = keep;
    this.checks = checks;
    this.bad = bad;
    this.end = Buffer.from(end);
    this.most = most;
    this.longest = longest;
    this.out = new RowBuffer(longest, () => this.tooLong());
  }

  /** Throws `CsvError`. */
  take(piece: Buffer): Buffer {
    this.read(this.mark.textOf(piece));
    return this.out.give();
  }

  /** The last row, where no newline ends it. Throws `CsvError`. */
  finish(): Buffer {
    this.read(this.mark.rest());
    if (this.at === At.Quoted) throw new CsvError(this.valueLine, 'a quote opens here and is never closed');
    const begun = this.column > 0 || this.at !== At.Value;
    if (begun) this.endRow();
    return this.out.give();
  }

  private read(bytes: Buffer): void {
    const { out, special } = this;
    // Also where a piece ends within a character: then for no reason.
    this.doubtful = !isUtf8(bytes) || (this.doubtful && out.length > out.whole);
    for (let i = 0; i < bytes.length && this.rows !== this.most; i++) {
      if (this.at === At.Unquoted || this.at === At.Quoted) {
        i = out.putPlain(bytes, i, special);
        if (i === bytes.length) return;
      }
      out.reserve(0);
      this.step(bytes[i]!);
    }
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
    const { bytes } = out;
    if (byte === BACKSLASH) {
      bytes[out.length++] = BACKSLASH;
      bytes[out.length++] = BACKSLASH;
    } else if (byte === TAB || byte === LF || byte === CR) {
      bytes[out.length++] = BACKSLASH;
      bytes[out.length++] = byte === TAB ? SMALL_T : byte === LF ? SMALL_N : SMALL_R;
    } else bytes[out.length++] = byte;
  }

  private endValue(): void {
    const { out, column } = this;
    const { bytes, valueAt } = out;
    if (this.header === undefined && this.keep?.[column] === false) out.length = valueAt;
    else {
      if (this.doubtful && !isUtf8(bytes.subarray(valueAt, out.length))) this.notUtf8();
      else if (this.header === undefined && this.isNull()) out.length = valueAt + NULL.copy(bytes, valueAt);
      else if (this.header === undefined) this.check();
      bytes[out.length++] = TAB;
    }
    this.column += 1;
    out.valueAt = out.length;
    this.quoted = false;
    this.at = At.Value;
  }

  private isNull(): boolean {
    const { nullText, out } = this;
    if (this.quoted || out.length - out.valueAt !== nullText.length) return false;
    return nullText.length === 0 || out.bytes.compare(nullText, 0, nullText.length, out.valueAt, out.length) === 0;
  }

  private check(): void {
    const check = this.checks?.[this.column];
    if (!check || this.wrong) return;
    const complaint = check(unescaped(this.out.bytes.toString('utf8', this.out.valueAt, this.out.length)));
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
    const { out } = this;
    const empty = this.column === 0 && !this.quoted && out.length === out.valueAt;
    // An empty line, which is a row only where there is one column; before the header, that is not known to who reads the header alone.
    if (empty && (this.width !== 1 || this.header !== undefined)) {
      this.at = At.Value;
      return;
    }
    out.reserve(this.end.length);
    this.endValue();
    this.width ??= this.column;
    if (this.column !== this.width) {
      const count = `${this.column} value${this.column === 1 ? '' : 's'}`;
      this.wrong = new CsvError(this.rowLine, `${count} where the header has ${this.width}`);
    }
    if (this.isHeaderAgain()) this.wrong = new CsvError(this.rowLine, 'the header stands here again', SEVERAL_IN_ONE);
    if (this.wrong) {
      this.setAside(this.wrong);
      return;
    }
    out.length -= out.length > out.whole ? 1 : 0; // the last tab
    if (this.header !== undefined) {
      this.leaveHeader();
      return;
    }
    out.length += this.end.copy(out.bytes, out.length);
    out.whole = out.valueAt = out.length;
    this.column = 0;
    this.rows += 1;
    if (this.bad) this.lines.push(this.rowLine);
  }

  /** Perhaps behind the byte order mark of the file that it was the header of. */
  private isHeaderAgain(): boolean {
    const { again, out } = this;
    if (again === undefined || this.header !== undefined) return false;
    const end = out.length - 1; // the last tab
    const start = end - again.length;
    if (start !== out.whole && start !== out.whole + BYTE_ORDER_MARK.length) return false;
    if (!again.equals(out.bytes.subarray(start, end))) return false;
    return start === out.whole || BYTE_ORDER_MARK.equals(out.bytes.subarray(out.whole, start));
  }

  private setAside(error: CsvError): void {
    if (!this.bad || this.header !== undefined) throw error;
    const { bytes, whole, length } = this.out;
    const values = valuesIn(bytes.toString('utf8', whole, Math.max(whole, length - 1)));
    this.bad({ line: this.rowLine, message: error.message, values });
    this.forget();
  }

  /** What was read of this row. */
  private forget(): void {
    this.out.forget();
    this.column = 0;
    this.wrong = undefined;
  }

  private leaveHeader(): void {
    const { bytes, whole, length } = this.out;
    if (bytes.toString('utf8', whole, length) !== this.header)
      throw new CsvError(1, 'the header is another than it was when the batch opened');
    this.header = undefined;
    this.forget();
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
}
