import type { Holder, QueryResult } from '../../dialect.ts';
import { sql, type SqlStatement } from '../../sql.ts';
import { unlessNotThere } from '../expected-error.ts';
import { preparedTransactions, somePrepared } from '../prepared-transactions.ts';
import { unlessUnlistable } from '../running-statements.ts';
import type { MysqlSession } from '../session.ts';
import { findPlace, type Place } from './place.ts';

export interface HolderRow {
  id: string;
  user: string | null;
  application: string | null;
  seconds: string | number | null;
}

export const holderIn = ({ id, user, application, seconds }: HolderRow): Holder => ({
  connectionId: String(id),
  user,
  application,
  ageSeconds: seconds === null ? null : Number(seconds),
});

/** Who holds the table, as far as this account may know; never an error for that. The oldest first. `waiter`: who waits for them. */
export async function holdersOf(
  session: MysqlSession,
  place: Pick<Place, 'schema'>,
  table: string,
  waiter = session.connectionId,
): Promise<Holder[]> {
  const connections = await connectionsWith(session, place, table, waiter);
  return [...connections, ...(await preparedWith(session, place, table))];
}

async function connectionsWith(
  session: MysqlSession,
  place: Pick<Place, 'schema'>,
  table: string,
  waiter: string,
): Promise<Holder[]> {
  const questions = session.server.listsTableLocks
    ? [metadataLocks(place, table)]
    : [lockPlugin(place, table), suspects(table)];
  for (const question of questions) {
    // A right, or a plugin; what we are about to say is worth more than why we cannot say more.
    const answer = await unlessNotThere(session, () => session.query<HolderRow>(question));
    if (!answer) continue;
    const others = answer.rows.filter(({ id }) => String(id) !== waiter);
    return others.map(holderIn);
  }
  return [];
}

/** Prepared transactions that a message names. */
const NAMED = 3;

/** Those that hold the table; where the server does not say, all that may be the one. */
async function preparedWith(session: MysqlSession, place: Pick<Place, 'schema'>, table: string): Promise<Holder[]> {
  const { listsTableLocks } = session.server;
  if (listsTableLocks && !(await isHeldByPrepared(session, place, table))) return [];
  const known = await preparedTransactions(session);
  if (!known) return listsTableLocks ? [somePrepared()] : [];
  return listsTableLocks && known.length === 1 ? known : known.slice(0, NAMED).map(perhaps);
}

const perhaps = ({ toEnd, ...holder }: Holder): Holder => ({ ...holder, toEnd: `perhaps; ${toEnd}` });

/**
 * A lock on the table of a thread that is gone, or one on its rows of a transaction that is in no thread: that of the preparing
 * connection, which may live on, is no longer in it.
 */
async function isHeldByPrepared(
  session: MysqlSession,
  { schema }: Pick<Place, 'schema'>,
  table: string,
): Promise<boolean> {
  for (const holding of [
    sql`
    select exists (select 1 from performance_schema.metadata_locks l
      left join performance_schema.threads t on t.thread_id = l.owner_thread_id
      where l.object_type = 'TABLE' and l.object_schema = ${schema} and l.object_name = ${table}
        and l.lock_status = 'GRANTED' and t.thread_id is null) as held`,
    sql`
    select exists (select 1 from performance_schema.data_locks l
      join information_schema.innodb_trx t on t.trx_id = l.engine_transaction_id and t.trx_mysql_thread_id = 0
      where l.object_schema = ${schema} and l.object_name = ${table}) as held`,
  ]) {
    const ask = (): Promise<QueryResult<{ held: boolean }>> => session.query(holding);
    const answer = await unlessUnlistable(session, () => unlessNotThere(session, ask));
    if (answer?.rows[0]?.held) return true;
  }
  return false;
}

export async function tableHolders(session: MysqlSession, table: string): Promise<Holder[]> {
  const place = await findPlace(session, table);
  return place ? holdersOf(session, place, place.name) : [];
}

/** A backup (LOCK INSTANCE FOR BACKUP) holds all tables against those who alter them. */
const metadataLocks = ({ schema }: Pick<Place, 'schema'>, table: string): SqlStatement => sql`
  select t.processlist_id as id, max(t.processlist_user) as user, max(a.attr_value) as application,
    max(t.processlist_time) as seconds
  from performance_schema.metadata_locks l
  join performance_schema.threads t on t.thread_id = l.owner_thread_id
  left join performance_schema.session_connect_attrs a
    on a.processlist_id = t.processlist_id and a.attr_name = 'program_name'
  where (l.object_type = 'TABLE' and l.object_schema = ${schema} and l.object_name = ${table}
         or l.object_type = 'BACKUP LOCK' and l.lock_type = 'SHARED')
    and l.lock_status = 'GRANTED' and t.processlist_id is not null and t.processlist_id <> connection_id()
  group by t.processlist_id order by 4 desc, 1`;

/** Where the plugin metadata_lock_info is installed. */
const lockPlugin = ({ schema }: Pick<Place, 'schema'>, table: string): SqlStatement => sql`
  select l.thread_id as id, max(p.user) as user, max(p.command) as application, max(p.time) as seconds
  from information_schema.metadata_lock_info l join information_schema.processlist p on p.id = l.thread_id
  where l.table_schema = ${schema} and l.table_name = ${table} and l.thread_id <> connection_id()
  group by l.thread_id order by 4 desc, 1`;

/** Where nobody is told who holds a table: who has a transaction open, or a statement that names the table, may be the one. */
const suspects = (table: string): SqlStatement => sql`
  select p.id as id, p.user as user, concat('perhaps; ', lower(p.command)) as application, p.time as seconds
  from information_schema.processlist p
  where p.id <> connection_id() and p.user <> 'system user'
    and (p.id in (select trx_mysql_thread_id from information_schema.innodb_trx) or locate(${table}, p.info) > 0)
  order by 4 desc, 1 limit 10`;
