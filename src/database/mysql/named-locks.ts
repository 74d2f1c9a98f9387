/** GET_LOCK: names of at most 64 characters, locked on the whole server by one connection until it gives them back or ends. */
import { raw, sql, type SqlPart } from '../sql.ts';
import type { Session } from '../dialect.ts';

/** False: somebody else has held it for so long. `name`: a value, or an expression that gives it. */
export async function takeNamedLock(session: Session, name: string | SqlPart, seconds: number): Promise<boolean> {
  const { rows } = await session.query<{ taken: unknown }>(
    sql`select get_lock(${name}, ${raw(String(seconds))}) as taken`,
  );
  return Number(rows[0]?.taken) === 1;
}

/** Never throws: one that is lost with its connection is free. */
export async function giveNamedLock(session: Session, name: string): Promise<void> {
  await session.query(sql`select release_lock(${name})`).catch(() => undefined);
}
