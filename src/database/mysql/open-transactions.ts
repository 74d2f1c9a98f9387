import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigurationError } from '../../errors.ts';
import type { OpenTransaction } from '../cursor-dialect.ts';
import type { Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { classify, InTheWayError } from './errors.ts';
import { giveNamedLock, takeNamedLock } from './named-locks.ts';
import {
  asFirstSeen,
  isSameStatement,
  processListOf,
  runningStatements,
  unlessUnlistable,
  type Entry,
  type ProcessList,
} from './running-statements.ts';
import { killConnection, type MysqlSession } from './session.ts';

/** What an account needs to see whether rows could still come: for `isStandby`, and for the transactions themselves. */
export function blind({ server }: MysqlSession, cause: unknown): ConfigurationError {
  return new ConfigurationError(
    'the account of the source may not see the transactions of others, so rows that they commit late would be passed over',
    {
      next: `grant process, ${server.words.seesChannels} on *.* to it; or leave cursor out to read the whole table each time`,
      cause,
    },
  );
}

/**
 * Statements first, then transactions: one that was in neither list began later. What is read only is left out, our own
 * readers among it. A statement becomes a transaction while it is waited for, and then goes by another key.
 */
export async function openTransactions(session: Session, of?: readonly OpenTransaction[]): Promise<OpenTransaction[]> {
  try {
    const list = await processListOf(session as MysqlSession);
    const { statements, unlistable } = await runningStatements(session as MysqlSession, list);
    const transactions = statements && (await transactionsNow(session as MysqlSession, list));
    // Nothing new is known of those that are waited for; who only begins to wait does so from the next list on.
    if (!transactions) return of === undefined ? unlistable : [...of];
    const owners = new Set(transactions.map(({ connectionId }) => connectionId));
    const open = [
      ...transactions.filter(({ readOnly }) => !readOnly).map(({ entry }) => entry),
      ...statements.filter(({ connectionId }) => !owners.has(connectionId)),
    ];
    if (of === undefined || (of as Entry[]).some(({ what }) => what === 'unlisted')) return open;
    return stillOpen(open, of as Entry[]);
  } catch (error) {
    throw classify(error).because === 'forbidden' ? blind(session as MysqlSession, error) : error;
  }
}

/**
 * Of what is open now, what was known already, or is what that has become. A transaction keeps its number when it is prepared; what
 * had none when it was last seen, and is gone, may be any of those that are prepared now.
 */
function stillOpen(open: Entry[], of: Entry[]): Entry[] {
  const known = new Set(of.map(({ key }) => key));
  const began = new Map(of.filter(({ what }) => what === 'statement').map((one) => [one.connectionId, one]));
  const numbers = new Set(of.flatMap((one) => one.number ?? []));
  const anyPrepared = of.some((one) => one.number === undefined && !isHere(one, open));
  return open.flatMap((one) => {
    const before = began.get(one.connectionId);
    if (one.what === 'statement') return before && isSameStatement(one, before) ? [asFirstSeen(one, before)] : [];
    const isKnown = known.has(one.key) || known.has(whenItOnlyRead(one));
    if (one.what === 'prepared') return isKnown || anyPrepared || numbers.has(one.number!) ? [one] : [];
    return isKnown || before ? [one] : [];
  });
}

/** A statement that has become a transaction is not: that may be the connection's next one already. */
const isHere = (before: Entry, open: Entry[]): boolean =>
  open.some((one) =>
    before.what === 'statement'
      ? one.what === 'statement' && isSameStatement(one, before)
      : one.key === before.key || whenItOnlyRead(one) === before.key,
  );

/** InnoDB fills its list of transactions at most ten times a second, and not at all for those who ask more often. */
const REFILLED_MS = 110;
const MOST_TRIES = 100;
/** Most such statements take moments; of a long one it is told, and looked again, for as long as transactions are waited for. */
const MOST_UNLISTABLE = 10;
/** Loads that look at the same server take turns: each look would keep the list of all others from being filled. */
const TURN = 'waybill innodb_trx';
const TURN_SECONDS = 60;
/** Nobody pauses between two questions for so long whose turn it is: that one is dead, and the server has not noticed (its machine lost its power). */
const DEAD_AFTER_SECONDS = 10;

interface Found {
  connectionId: string;
  readOnly: boolean;
  entry: Entry;
}

/** The list as it is now, and not as somebody else saw it: then it holds us, with this very statement. Undefined: unlistable. */
async function transactionsNow(session: MysqlSession, list: ProcessList): Promise<Found[] | undefined> {
  await session.rollback();
  await session.say('set transaction isolation level repeatable read');
  await session.say('start transaction with consistent snapshot, read only');
  await takeTurn(session, list);
  try {
    return await lookUntilFresh(session, list);
  } finally {
    await giveNamedLock(session, TURN);
  }
}

async function takeTurn(session: MysqlSession, list: ProcessList): Promise<void> {
  for (let waited = 0; waited < TURN_SECONDS; waited += DEAD_AFTER_SECONDS) {
    if (await takeNamedLock(session, TURN, DEAD_AFTER_SECONDS)) return;
    const { rows } = await session.query<{ id: string }>(sql`
      select id from ${raw(list)}
      where id = is_used_lock(${TURN}) and command = 'Sleep' and time >= ${raw(String(DEAD_AFTER_SECONDS))}`);
    for (const { id } of rows) await endDead(session, String(id));
  }
  throw new InTheWayError(`other loads look at the transactions of this server for longer than ${TURN_SECONDS} s`);
}

const endDead = (session: MysqlSession, id: string): Promise<boolean> =>
  killConnection(
    session,
    id,
    (cause) =>
      new InTheWayError(`connection ${id} has a look at the transactions of this server, asleep, and cannot be ended`, {
        next: `end it: kill connection ${id}; its worker is dead, it seems`,
        cause,
      }),
  );

async function lookUntilFresh(session: MysqlSession, list: ProcessList): Promise<Found[] | undefined> {
  let unlistable = 0;
  for (let tries = 0; tries < MOST_TRIES && unlistable < MOST_UNLISTABLE; tries += 1) {
    const look = `look ${randomUUID()}`;
    const answer = await unlessUnlistable(session, () =>
      session.query<TransactionRow>(sql`
        select /* ${raw(look)} */ t.trx_id as id, t.trx_mysql_thread_id as thread, t.trx_started as started,
          timestampdiff(second, t.trx_started, convert_tz(utc_timestamp(), '+00:00', 'SYSTEM')) as age,
          t.trx_is_read_only as read_only, t.trx_query as query,
          p.user as user_name, substring_index(p.host, ':', 1) as host
        from information_schema.innodb_trx t
        left join ${raw(list)} p on p.id = t.trx_mysql_thread_id`),
    );
    const own = answer?.rows.find(({ thread }) => String(thread) === session.connectionId);
    if (own?.query?.includes(look)) return answer!.rows.filter((row) => row !== own).map(foundIn);
    if (!answer) unlistable += 1;
    await sleep(REFILLED_MS * (1 + Math.random())); // not in step with whoever else asks
  }
  if (unlistable === MOST_UNLISTABLE) return undefined;
  throw new InTheWayError(
    'information_schema.innodb_trx is asked by others without pause, so that the server never brings it up to date',
  );
}

interface TransactionRow {
  id: string;
  /** 0: prepared for two-phase commit, and without a connection by now. */
  thread: string;
  started: Date;
  age: string | null;
  read_only: unknown;
  query: string | null;
  user_name: string | null;
  host: string | null;
}

/** How the key of a transaction ends that has written nothing yet: its number comes with the first row that it writes. */
const ONLY_READ = ' reads';
const whenItOnlyRead = ({ key }: Entry): string => key.replace(/ \d+$/, ONLY_READ);
/** What stands for a number until then: 0 (MariaDB), or an address (MySQL). */
const hasNumber = (id: string): boolean => id !== '0' && BigInt(id) < 2n ** 48n;

/** Numbers of connections and times of a second would not do: one connection may have many transactions in one. */
function foundIn(row: TransactionRow): Found {
  const connectionId = String(row.thread);
  const prepared = connectionId === '0';
  const number = hasNumber(String(row.id)) ? String(row.id) : undefined;
  return {
    connectionId,
    readOnly: Number(row.read_only) !== 0,
    entry: {
      what: prepared ? 'prepared' : 'transaction',
      key: prepared
        ? `prepared ${row.id}`
        : `transaction ${connectionId} ${row.started.toISOString()}${number === undefined ? ONLY_READ : ` ${number}`}`,
      ...(number !== undefined && { number }),
      connectionId,
      user: row.user_name,
      application: prepared ? `prepared transaction ${row.id}` : row.host,
      ageSeconds: row.age === null ? null : Number(row.age),
    },
  };
}
