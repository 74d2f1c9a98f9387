import { Places } from '../places.ts';
import { cut, driverConnection, type Connected } from './connect.ts';
import { MysqlSession } from './session.ts';

/**
 * The few connections for our own statements, kept open and handed on. One that breaks is replaced at its next use; idle
 * ones do not keep the process alive.
 */
export class ControlConnections {
  private readonly places: Places;
  private readonly idle: Connected[] = [];
  private closed = false;

  constructor(
    most: number,
    private readonly connect: () => Promise<Connected>,
  ) {
    this.places = new Places(most);
  }

  async take(): Promise<MysqlSession> {
    await this.places.take();
    try {
      const connected = this.idleOne() ?? (await this.connect());
      const { connection, server } = connected;
      const { stream } = driverConnection(connection);
      stream.ref();
      return new MysqlSession(connection, server, (broken) => {
        this.places.give();
        if (broken || this.closed || !stream.writable) return cut(connection);
        stream.unref();
        this.idle.push(connected);
      });
    } catch (error) {
      this.places.give();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.idle.splice(0).map(({ connection }) => connection.end().catch(() => undefined)));
  }

  /** A restart of the server breaks idle connections, and a fence ends those that are out. */
  private idleOne(): Connected | undefined {
    for (;;) {
      const connected = this.idle.pop();
      if (!connected || driverConnection(connected.connection).stream.writable) return connected;
    }
  }
}
