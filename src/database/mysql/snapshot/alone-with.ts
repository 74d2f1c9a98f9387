import { LoadFailedError } from '../../../errors.ts';
import { mysqlSql } from '../../../sql/mysql.ts';
import { parseTableName } from '../../../sql/names.ts';
import { raw, sql } from '../../sql.ts';
import { giveNamedLock, takeNamedLock } from '../named-locks.ts';
import { killConnection, type MysqlSession } from '../session.ts';

/**
 * How long those who open acquisitions wait for a swap: longer than one attempt of it takes. Whoever swaps, adopts or drops
 * gets by after a second: openings take moments, and any other of its kind is a dead one's, for one load has one workflow.
 */
const OPENING_WAITS_SECONDS = 10;
export const SWAP_WAITS_SECONDS = 1;
const KILLS = 5;
/** A killed connection gives its locks back once the statement that it is in has ended. */
const KILLED_WAITS_SECONDS = 10;

/**
 * Does the work while this connection holds the names of these tables, on the whole server. DDL commits by itself here, so no
 * transaction can prove that nobody else is at it: instead every statement that swaps, adopts or drops is run by the connection
 * that holds the lock, and whoever comes next ends that connection first. (Seen without: a drop that was asleep woke up and
 * destroyed the next batch's snapshot, FACTS.)
 */
export async function aloneWith<T>(
  session: MysqlSession,
  tables: readonly string[],
  work: () => Promise<T>,
  patienceSeconds = OPENING_WAITS_SECONDS,
): Promise<T> {
  const names: { name: string; table: string }[] = [];
  for (const table of tables) names.push({ name: await lockName(session, table), table });
  names.sort((a, b) => (a.name < b.name ? -1 : 1));
  const held: string[] = [];
  try {
    for (const { name, table } of names) {
      await take(session, name, table, patienceSeconds);
      held.push(name);
    }
    return await work();
  } finally {
    for (const name of held) await giveNamedLock(session, name);
  }
}

/** GET_LOCK knows names of 64 characters; a qualified table's may be twice as long. */
async function lockName(session: MysqlSession, table: string): Promise<string> {
  const { schema, name } = parseTableName(table, mysqlSql);
  const { rows } = await session.query<{ name: string }>(sql`
    select concat('waybill ', left(sha2(lower(concat(${schema === undefined ? raw('database()') : schema}, '.', ${name})),
                                        256), 40)) as name`);
  return rows[0]!.name;
}

async function take(session: MysqlSession, name: string, table: string, patienceSeconds: number): Promise<void> {
  let seconds = patienceSeconds;
  for (let kills = 0; ; kills += 1) {
    if (await takeNamedLock(session, name, seconds)) return;
    const { rows: used } = await session.query<{ holder: string | number | null }>(
      sql`select is_used_lock(${name}) as holder`,
    );
    const holder = used[0]?.holder;
    if (kills === KILLS) throw stillHeld(table, holder);
    if (holder !== null && holder !== undefined) await endHolder(session, String(holder), table);
    seconds = KILLED_WAITS_SECONDS;
  }
}

/** ER_KILL_DENIED_ERROR. */
const NOT_OURS = 1095;

async function endHolder(session: MysqlSession, holder: string, table: string): Promise<void> {
  try {
    await killConnection(session, holder);
  } catch (cause) {
    if ((cause as { errno?: number }).errno !== NOT_OURS) throw cause;
    throw stillHeld(table, holder, cause);
  }
}

const stillHeld = (table: string, holder: string | number | null | undefined, cause?: unknown): Error =>
  new LoadFailedError(
    `connection ${holder ?? 'unknown'} swaps or drops the snapshot of ${table}, and cannot be ended`,
    {
      next: `end it: kill connection ${holder ?? '…'}; all workers of a project should use one account`,
      cause,
    },
  );
