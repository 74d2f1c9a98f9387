import type { Submittable } from 'pg';
import { rowsOf, type CopyConnection } from './copy-connection.ts';

/** Bytes that may wait for the socket before the sender is asked to pause. */
const HIGH_WATER = 512 * 1024;

export interface CopyInListener {
  /** The server takes data. */
  ready(): void;
  /** After `finish`: everything is in, as many rows as the server counted. */
  done(rows: number): void;
  /** The server's error, or that the connection is gone. Called once, and nothing after it. */
  failed(error: unknown): void;
}

/** A COPY … FROM STDIN that takes whole messages of the protocol, framed as the other server framed them. */
export class CopyIn implements Submittable {
  private connection: CopyConnection | undefined;
  private stream: CopyConnection['stream'] | undefined;
  private rows = 0;

  constructor(
    private readonly text: string,
    private readonly listener: CopyInListener,
  ) {}

  /** False: enough is waiting; `drained` is called when it has gone. */
  write(frames: Buffer, drained: () => void): boolean {
    if (!this.connection) return true; // it failed; the sender will hear of it
    const { stream } = this.connection;
    stream.write(frames);
    if (stream.writableLength < HIGH_WATER) return true;
    stream.once('drain', drained);
    return false;
  }

  finish(): void {
    this.connection?.endCopyFrom();
  }

  /**
   * Has the server give up; it answers with an error. `reason` goes into its log: no values of rows. `missing`: bytes that
   * the last message still lacks; without them the server would take what we say next for the rest of that message.
   */
  abandon(reason: string, missing: number): void {
    this.complete(missing);
    this.connection?.sendCopyFail(reason);
  }

  /** Ends a message that was cut, also after the server has refused it: what is sent next begins a new one. */
  complete(missing: number): void {
    if (missing > 0) this.stream?.write(Buffer.alloc(missing));
  }

  // What `pg` calls.

  submit(connection: unknown): void {
    this.connection = connection as CopyConnection;
    this.stream = this.connection.stream;
    this.connection.query(this.text);
  }

  handleCopyInResponse(): void {
    this.listener.ready();
  }

  handleCommandComplete(message: { text?: string }): void {
    this.rows = rowsOf(message.text);
  }

  handleReadyForQuery(): void {
    this.listener.done(this.rows);
  }

  handleError(error: unknown): void {
    this.connection = undefined;
    this.listener.failed(error);
  }
}
