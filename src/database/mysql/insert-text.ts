import { isUtf8 } from 'node:buffer';
import type { CopyInColumn } from '../copy-stream.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
const QUOTE = 0x27;
const BACKSLASH = 0x5c;
const NULL = Buffer.from('null');
const BETWEEN_ROWS = Buffer.from('),(');
/** What stands for the value in a template; no SQL of ours holds it. */
const VALUE = '\0';

/** ER_DATA_TOO_LONG: an error of the row, which a quarantine sets aside. */
const TOO_LONG = 1406;

/** Longest texts of statements, in bytes. */
export interface Limits {
  /** From here on a row begins another one. */
  usual: number;
  /** What the server takes. */
  most: number;
}

/** Turns rows of COPY's text into INSERTs. Escapes are the same in both; what stands around a value is not. */
export class InsertText {
  private readonly head: Buffer;
  /** What stands before and behind each value. */
  private readonly around: { before: Buffer; after: Buffer }[];
  private out = Buffer.allocUnsafeSlow(1 << 16);
  private length = 0;
  private rowAt = 0;
  private valueAt = 0;
  private column = 0;
  private escaped = false;
  private isNull = false;
  private inRow = false;

  constructor(
    table: string,
    columns: CopyInColumn[],
    private readonly limits: Limits,
  ) {
    this.head = Buffer.from(`insert into ${table} (${columns.map(({ name }) => name).join(', ')}) values (`);
    this.around = columns.map(({ value = (written) => written }, i) => {
      const [before = '', after = ''] = value(VALUE).split(VALUE);
      return { before: Buffer.from(`${i === 0 ? '' : ','}${before}`), after: Buffer.from(after) };
    });
    this.begin();
  }

  /** Takes a piece of the rows, cut anywhere; gives the statements that are long enough. */
  add(piece: Buffer): string[] {
    const statements: string[] = [];
    for (const byte of piece) {
      if (!this.inRow) this.openRow();
      if (this.escaped) this.escape(byte);
      else if (byte === BACKSLASH) this.escaped = true;
      else if (byte === TAB) {
        this.closeValue();
        this.openValue();
      } else if (byte === NEWLINE) {
        this.closeValue();
        this.closeRow(statements);
      } else if (byte === QUOTE) this.put(QUOTE, QUOTE);
      else this.put(byte);
    }
    return statements;
  }

  /** The last statement, when all rows have been taken. */
  rest(): string | undefined {
    return this.length === this.head.length ? undefined : this.take(this.length);
  }

  private begin(): void {
    this.length = 0;
    this.append(this.head);
    this.rowAt = this.length;
  }

  private openRow(): void {
    this.inRow = true;
    this.rowAt = this.length;
    if (this.length > this.head.length) this.append(BETWEEN_ROWS);
    this.column = 0;
    this.openValue();
  }

  private openValue(): void {
    const around = this.around[this.column++];
    if (!around) throw new Error('a row has more values than columns');
    this.append(around.before);
    this.valueAt = this.length;
    this.put(QUOTE);
    this.isNull = false;
  }

  private escape(byte: number): void {
    this.escaped = false;
    this.isNull = byte === 0x4e; // \N is never a part of a value
    if (!this.isNull) this.put(BACKSLASH, byte);
  }

  private closeValue(): void {
    if (this.isNull) {
      this.length = this.valueAt;
      this.append(NULL);
    } else this.put(QUOTE);
    this.append(this.around[this.column - 1]!.after);
  }

  private closeRow(statements: string[]): void {
    this.inRow = false;
    const before = this.rowAt;
    if (this.length >= this.limits.most && before > this.head.length) {
      const row = Buffer.from(this.out.subarray(before + BETWEEN_ROWS.length, this.length));
      statements.push(this.take(before));
      this.append(row);
    }
    if (this.length >= this.limits.most) {
      const message = `a row is longer than the server's max_allowed_packet, ${this.limits.most} bytes`;
      throw Object.assign(new Error(message), { errno: TOO_LONG });
    }
    if (this.length >= this.limits.usual) statements.push(this.take(this.length));
  }

  /** The statement of the rows up to here; another one is begun. */
  private take(end: number): string {
    const statement = this.out.subarray(0, end);
    // They would become question marks; LOAD DATA refuses them, too.
    if (!isUtf8(statement)) throw new Error('the rows hold bytes that are not UTF-8');
    const text = `${statement.toString()})`;
    this.begin();
    return text;
  }

  private put(one: number, two?: number): void {
    this.reserve(2);
    this.out[this.length++] = one;
    if (two !== undefined) this.out[this.length++] = two;
  }

  private append(bytes: Buffer): void {
    this.reserve(bytes.length);
    bytes.copy(this.out, this.length);
    this.length += bytes.length;
  }

  private reserve(more: number): void {
    if (this.length + more <= this.out.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.length + more));
    this.out.copy(larger, 0, 0, this.length);
    this.out = larger;
  }
}
