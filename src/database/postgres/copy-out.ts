import type { Submittable } from 'pg';
import type { CopyOutListener, CopyOutStream } from '../dialect.ts';
import { rowsOf, type CopyConnection } from './copy-connection.ts';

const COPY_DATA = 0x64; // d
const ERROR = 0x45; // E
const COPY_DONE = 0x63; // c
/** Code and length. */
const HEADER = 5;

type Parse = (bytes: Buffer) => void;

/**
 * A COPY … TO STDOUT whose rows never become objects. The server sends a message a row, and CopyData looks the same in both
 * directions, so the bytes of the socket are handed on as they are; only the headers are looked at, to see where the rows
 * end. All other messages go to `pg`. (`pg-copy-streams` takes every message apart and frames it anew.)
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

  constructor(
    private readonly text: string,
    private readonly listener: CopyOutListener,
  ) {}

  get missing(): number {
    return this.ours ? this.left : 0;
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
    this.listener.failed(error);
  }

  private readonly take = (received: Buffer): void => {
    const bytes = this.head ? Buffer.concat([this.head, received]) : received;
    this.head = undefined;
    let at = 0; // up to here is dealt with
    let end = 0; // up to here are rows
    if (this.left > 0) {
      end = Math.min(this.left, bytes.length);
      this.left -= end;
      if (!this.ours) {
        this.parse!(bytes.subarray(0, end));
        at = end;
      }
    }
    while (end < bytes.length) {
      const code = bytes[end];
      if (code === COPY_DONE || code === ERROR) {
        this.forward(bytes, at, end);
        this.detach()(bytes.subarray(end));
        return;
      }
      if (bytes.length - end < HEADER) {
        this.head = bytes.subarray(end);
        break;
      }
      const next = end + 1 + bytes.readUInt32BE(end + 1);
      this.ours = code === COPY_DATA;
      this.left = Math.max(0, next - bytes.length);
      if (this.ours) end = Math.min(next, bytes.length);
      else {
        // CopyOutResponse at the start; a notice or a changed setting in between
        this.forward(bytes, at, end);
        at = Math.min(next, bytes.length);
        this.parse!(bytes.subarray(end, at));
        end = at;
      }
    }
    this.forward(bytes, at, end);
  };

  private forward(bytes: Buffer, from: number, to: number): void {
    if (to > from) this.listener.data(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
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
