import { LoadFailedError } from '../../../errors.ts';
import { mysqlSql } from '../../../sql/mysql.ts';
import { parseTableName } from '../../../sql/names.ts';
import { describeHolder } from '../../describe-holder.ts';
import { raw, sql } from '../../sql.ts';
import { InTheWayError } from '../errors.ts';
import { giveNamedLock, takeNamedLock } from '../named-locks.ts';
import { processListOf } from '../running-statements.ts';
import { killConnection, type MysqlSession } from '../session.ts';

/**
 * How long those who open acquisitions wait for a swap: longer than one attempt of it takes. Whoever swaps, adopts or drops
 * gets by after a second: openings take moments, and any other of its kind is a dead one's, for one load has one workflow.
 */
const OPENING_WAITS: Patience = { seconds: 10 };
export const SWAP_WAITS: Patience = { seconds: 1 };
/**
 * A killed connection gives its locks back once the statement that it is in has ended, or has been undone: a large table is
 * dropped for longer than we wait at a time, and a large update takes back as long as it took.
 */
const ENDS_WITHIN_SECONDS = 50;
const KILLED_AGAIN_SECONDS = 10;

/** How long whoever is at it already is left alone, and then given to end. */
interface Patience {
  seconds: number;
  endsWithin?: number;
}

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
  patience = OPENING_WAITS,
): Promise<T> {
  const names: { name: string; table: string }[] = [];
  for (const table of tables) names.push({ name: await lockName(session, table), table });
  names.sort((a, b) => (a.name < b.name ? -1 : 1));
  const held: string[] = [];
  try {
    for (const { name, table } of names) {
      await take(session, name, table, patience);
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

async function take(session: MysqlSession, name: string, table: string, patience: Patience): Promise<void> {
  let { seconds, endsWithin = ENDS_WITHIN_SECONDS } = patience;
  for (;;) {
    if (await takeNamedLock(session, name, seconds)) return;
    const holder = await holderOf(session, name);
    if (endsWithin <= 0) throw await stillAtIt(session, table, holder);
    if (holder !== null) await endHolder(session, holder, table);
    seconds = Math.min(KILLED_AGAIN_SECONDS, endsWithin);
    endsWithin -= seconds;
  }
}

async function holderOf(session: MysqlSession, name: string): Promise<string | null> {
  const { rows } = await session.query<{ holder: string | number | null }>(sql`select is_used_lock(${name}) as holder`);
  const { holder } = rows[0]!;
  return holder === null ? null : String(holder);
}

const endHolder = (session: MysqlSession, holder: string, table: string): Promise<boolean> =>
  killConnection(
    session,
    holder,
    (cause) =>
      new LoadFailedError(`connection ${holder} swaps or drops the snapshot of ${table}, and cannot be ended`, {
        next: `end it: kill connection ${holder}; all workers of a project should use one account`,
        cause,
      }),
  );

/** It was told to end, and does so when the server is done with its statement: worth another attempt. */
async function stillAtIt(session: MysqlSession, table: string, holder: string | null): Promise<Error> {
  const look = async () => {
    const list = raw(await processListOf(session));
    return session.query<{ user: string; state: string; seconds: string | number }>(
      sql`select user as user, state as state, time as seconds from ${list} where id = ${holder ?? '0'}`,
    );
  };
  const { rows } = await look().catch(() => ({ rows: [] })); // to wait is all that is left, whoever it is
  const [found] = rows;
  const who = describeHolder({
    connectionId: holder ?? 'unknown',
    user: found?.user ?? null,
    application: found?.state ?? null,
    ageSeconds: found ? Number(found.seconds) : null,
  });
  return new InTheWayError(`${who} still has ${table} to itself: it was told to end, and its statement goes on`, {
    next: 'wait: the server drops a large table, or takes back a large change, before it lets go',
  });
}
