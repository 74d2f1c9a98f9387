/** Bytes of a first piece. */
const FIRST = 1 << 16;
/** Bytes that a piece of a file becomes, at the most, where no row is long. */
const USUAL = 1 << 20;
/** What one step adds at the most, besides the end of a row. */
const MARGIN = 8;
const NOTHING = Buffer.alloc(0);

/** Rows on their way out, as both families of servers read them: those that are whole, and the one that is being read. */
export class RowBuffer {
  bytes = Buffer.allocUnsafe(FIRST);
  length = 0;
  /** Up to here are whole rows. */
  whole = 0;
  /** Where the value begins that is being read. */
  valueAt = 0;

  /** `longest`: bytes of a row at the most. */
  constructor(
    private readonly longest: number,
    private readonly tooLong: () => Error,
  ) {}

  /** Makes room for these bytes, and for a step. Throws `tooLong`. */
  reserve(by: number): void {
    const needed = by + MARGIN;
    if (this.length + needed <= this.bytes.length) return;
    if (this.length - this.whole > this.longest) throw this.tooLong();
    const larger = Buffer.allocUnsafe(Math.min(2 * this.bytes.length, this.whole + this.longest + MARGIN) + needed);
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  /** Adds bytes as they are, from this one up to one that is special (or that there is no room for); says where that is. */
  putPlain(from: Buffer, at: number, special: Uint8Array): number {
    const { bytes } = this;
    let { length } = this;
    const end = Math.min(from.length, at + bytes.length - MARGIN - length);
    for (; at < end; at++) {
      const byte = from[at]!;
      if (special[byte] !== 0) break;
      bytes[length++] = byte;
    }
    this.length = length;
    return at;
  }

  /** Takes back what was read of the row. */
  forget(): void {
    this.length = this.valueAt = this.whole;
  }

  /** Hands whole rows on, and begins anew with the rest. */
  give(): Buffer {
    if (this.whole === 0) return NOTHING;
    const rows = this.bytes.subarray(0, this.whole);
    const begun = this.bytes.subarray(this.whole, this.length);
    // The next piece will be as long as this one was.
    const likely = Math.min(USUAL, rows.length + (rows.length >> 3));
    this.bytes = Buffer.allocUnsafe(Math.max(FIRST, begun.length * 2, likely));
    begun.copy(this.bytes);
    this.valueAt -= this.whole;
    this.length = begun.length;
    this.whole = 0;
    return rows;
  }
}
