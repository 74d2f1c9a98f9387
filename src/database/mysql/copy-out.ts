import type { Socket } from 'node:net';
import type { ResultSetHeader } from 'mysql2/promise';
import type { CopyOutListener, CopyOutStream } from '../copy-stream.ts';
import { driverConnection, type DriverConnection } from './connect.ts';
import { proveSent } from './prove-rows.ts';
import type { MysqlSession } from './session.ts';
import { ResultRows } from './result-rows.ts';

/**
 * A SELECT whose rows become COPY's text without ever being objects: the socket's bytes are read here until the result has
 * ended. The driver sees a statement without rows instead, or the server's error.
 */
export class CopyOut implements CopyOutStream {
  readonly missing = 0; // only whole rows are handed on
  private readonly stream: Socket;
  private readonly parse: (bytes: Buffer) => void;
  private readonly result = new ResultRows();

  constructor(
    session: MysqlSession,
    text: string,
    private readonly listener: CopyOutListener,
  ) {
    const connection: DriverConnection = driverConnection(session.connection);
    const { stream } = connection;
    const [parse, ...others] = stream.listeners('data') as ((bytes: Buffer) => void)[];
    if (!parse || others.length > 0) throw new Error('mysql2 listens to its socket in another way than CopyOut knows');
    this.stream = stream;
    this.parse = parse;
    stream.removeListener('data', parse);
    stream.on('data', this.take);
    connection.query({ sql: text }, (error: unknown, header?: ResultSetHeader) => {
      this.detach(); // where it was the connection that broke
      if (error) listener.failed(error);
      else
        proveSent(session, header!).then(
          () => listener.done(this.result.rows),
          (cause: unknown) => listener.failed(cause),
        );
    });
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  private readonly take = (bytes: Buffer): void => {
    try {
      const rows = this.result.take(bytes);
      if (rows.length > 0) this.listener.data(rows);
    } catch (error) {
      this.stream.destroy(error as Error); // no protocol that we know: the driver says so
      return;
    }
    if (!this.result.end) return;
    this.detach();
    this.parse(this.result.end);
  };

  /** Gives the socket back to the driver. */
  private detach(): void {
    if (!this.stream.listeners('data').includes(this.take)) return;
    this.stream.removeListener('data', this.take);
    this.stream.on('data', this.parse);
    this.stream.resume();
  }
}
