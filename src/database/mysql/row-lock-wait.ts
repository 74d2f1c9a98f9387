import type { LockWait } from '../dialect.ts';
import { raw, sql, type SqlStatement } from '../sql.ts';
import { unlessNotThere } from './expected-error.ts';
import { unlessUnlistable, type ProcessList } from './running-statements.ts';
import type { MysqlSession } from './session.ts';
import { holderIn, type HolderRow } from './snapshot/holders.ts';

type Row = HolderRow & { table_name: string };

/**
 * Who holds rows that this connection waits for; undefined: none, or the account may not ask. It takes SELECT on performance_schema on
 * MySQL, and PROCESS on MariaDB.
 */
export async function rowLockWait(
  session: MysqlSession,
  connectionId: string,
  list: ProcessList,
): Promise<LockWait | undefined> {
  const question = session.server.listsRowWaitsBy === 'connection' ? byConnection : byTransaction;
  const answer = await unlessUnlistable(session, () =>
    unlessNotThere(session, () => session.query<Row>(question(connectionId, list))),
  );
  const [first] = answer?.rows ?? [];
  if (!first) return undefined;
  return {
    waitingFor: first.table_name.replaceAll('`', ''),
    holders: answer!.rows.map(holderIn),
  };
}

/**
 * A connection may hold several locks of which each is in the way. Whose it is says the lock on the table: that on a row which its
 * transaction has inserted is made by whoever comes to it first, and bears the waiter's thread.
 */
const byConnection = (connectionId: string): SqlStatement => sql`
  select max(concat(l.object_schema, '.', l.object_name)) as table_name, h.processlist_id as id, max(h.processlist_user) as user,
    max(a.attr_value) as application, max(h.processlist_time) as seconds
  from performance_schema.threads t
  join performance_schema.data_lock_waits w on w.requesting_thread_id = t.thread_id
  join performance_schema.data_locks l on l.engine_lock_id = w.requesting_engine_lock_id
  join performance_schema.data_locks own
    on own.engine_transaction_id = w.blocking_engine_transaction_id and own.lock_type = 'TABLE'
  join performance_schema.threads h on h.thread_id = own.thread_id
  left join performance_schema.session_connect_attrs a
    on a.processlist_id = h.processlist_id and a.attr_name = 'program_name'
  where t.processlist_id = ${connectionId} group by h.processlist_id order by 5 desc, 2`;

/** Of several that have written nothing, which all are number 0, each may be the one. */
const byTransaction = (connectionId: string, list: ProcessList): SqlStatement => sql`
  select max(l.lock_table) as table_name, b.trx_mysql_thread_id as id, max(p.user) as user,
    max(concat(if(b.trx_id = 0, 'perhaps; ', ''), lower(p.command))) as application, max(p.time) as seconds
  from information_schema.innodb_trx r
  join information_schema.innodb_lock_waits w on w.requested_lock_id = r.trx_requested_lock_id
  join information_schema.innodb_locks l on l.lock_id = w.requested_lock_id
  join information_schema.innodb_trx b on b.trx_id = w.blocking_trx_id
  left join ${raw(list)} p on p.id = b.trx_mysql_thread_id
  where r.trx_mysql_thread_id = ${connectionId} and b.trx_mysql_thread_id <> r.trx_mysql_thread_id group by b.trx_mysql_thread_id order by 5 desc, 2`;
