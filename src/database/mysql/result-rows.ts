import { RowText } from './row-text.ts';

/** Length and number of a packet. */
const HEADER = 4;
/** A packet of this length goes on in the next one. */
const FULL = 0xffffff;
const ERROR = 0xff;
const OK = 0x00;
const EOF = 0xfe;
const LONGEST_EOF = 8;

/** SERVER_STATUS_IN_TRANS and SERVER_STATUS_AUTOCOMMIT; the other flags are about results and sessions. */
const STATUS = 0x03;
const NOTHING = Buffer.alloc(0);

/**
 * Reads the answer to a SELECT out of the bytes of the text protocol (a count of columns, their definitions, EOF, a packet a row,
 * EOF), cut anywhere, and gives its rows as COPY's text. Keeps no more than one row that has not come whole.
 */
export class ResultRows {
  /** Rows so far. */
  rows = 0;
  /** The result has ended: the packet by which a driver that waits for the first answer takes it. */
  end: Buffer | undefined;
  private phase: 'header' | 'columns' | 'rows' = 'header';
  private readonly text = new RowText();
  /** The beginning of a packet that was cut, and how long it is if that is known. */
  private pieces: Buffer[] = [];
  private gathered = 0;
  private needed = HEADER;
  /** Packets of a row that is longer than one. */
  private parts: Buffer[] = [];

  /** The rows that end in these bytes. Holds until the next call. */
  take(received: Buffer): Buffer {
    const bytes = this.gather(received);
    if (!bytes) return NOTHING;
    let at = 0;
    while (!this.end) {
      const left = bytes.length - at;
      const needed = left < HEADER ? HEADER : HEADER + bytes.readUIntLE(at, 3);
      if (left < needed) {
        if (left > 0) this.keep(bytes.subarray(at), needed);
        break;
      }
      this.packet(bytes, at + HEADER, at + needed);
      at += needed;
    }
    return this.text.finish();
  }

  /** What was left of the bytes before, and these; undefined: the packet is still not whole. */
  private gather(received: Buffer): Buffer | undefined {
    if (this.gathered === 0) return received;
    this.keep(received, this.needed);
    if (this.gathered < this.needed) return undefined;
    const bytes = Buffer.concat(this.pieces);
    this.pieces = [];
    this.gathered = 0;
    return bytes;
  }

  private keep(piece: Buffer, needed: number): void {
    this.pieces.push(piece);
    this.gathered += piece.length;
    this.needed = needed;
  }

  private packet(bytes: Buffer, from: number, to: number): void {
    if (this.parts.length > 0 || to - from === FULL) {
      this.parts.push(bytes.subarray(from, to));
      if (to - from === FULL) return;
      const whole = Buffer.concat(this.parts);
      this.parts = [];
      this.row(whole, 0, whole.length);
      return;
    }
    const code = bytes[from];
    // No row begins like this: the first length is that of a value, or 0xfb for NULL.
    if (code === ERROR) this.end = first(bytes.subarray(from, to));
    else if (this.phase === 'header') {
      // No result, but the answer to another statement.
      if (code === OK) this.end = first(bytes.subarray(from, to));
      this.phase = 'columns';
    } else if (code === EOF && to - from <= LONGEST_EOF) this.endOf(bytes, from);
    else if (this.phase === 'columns') this.text.column(bytes, to);
    else this.row(bytes, from, to);
  }

  private row(bytes: Buffer, from: number, to: number): void {
    this.rows += 1;
    this.text.row(bytes, from, to);
  }

  private endOf(bytes: Buffer, from: number): void {
    if (this.phase === 'columns') {
      this.phase = 'rows';
      return;
    }
    const warnings = bytes.readUInt16LE(from + 1);
    const status = bytes.readUInt16LE(from + 3) & STATUS;
    this.end = first(Buffer.of(OK, 0, 0, status, 0, warnings & 0xff, warnings >> 8));
  }
}

/** A packet as the first one of an answer. */
function first(payload: Buffer): Buffer {
  const packet = Buffer.allocUnsafe(HEADER + payload.length);
  packet.writeUIntLE(payload.length, 0, 3);
  packet[3] = 1;
  payload.copy(packet, HEADER);
  return packet;
}
