const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BACKSLASH = 0x5c;
const NULL = 0xfb;
/** The last character that may have to be escaped, but for the backslash. */
const LAST_CONTROL = RETURN;

/** The collation that says: bytes, no characters. */
const BINARY = 63;
/** The protocol's types of texts, blobs, geometries and vectors; the others are written in digits. (JSON, 245, says BINARY and is text.) */
const TEXTS = new Set([15, 242, 249, 250, 251, 252, 253, 254, 255]);
const HEX = Buffer.from('0123456789abcdef', 'latin1');

/** Written, a value takes at most two bytes for each of its own, and so many more. */
const MORE = 4;
/** A buffer that a row of this length asked for is not kept for the others. */
const SIZE = 1 << 18;
const LARGE = 1 << 22;

/** Writes rows of the text protocol as COPY's text, into a buffer that is used again and again. */
export class RowText {
  private readonly bytes: boolean[] = [];
  private out = Buffer.allocUnsafeSlow(SIZE);
  private length = 0;

  /** The next column, by its definition, which ends at `to`. */
  column(packet: Buffer, to: number): void {
    const collation = packet.readUInt16LE(to - 12);
    this.bytes.push(collation === BINARY && TEXTS.has(packet[to - 6]!));
  }

  row(packet: Buffer, from: number, to: number): void {
    this.reserve(2 * (to - from) + MORE * this.bytes.length + 1);
    const { out, bytes } = this;
    let o = this.length;
    let at = from;
    for (let column = 0; column < bytes.length; column++) {
      if (column > 0) out[o++] = TAB;
      let size = packet[at++]!;
      if (size === NULL) {
        out[o++] = BACKSLASH;
        out[o++] = 0x4e; // N
        continue;
      }
      if (size > NULL) {
        const width = size === 0xfc ? 2 : size === 0xfd ? 3 : 6; // of eight bytes, no value needs the last two
        size = packet.readUIntLE(at, width);
        at += width === 6 ? 8 : width;
      }
      const end = at + size;
      if (end > to) throw new Error('a row of MySQL is shorter than its values');
      o = bytes[column] ? hex(packet, at, end, out, o) : escape(packet, at, end, out, o);
      at = end;
    }
    out[o++] = NEWLINE;
    this.length = o;
  }

  /** What was written since; it may be kept, the buffer is not it. */
  finish(): Buffer {
    const rows = Buffer.allocUnsafeSlow(this.length);
    this.out.copy(rows, 0, 0, this.length);
    this.length = 0;
    if (this.out.length > LARGE) this.out = Buffer.allocUnsafeSlow(SIZE);
    return rows;
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.out.length));
    this.out.copy(larger, 0, 0, this.length);
    this.out = larger;
  }
}

/** `\\x6869`, as COPY writes a bytea. */
function hex(packet: Buffer, from: number, to: number, out: Buffer, at: number): number {
  let o = at;
  out[o++] = BACKSLASH;
  out[o++] = BACKSLASH;
  out[o++] = 0x78; // x
  for (let i = from; i < to; i++) {
    const byte = packet[i]!;
    out[o++] = HEX[byte >> 4]!;
    out[o++] = HEX[byte & 15]!;
  }
  return o;
}

function escape(packet: Buffer, from: number, to: number, out: Buffer, at: number): number {
  let o = at;
  for (let i = from; i < to; i++) {
    const byte = packet[i]!;
    if (byte > LAST_CONTROL && byte !== BACKSLASH) {
      out[o++] = byte;
      continue;
    }
    const letter = LETTERS[byte];
    if (letter !== undefined) out[o++] = BACKSLASH;
    out[o++] = letter ?? byte;
  }
  return o;
}

const LETTERS: Record<number, number> = { [TAB]: 0x74, [NEWLINE]: 0x6e, [RETURN]: 0x72, [BACKSLASH]: BACKSLASH };
