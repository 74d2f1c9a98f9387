import type { Submittable } from 'pg';
import type { CopyInListener, CopyInStream } from '../dialect.ts';
import { rowsOf, type CopyConnection } from './copy-connection.ts';

/** Bytes that may wait for the socket before the sender is asked to pause. */
const HIGH_WATER = 512 * 1024;

/** A COPY … FROM STDIN that takes whole messages of the protocol, framed as the other server framed them. */
export class CopyIn implements CopyInStream, Submittable {
  private connection: CopyConnection | undefined;
  private stream: CopyConnection['stream'] | undefined;
  private rows = 0;

  constructor(
    private readonly text: string,
    private readonly listener: CopyInListener,
  ) {}

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

  abandon(reason: string, missing: number): void {
    this.complete(missing);
    this.connection?.sendCopyFail(reason);
  }

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
