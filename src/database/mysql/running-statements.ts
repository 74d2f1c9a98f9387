import type { OpenTransaction } from '../cursor-dialect.ts';
import { raw, sql } from '../sql.ts';
import { unlessFails } from './expected-error.ts';
import type { MysqlSession } from './session.ts';

export interface Entry extends OpenTransaction {
  /**
   * `statement`: one that has begun, and perhaps its time with it, but no transaction yet: it waits for a table, for one.
   * `unlisted`: a statement for which the server lists no transactions at all.
   */
  what: 'transaction' | 'prepared' | 'statement' | 'unlisted';
  /** Of a transaction, once it has written. */
  number?: string;
  /** Of a statement to which the server gives no number: the second in which it began, or one beside that. */
  began?: number;
}

/** What cannot write, whatever it waits for. */
const READS = /^(?:\s|\(|\/\*[^]*?\*\/|#.*\n|--\s.*\n)*(?:select|show|explain|describe|desc|set|use)\b/i;

/**
 * Both lists of MySQL's information_schema, of statements and of transactions, are in three-byte UTF-8 (utf8mb3): while anybody runs
 * a statement with a character beyond it (an emoji), to read either fails (ER_CANNOT_CONVERT_STRING). Of statements there is another.
 */
const UNLISTABLE = /[\u{10000}-\u{10FFFF}]/u;
const CANNOT_CONVERT = 3854;

/** Undefined: the list that is asked for cannot be read out now. */
export const unlessUnlistable = <T>(session: MysqlSession, ask: () => Promise<T>): Promise<T | undefined> =>
  unlessFails(session, (error) => (error as { errno?: number }).errno === CANNOT_CONVERT, ask);

export type ProcessList = 'performance_schema.processlist' | 'information_schema.processlist';

/** The better one wants no privilege but PROCESS either. It is empty where performance_schema is switched off. */
export async function processListOf(session: MysqlSession): Promise<ProcessList> {
  if (session.server.listsConnectionsIn === 'information_schema') return 'information_schema.processlist';
  const { rows } = await session.query<{ on: unknown }>(sql`select @@performance_schema as \`on\``);
  return Number(rows[0]?.on) === 1 ? 'performance_schema.processlist' : 'information_schema.processlist';
}

/**
 * How the text of a thread begins that a member of a group has for as long as it is one. It goes by the name of who started the group,
 * or by that of the system, and so does an event while it runs a statement.
 */
const OF_A_GROUP = 'Group replication ';

interface StatementRow {
  id: string;
  user_name: string;
  host: string | null;
  command: string;
  seconds: string;
  info: string | null;
  number: string | null;
  now: string;
}

/**
 * What others run now, those that only read left out. `unlistable`: of whoever keeps the list of transactions from being read; one
 * entry without a name where nobody does any more, or where that list cannot be read either (then there are no `statements`).
 */
export async function runningStatements(
  session: MysqlSession,
  list: ProcessList,
): Promise<{ statements?: Entry[]; unlistable: Entry[] }> {
  const number = session.server.numbersStatements ? 'query_id' : 'null';
  const ask = sql`
    select id, user as user_name, substring_index(host, ':', 1) as host, command, time as seconds,
      left(info, 1000) as info, ${raw(number)} as number, unix_timestamp() as now
    from ${raw(list)}
    where command <> 'Sleep' and info is not null and not (command = 'Connect' and info like ${`${OF_A_GROUP}%`})`;
  const answer = await unlessUnlistable(session, () => session.query<StatementRow>(ask));
  if (!answer) return { unlistable: [NOBODY_LISTED] };
  const { rows } = answer;
  const own = rows.find(({ id }) => String(id) === session.connectionId);
  // Our own row tells the server's clock, from which it has counted the seconds of each.
  const now = Number(own?.now) + Number(own?.seconds);
  const others = rows.filter((row) => row !== own).map((row) => ({ info: row.info!, entry: statementIn(row, now) }));
  const unlistable = others
    .filter(({ info }) => UNLISTABLE.test(info))
    .map(({ entry }): Entry => ({ ...entry, what: 'unlisted', application: `${entry.application}, ${UNLISTED}` }));
  const statements = others.filter(({ info }) => !READS.test(info)).map(({ entry }) => entry);
  return { statements, unlistable: unlistable.length > 0 ? unlistable : [NOBODY_LISTED] };
}

function statementIn(row: StatementRow, now: number): Entry {
  const began = now - Number(row.seconds);
  return {
    what: 'statement',
    key: `statement ${row.id} ${row.number ?? began}`,
    connectionId: String(row.id),
    user: row.user_name,
    application: row.host,
    ageSeconds: Number(row.seconds),
    ...(row.number === null && { began }),
  };
}

/** MySQL reads the clock anew for each row, so either of two looks may find a statement one second beside the one in which it began. */
const SECONDS_APART = 2;

/** Whether the statement that a connection runs now is the one that it ran before. */
export const isSameStatement = (now: Entry, before: Entry): boolean =>
  now.key === before.key ||
  (now.connectionId === before.connectionId &&
    now.began !== undefined &&
    before.began !== undefined &&
    Math.abs(now.began - before.began) <= SECONDS_APART);

/** By the key of its first look: of one that goes on from look to look, a busy connection would find its next ones the same, too. */
export const asFirstSeen = (now: Entry, { key, began }: Entry): Entry => ({
  ...now,
  key,
  ...(began !== undefined && { began }),
});

const UNLISTED = 'whose statement has a character for which MySQL lists no transactions';
const NOBODY_LISTED: Entry = {
  what: 'unlisted',
  key: 'unlisted',
  connectionId: '0',
  user: null,
  application: `somebody ${UNLISTED}`,
  ageSeconds: null,
};
