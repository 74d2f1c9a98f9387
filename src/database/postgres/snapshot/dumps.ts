import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import type { PlannedLock } from './lock-plan.ts';

/*
 * The leader of `pg_dump -j` locks all tables, and each of its workers then locks the one that it copies, with NOWAIT: who stands in line for
 * such a table makes that fail, and the whole dump with it ("could not obtain lock on relation", pg_dump/parallel.c). As we would get the lock
 * only when the dump is over, we wait without standing in line.
 */

const LOOK_AGAIN_MS = 100;

const DUMPED = `
select l.relation::oid::text as oid, l.mode
from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
where a.application_name = 'pg_dump' and l.granted and l.locktype = 'relation' and l.relation = any($1::oid[])
  and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())`;

/** Which of these locks a dump that is under way keeps from us. */
export async function dumped(client: ClientBase, locks: readonly PlannedLock[]): Promise<PlannedLock | undefined> {
  const oids = locks.map((lock) => lock.oid);
  const { rows } = await client.query<{ oid: string; mode: string }>(DUMPED, [oids]);
  return locks.find((lock) => rows.some(({ oid, mode }) => oid === lock.oid && lock.conflicts.includes(mode)));
}

/** Whether the dump is over within this time, while we hold nothing. */
export async function dumpEndsWithin(client: ClientBase, lock: PlannedLock, waitMs: number): Promise<boolean> {
  const until = Date.now() + waitMs;
  while (await dumped(client, [lock])) {
    const left = until - Date.now();
    if (left <= 0) return false;
    await sleep(Math.min(left, LOOK_AGAIN_MS));
  }
  return true;
}
