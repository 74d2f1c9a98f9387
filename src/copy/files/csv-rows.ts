/** CSV (RFC 4180) into the rows that both families of servers read, byte by byte: nothing becomes an object. */

/** How a CSV file is written. */
export interface CsvFormat {
  /** One ASCII character each. */
  delimiter: string;
  quote: string;
  /** An unquoted value that is this text is NULL. */
  nullText: string;
}

export interface CsvShape {
  /** Names that the first row must have, which is no row of values then; undefined: it is one. */
  header?: readonly string[];
  /** Which values of a row go on; undefined: all. */
  keep?: readonly boolean[];
  /** Rows after which nothing more is read. */
  most?: number;
  /** What ends each row, behind its last value. */
  end: string;
}

/** A file that cannot be read as CSV, and on which line. */
export class CsvError extends Error {
  override readonly name = 'CsvError';
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message);
  }
}

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
  private at: At = At.Value;
  private out = Buffer.allocUnsafe(1 << 16);
  private length = 0;
  /** Up to here are whole rows. */
  private whole = 0;
  /** Where the value begins in `out`. */
  private valueAt = 0;
  private column = 0;
  private rowLine = 1;
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
  private readonly keep: readonly boolean[] | undefined;

  constructor(format: CsvFormat, { header, keep, most = Infinity, end }: CsvShape) {
    this.delimiter = format.delimiter.charCodeAt(0);
    this.quote = format.quote.charCodeAt(0);
    this.nullText = Buffer.from(escaped(format.nullText));
    this.header = header?.map(escaped).join('\t');
    this.width = header?.length;
    this.keep = keep;
    this.end = Buffer.from(end);
    this.most = most;
  }

  /** Throws `CsvError`. */
  take(piece: Buffer): Buffer {
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
    if (this.at === At.Quoted)
      throw new CsvError(this.rowLine, 'a quote opens in the row that begins here and is never closed');
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
    const { out, valueAt, length, column } = this;
    if (this.header === undefined && this.keep?.[column] === false) this.length = valueAt;
    else {
      const { nullText } = this;
      const same = length - valueAt === nullText.length;
      if (
        same &&
        !this.quoted &&
        this.header === undefined &&
        out.compare(nullText, 0, nullText.length, valueAt, length) === 0
      ) {
        this.length = valueAt + NULL.copy(out, valueAt);
      }
      out[this.length++] = TAB;
    }
    this.column += 1;
    this.valueAt = this.length;
    this.quoted = false;
    this.at = At.Value;
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
      throw new CsvError(
        this.rowLine,
        `${this.column} value${this.column === 1 ? '' : 's'} where the header has ${this.width}`,
      );
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
  }

  private leaveHeader(): void {
    const found = this.out.toString('utf8', this.whole, this.length);
    if (found !== this.header) throw new CsvError(1, 'the header is another than it was when the batch opened');
    this.header = undefined;
    this.length = this.valueAt = this.whole;
    this.column = 0;
  }

  private grow(by: number): void {
    if (this.length + by <= this.out.length) return;
    const larger = Buffer.allocUnsafe(this.out.length * 2 + by);
    this.out.copy(larger, 0, 0, this.length);
    this.out = larger;
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

const escaped = (text: string): string =>
  text.replace(/[\\\t\n\r]/g, (c) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[c]!);
