import type { ClientBase } from 'pg';
import { tableIdentity } from './identity.ts';
import { lookAnew } from './look-anew.ts';
import type { PlannedLock } from './lock-plan.ts';
import type { TableName } from './table-name.ts';
import { sessionsWithTemporary, temporaryViews } from './temporary-views.ts';

/** A session that keeps a lock from us. */
export interface LockHolder {
  /** Backend process id; 0 for a prepared transaction, which has no process. */
  pid: number;
  user: string | null;
  /** Its application_name, else what kind of backend it is (`autovacuum worker`). */
  application: string | null;
  /** Since its current or last statement began. Null where the server does not show it to us. */
  queryAgeSeconds: number | null;
  /** It waits for our transaction: only its end lets that one go on. */
  waitsForUs: boolean;
}

/**
 * A prepared transaction goes by the virtual id of the session that it was once in (after a restart of the server by another one):
 * which it is says the lock that it has on its own id.
 */
const HOLDERS = `
select coalesce(l.pid, 0) as pid,
  coalesce(a.usename, p.owner)::text as "user",
  coalesce(nullif(a.application_name, ''), a.backend_type, 'prepared transaction ' || p.gid) as application,
  extract(epoch from clock_timestamp() - coalesce(a.query_start, p.prepared))::float8 as "queryAgeSeconds",
  coalesce(pg_backend_pid() = any(pg_blocking_pids(l.pid)), false) as "waitsForUs"
from pg_locks l
left join pg_stat_activity a on a.pid = l.pid
left join (pg_locks own join pg_prepared_xacts p on p.transaction = own.transactionid)
  on l.pid is null and own.pid is null and own.virtualtransaction = l.virtualtransaction and own.locktype = 'transactionid'
where l.locktype = 'relation' and l.database = (select oid from pg_database where datname = current_database())
  and l.relation = $1::oid and l.mode = any($2::text[]) and l.pid is distinct from pg_backend_pid()
  and (l.granted or not exists (
    select from pg_locks g where g.locktype = 'relation' and g.database = l.database and g.relation = l.relation
      and g.granted and g.mode = any($2::text[]) and g.pid is distinct from pg_backend_pid()))
order by 4 desc nulls last, 1`;

/** Who holds the relation against this lock, the longest first (or, when nobody does, who stands in line before us). */
export async function lockHolders(
  client: ClientBase,
  lock: Pick<PlannedLock, 'oid' | 'conflicts'>,
): Promise<LockHolder[]> {
  await lookAnew(client);
  const { rows } = await client.query<LockHolder>(HOLDERS, [lock.oid, lock.conflicts]);
  return rows;
}

const EVERY_MODE = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];

/**
 * Who holds a lock of any kind on the table, or has a temporary view on it, the longest first; nobody when there is no such
 * table.
 */
export async function holdersOf(client: ClientBase, table: TableName): Promise<LockHolder[]> {
  const identity = await tableIdentity(client, table);
  if (!identity) return [];
  const holders = await lockHolders(client, { oid: identity.oid, conflicts: EVERY_MODE });
  const views = await sessionsWithTemporary(client, await temporaryViews(client, identity.oid));
  return [...holders, ...views.filter((one) => !holders.some(({ pid }) => pid === one.pid))];
}
