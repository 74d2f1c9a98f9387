import type { Submittable } from 'pg';
import { rowsOf, type CopyConnection } from './copy-connection.ts';

/** Bytes that may wait for the socket before the sender is asked to pause. */
const HIGH_WATER = 256 * 1024;

/** A COPY … FROM STDIN whose data comes in whole messages of the protocol, framed already. */
export class CopyIn implements Submittable {
  /** The server takes data; rejects when it refuses the statement. */
  readonly ready: Promise<void>;
  /** Rows that the server counted. Rejects with its error, whatever the reason, or when the connection is gone. */
  readonly done: Promise<number>;
  private connection: CopyConnection | undefined;
  private rows = 0;
  private readonly steps: { ready(): void; done(rows: number): void; failed(error: unknown): void };

  constructor(private readonly text: string) {
    const ready = Promise.withResolversOf<void>();
    const done = Promise.withResolversOf<number>();
    this.ready = ready.promise;
    this.done = done.promise;
    // Whoever waits for one of them hears of it; the other one's rejection is the same.
    ready.promise.catch(() => undefined);
    done.promise.catch(() => undefined);
    this.steps = {
      ready: ready.resolve,
      done: done.resolve,
      failed: (error) => {
        ready.reject(error);
        done.reject(error);
      },
    };
  }
}
