import type { Session } from './dialect.ts';
import { sql } from './sql.ts';

/** Well within the minute after which a server ends a lane's connection that lies idle in a transaction. */
const EVERY_MS = 15_000;

/**
 * `work`, which goes on elsewhere, while the session waits for it in a transaction: says something on the session now and then. A
 * process that is frozen says nothing, so that the server ends its transaction all the same.
 */
export async function keepAwake<T>(session: Session, work: () => Promise<T>, everyMs = EVERY_MS): Promise<T> {
  // One that fails means that the connection is gone: its next statement says so.
  const timer = setInterval(() => void session.query(sql`select 1`).catch(() => undefined), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
