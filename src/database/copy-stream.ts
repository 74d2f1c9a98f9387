/** How rows stream out of one server and into another. */
import type { Socket } from 'node:net';

/**
 * `text`: rows as both families read and write them: a tab between two values, a newline behind each row, `\N` for null,
 * `\\`, `\t`, `\n`, `\r` and `\b` for what would be taken for something else. Pieces may be cut anywhere. `binary`: PostgreSQL's own
 * messages, only between two of its kind whose types agree.
 */
export type CopyFormat = 'binary' | 'text';

export interface CopyOutListener {
  /** A piece of the rows; the last row may be cut, the next call goes on with it. */
  data(rows: Buffer): void;
  /** Everything was sent, as many rows as were counted. */
  done(rows: number): void;
  /** The server's error, or that the connection is gone. Called once, and nothing after it. */
  failed(error: unknown): void;
}

/** Rows on their way out of a server. */
export interface CopyOutStream {
  /** Bytes of the last message that were not handed on, because they have not come (`binary`). */
  readonly missing: number;
  pause(): void;
  resume(): void;
}

export interface CopyInListener {
  /** The server takes data. */
  ready(): void;
  /** After `finish`: everything is in, as many rows as the server counted. */
  done(rows: number): void;
  /** The server's error, or that the connection is gone. Called once, and nothing after it. */
  failed(error: unknown): void;
}

/** Rows on their way into a server. */
export interface CopyInStream {
  /** False: enough is waiting; `drained` is called when it has gone. */
  write(rows: Buffer, drained: () => void): boolean;
  finish(): void;
  /**
   * Has the server give up; `failed` is called when it has. `reason` may go into its log: no values of rows. `missing`: bytes
   * that the last message still lacks; without them the server would take what we say next for the rest of that row.
   */
  abandon(reason: string, missing: number): void;
  /** Ends a message that was cut, also after the server has refused it: what is sent next begins a new one. */
  complete(missing: number): void;
}

/** A column that rows are written into. */
export interface CopyInColumn {
  /** Quoted. */
  name: string;
  /** What the column is given, where that is not the value as it travels (`\x6869` for bytes). */
  value?: (written: string) => string;
}

/** Bytes that may wait for a socket before the sender is asked to pause. */
const HIGH_WATER = 512 * 1024;

/** Whether a socket takes more; if not, `drained` is called once it does. */
export function takesMore(socket: Socket, drained: () => void): boolean {
  if (socket.writableLength < HIGH_WATER) return true;
  socket.once('drain', drained);
  return false;
}
