/** Locks of others that an activity waits for: what it says of them with its heartbeats, `status` and `show` say of its load. */
import { Context } from '@temporalio/activity';
import { describeHolder } from '../database/describe-holder.ts';
import type { Database, LockWait, Session } from '../database/dialect.ts';

const opened = new WeakMap<Context, Map<Session, Database>>();

/** Hears of each session of a worker; one that an activity opens is looked at until it is closed. */
export function noteSession(session: Session, database: Database): void {
  const activity = runningActivity();
  if (!activity) return;
  const sessions = opened.get(activity) ?? new Map<Session, Database>();
  opened.set(activity, sessions.set(session, database));
}

/** Undefined: a command, or the worker itself. */
function runningActivity(): Context | undefined {
  try {
    return Context.current();
  } catch {
    return undefined;
  }
}

/** What an activity waits for now, and who holds it, in words. */
export interface Waits {
  waitingFor: string;
  heldBy: string[];
}

/**
 * Looks at the sessions of one activity, each time from another connection. Most locks are had within moments: only who is found waiting
 * twice in a row is told of.
 */
export class LockWaits {
  private before: LockWait | undefined;
  private now: LockWait | undefined;
  private looking = false;

  constructor(private readonly activity: Context) {}

  get told(): Waits | undefined {
    if (!this.before || !this.now) return undefined;
    const { waitingFor = 'what somebody has locked', holders } = this.now;
    return { waitingFor, heldBy: holders.map((holder) => describeHolder(holder)) };
  }

  /** Never throws, and asks nothing while it still waits for the last answer: it is for a message only. */
  async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      this.before = this.now;
      this.now = await this.wait();
    } catch {
      this.now = undefined;
    } finally {
      this.looking = false;
    }
  }

  private async wait(): Promise<LockWait | undefined> {
    const sessions = opened.get(this.activity);
    for (const [session, database] of sessions ?? []) {
      if (session.closed) sessions!.delete(session);
      else {
        const wait = await database.dialect.lockWait(database, session.connectionId);
        if (wait) return wait;
      }
    }
    return undefined;
  }
}
