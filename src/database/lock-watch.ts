import type { Databases } from './databases.ts';
import type { Database, LockWait, Session, SessionOptions } from './dialect.ts';

/** As long as a swap waits for one table (activities/take-snapshot.ts): an autovacuum yields, and nobody queues behind us for long. */
const LOCK_WAIT_MS = 2_000;
/** What is looked at is there within moments as a rule: nothing is asked of the server unless it takes longer. */
const LOOK_EVERY_MS = 400;

/** What is known of a wait after another look at it: of one that ends as it is looked at only a part may be seen. */
export const newest = (known: LockWait | undefined, seen: LockWait | undefined): LockWait | undefined =>
  seen?.waitingFor !== undefined ? seen : (known ?? seen);

/**
 * Sessions that wait for no lock for longer than two seconds, watched from another connection for whom they wait for: once a wait has
 * ended, no server can say. Stop it.
 */
export class LockWatch {
  private readonly sessions = new Map<Session, Database>();
  private last: LockWait | undefined;
  private looking: Promise<void> = Promise.resolve();
  private readonly timer = setInterval(() => {
    this.looking = this.looking.then(() => this.look()).catch(() => undefined); // it is for a message only
  }, LOOK_EVERY_MS);

  /** The same databases, all sessions of which are watched from now on. */
  over(databases: Databases): Databases {
    return Object.create(databases, {
      get: { value: (name: string) => this.watched(databases.get(name)) },
    }) as Databases;
  }

  /** Whom it waited for last, as far as the server tells. */
  async seen(): Promise<LockWait | undefined> {
    await this.looking;
    return this.last;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private watched(database: Database): Database {
    const openSession = async (purpose: string, options: SessionOptions = {}): Promise<Session> => {
      const session = await database.openSession(purpose, { lockTimeoutMs: LOCK_WAIT_MS, ...options });
      this.sessions.set(session, database);
      return session;
    };
    return Object.create(database, { openSession: { value: openSession } }) as Database;
  }

  private async look(): Promise<void> {
    for (const [session, database] of this.sessions) {
      if (session.closed) this.sessions.delete(session);
      else this.last = newest(this.last, await database.dialect.lockWait(database, session.connectionId));
    }
  }
}
