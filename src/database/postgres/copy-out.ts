import type { Submittable } from 'pg';
import type { CopyFormat, CopyOutListener, CopyOutStream } from '../copy-stream.ts';
import { COPY_DATA, HEADER, rowsOf, type CopyConnection } from './copy-connection.ts';
import { CommonEscapes } from './common-escapes.ts';
import { whileReading } from './errors.ts';

const ERROR = 0x45; // E
const COPY_DONE = 0x63; // c

type Parse = (bytes: Buffer) => void;

/**
 * A COPY … TO STDOUT whose rows never become objects. The server sends a message a row; only the headers are looked at, to
 * see where the rows end. Binary rows are handed on in their messages, for CopyData looks the same in both directions; of text, the
 * rows alone. All other messages go to `pg`. (`pg-copy-streams` takes every message apart and frames it anew.)
 */
export class CopyOut implements CopyOutStream, Submittable {
  private connection: CopyConnection | undefined;
  /** `pg`'s own listener, which gets every message but CopyData. */
  private parse: Parse | undefined;
  /** Bytes that are still to come of a message that has begun, and whose it is. */
  private left = 0;
  private ours = false;
  /** The beginning of a header that was cut. */
  private head: Buffer | undefined;
  private rows = 0;
  private readonly escapes = new CommonEscapes();

  constructor(
    private readonly text: string,
    private readonly format: CopyFormat,
    private readonly listener: CopyOutListener,
  ) {}

  get missing(): number {
    return this.ours && this.format === 'binary' ? this.left : 0;
  }

  pause(): void {
    if (this.parse) this.connection?.stream.pause();
  }

  resume(): void {
    this.connection?.stream.resume();
  }

  // What `pg` calls.

  submit(connection: unknown): void {
    this.connection = connection as CopyConnection;
    const { stream } = this.connection;
    const [parse, ...others] = stream.listeners('data') as Parse[];
    if (!parse || others.length > 0) throw new Error('pg listens to its socket in another way than CopyOut knows');
    this.parse = parse;
    stream.removeListener('data', parse);
    stream.on('data', this.take);
    this.connection.query(this.text);
  }

  handleCommandComplete(message: { text?: string }): void {
    this.rows = rowsOf(message.text);
  }

  handleReadyForQuery(): void {
    this.listener.done(this.rows);
  }

  handleError(error: unknown): void {
    this.detach();
    this.listener.failed(whileReading(error)); // the source's transactions are read only
  }

  private readonly take = (received: Buffer): void => {
    const bytes = this.head ? Buffer.concat([this.head, received]) : received;
    this.head = undefined;
    /** Of a CopyData message, what is not handed on. */
    const skipped = this.format === 'text' ? HEADER : 0;
    let at = 0; // up to here is dealt with
    let rows = 0; // from `start` up to here are rows, moved together where their headers were
    let start = 0;
    const keep = (from: number, to: number): void => {
      if (from > rows) bytes.copyWithin(rows, from, to);
      rows += to - from;
    };
    if (this.left > 0) {
      at = rows = Math.min(this.left, bytes.length);
      this.left -= at;
      if (!this.ours) this.parse!(bytes.subarray(0, (start = at)));
    }
    while (at < bytes.length) {
      const code = bytes[at];
      if (code === COPY_DONE || code === ERROR) {
        this.forward(bytes, start, rows);
        this.detach()(bytes.subarray(at));
        return;
      }
      if (bytes.length - at < HEADER) {
        this.head = bytes.subarray(at);
        break;
      }
      const next = at + 1 + bytes.readUInt32BE(at + 1);
      const end = Math.min(next, bytes.length);
      this.ours = code === COPY_DATA;
      this.left = next - end;
      if (this.ours) keep(Math.min(at + skipped, end), end);
      else {
        // CopyOutResponse at the start; a notice or a changed setting in between
        this.forward(bytes, start, rows);
        this.parse!(bytes.subarray(at, end));
        start = rows = end;
      }
      at = end;
    }
    this.forward(bytes, start, rows);
  };

  private forward(bytes: Buffer, from: number, to: number): void {
    if (to === from) return;
    const rows = from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
    const common = this.format === 'text' ? this.escapes.take(rows) : rows;
    if (common.length > 0) this.listener.data(common);
  }

  /** Gives the socket back to `pg`. */
  private detach(): Parse {
    const { parse } = this;
    const stream = this.connection?.stream;
    if (parse && stream) {
      stream.removeListener('data', this.take);
      stream.on('data', parse);
      stream.resume();
    }
    this.parse = undefined;
    this.connection = undefined;
    return parse ?? (() => undefined);
  }
}
