import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import type { LockHolder } from './lock-holders.ts';
import { lookAnew } from './look-anew.ts';

/*
 * A temporary view reads its table by OID, so it would go on to read the snapshot and keep it from being dropped; and the
 * server lets nobody but its session lock or replace it (0A000). It goes with that session.
 */

const LOOK_AGAIN_MS = 100;

/** Whether the relation goes away within this time, while we hold nothing. */
export async function goneWithin(client: ClientBase, oid: string, waitMs: number): Promise<boolean> {
  const until = Date.now() + waitMs;
  for (;;) {
    const { rowCount } = await client.query('select from pg_catalog.pg_class where oid = $1::oid', [oid]);
    if (rowCount === 0) return true;
    const left = until - Date.now();
    if (left <= 0) return false;
    await sleep(Math.min(left, LOOK_AGAIN_MS));
  }
}

/** The OIDs of temporary views that read the table. */
export async function temporaryViews(client: ClientBase, oid: string): Promise<string[]> {
  const { rows } = await client.query<{ oid: string }>(
    `select distinct v.oid::text as oid
     from pg_depend d
     join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
     join pg_class v on v.oid = r.ev_class and v.relkind = 'v' and v.relpersistence = 't'
     where d.refclassid = 'pg_class'::regclass and d.refobjid = $1::oid`,
    [oid],
  );
  return rows.map((row) => row.oid);
}

/*
 * The schema is called after its session's number, by which the lock on its virtual transaction goes too; a session without
 * a transaction is found by that number since PostgreSQL 16. Before, it may be any session of the view's owner. A view without
 * a session was left behind by a crash of the server.
 */
const SESSIONS = `
with temporary_view as (
  select v.relname::text as name, n.nspname::text as schema, v.relowner, replace(n.nspname, 'pg_temp_', '') as number
  from pg_class v join pg_namespace n on n.oid = v.relnamespace
  where v.oid = any($1::oid[])
), known(number, pid) as (
  select split_part(virtualtransaction, '/', 1), pid from pg_locks where locktype = 'virtualxid' and granted and pid is not null
  union
  select i.id::text, pg_stat_get_backend_pid(i.id) from pg_stat_get_backend_idset() i(id)
  where current_setting('server_version_num')::int >= 160000
)
select distinct coalesce(a.pid, 0) as pid, coalesce(a.usename, pg_get_userbyid(v.relowner))::text as "user",
  case when a.pid is null then format('temporary view %I.%I, left behind by a session that is gone: drop it', v.schema, v.name)
    else case when k.pid is null then 'perhaps; ' else '' end || coalesce(nullif(a.application_name, ''), a.backend_type)
    end as application,
  extract(epoch from clock_timestamp() - a.query_start)::float8 as "queryAgeSeconds",
  false as "waitsForUs"
from temporary_view v
left join known k on k.number = v.number
left join pg_stat_activity a on a.pid = k.pid
  or k.pid is null and current_setting('server_version_num')::int < 160000
    and a.usesysid = v.relowner and a.datname = current_database()
    and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
order by 4 desc nulls last, 1`;

/** Whose these temporary views are. */
export async function sessionsWithTemporary(client: ClientBase, views: readonly string[]): Promise<LockHolder[]> {
  if (views.length === 0) return [];
  await lookAnew(client);
  const { rows } = await client.query<LockHolder>(SESSIONS, [views]);
  return rows;
}
