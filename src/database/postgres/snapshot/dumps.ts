import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { lookAnew } from './look-anew.ts';
import type { LockHolder } from './lock-holders.ts';
import type { PlannedLock } from './lock-plan.ts';

/*
 * The leader of `pg_dump -j` locks all tables, and each of its workers then locks the one that it copies, with NOWAIT: who stands in line for
 * such a table makes that fail, and the whole dump with it ("could not obtain lock on relation", pg_dump/parallel.c). As we would get the lock
 * only when the dump is over, we wait without standing in line.
 *
 * A dump that has yet to lock its tables has its view of the rows already, but finds each table by its name: swapped in between, the table is
 * in the dump without a row, and its snapshot is not in it at all. So one that begins, or itself stands in line, is waited for, too.
 */

const LOOK_AGAIN_MS = 100;

/** A dump, and which relation it holds against others; null: it has yet to lock what it will dump. */
type Dump = LockHolder & { oid: string | null; mode: string | null };

/**
 * Of those that have locked nothing some never will: workers of `-j` that get no table, a dump without tables. They are told by their age,
 * where the server shows it to us.
 */
const BEGINS_FOR = '1 minute';

const DUMPS = `
with dump as (
  select a.* from pg_catalog.pg_stat_activity a
  where a.application_name = 'pg_dump' and a.datname = pg_catalog.current_database()
), lock as (
  select l.pid, l.relation, l.mode, l.granted from pg_catalog.pg_locks l join dump d on d.pid = l.pid
  where l.locktype = 'relation' and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
    and l.relation >= 16384 -- a user's
), way(pid, oid, mode) as (
  select pid, relation, mode from lock where granted and relation = any($1::oid[])
  union all select pid, null, null from lock where not granted
  union all select d.pid, null, null from dump d
  where not exists (select from lock l where l.pid = d.pid) and coalesce(d.backend_start > clock_timestamp() - interval '${BEGINS_FOR}', true)
)
select d.pid, d.usename::text as "user", d.application_name as application, false as "waitsForUs",
  extract(epoch from clock_timestamp() - d.query_start)::float8 as "queryAgeSeconds", w.oid::text as oid, w.mode
from way w join dump d on d.pid = w.pid
order by 5 desc nulls last, 1`;

/** A lock that dumps keep from us, and which. */
interface Dumped {
  lock: PlannedLock;
  dumps: LockHolder[];
}

/** Which of these locks a dump that is under way keeps from us: the first of them, where it has yet to take its own. */
export async function dumped(client: ClientBase, locks: readonly PlannedLock[]): Promise<Dumped | undefined> {
  const dumps = await dumpsWith(client, locks);
  const keeps = (lock: PlannedLock) => (dump: Dump) => dump.oid === lock.oid && lock.conflicts.includes(dump.mode!);
  const lock = locks.find((one) => dumps.some(keeps(one))) ?? (dumps.some(begins) ? locks[0] : undefined);
  if (lock === undefined) return undefined;
  return { lock, dumps: dumps.filter((dump) => begins(dump) || keeps(lock)(dump)).map(holder) };
}

/** Dumps that have yet to lock what they will dump. */
export async function dumpsThatBegin(client: ClientBase): Promise<LockHolder[]> {
  return (await dumpsWith(client, [])).filter(begins).map(holder);
}

const begins = (dump: Dump): boolean => dump.oid === null;

const holder = ({ pid, user, application, queryAgeSeconds, waitsForUs }: Dump): LockHolder => ({
  pid,
  user,
  application,
  queryAgeSeconds,
  waitsForUs,
});

async function dumpsWith(client: ClientBase, locks: readonly PlannedLock[]): Promise<Dump[]> {
  await lookAnew(client);
  return (await client.query<Dump>(DUMPS, [locks.map((lock) => lock.oid)])).rows;
}

/** Undefined when no dump keeps any of these locks from us within this time, while we hold nothing. */
export async function dumpedFor(
  client: ClientBase,
  locks: readonly PlannedLock[],
  waitMs: number,
): Promise<Dumped | undefined> {
  const until = Date.now() + waitMs;
  for (;;) {
    const found = await dumped(client, locks);
    const left = until - Date.now();
    if (found === undefined || left <= 0) return found;
    await sleep(Math.min(left, LOOK_AGAIN_MS));
  }
}
