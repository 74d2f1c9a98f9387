import type { Submittable } from 'pg';
import { takesMore, type CopyFormat, type CopyInListener, type CopyInStream } from '../copy-stream.ts';
import { COPY_DATA, HEADER, rowsOf, type CopyConnection } from './copy-connection.ts';

/** A COPY … FROM STDIN: text becomes messages of the protocol here, binary rows come in messages as another server framed them. */
export class CopyIn implements CopyInStream, Submittable {
  private connection: CopyConnection | undefined;
  private stream: CopyConnection['stream'] | undefined;
  private rows = 0;

  constructor(
    private readonly text: string,
    private readonly format: CopyFormat,
    private readonly listener: CopyInListener,
  ) {}

  write(rows: Buffer, drained: () => void): boolean {
    if (!this.connection) return true; // it failed; the sender will hear of it
    const { stream } = this.connection;
    stream.cork();
    if (this.format === 'text') stream.write(headerOf(rows));
    stream.write(rows);
    stream.uncork();
    return takesMore(stream, drained);
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

function headerOf(rows: Buffer): Buffer {
  const header = Buffer.allocUnsafe(HEADER);
  header[0] = COPY_DATA;
  header.writeUInt32BE(rows.length + HEADER - 1, 1);
  return header;
}
