import { DatabaseError, escapeLiteral, type ClientBase } from 'pg';
import { LoadFailedError } from '../../../errors.ts';
import { LOOK_ANEW } from './look-anew.ts';
import type { PlannedLock } from './lock-plan.ts';

const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK_DETECTED = '40P01';
const UNDEFINED_TABLE = '42P01';

/*
 * How long to wait, for each relation and for all, while we hold others. A session is killed for a deadlock when it has
 * waited for deadlock_timeout (1 s by default) and is part of a cycle at that moment. Whoever is in our way when we
 * begin to wait, waits for nobody; should it come to wait for us, we are gone long before its time is up. (Waits for room
 * in a file, `extend`, end by themselves.) With NOWAIT instead, 9 writers without pause kept us off for 139 attempts.
 */
const PATIENCE_EACH_MS = 50;
const PATIENCE_MS = 150;

/*
 * An autovacuum in our way yields when we have waited for deadlock_timeout, and not before: with less than that we would
 * never get past it (FACTS.md). Where the server's is long, we wait longer, but not so long that writers queue up.
 *
 * Nor do we wait longer than that at once: who holds the first may come to wait for us (an index that is built CONCURRENTLY
 * waits for all that began before). Its deadlock check comes deadlock_timeout later, and would end it: ours has come
 * before, or we have looked again.
 */
const MOST_YIELD_MS = 10_000;
const YIELD_MS = `least(${MOST_YIELD_MS}, (extract(epoch from current_setting('deadlock_timeout')::interval) * 1500)::int)`;

/** A dump that has come meanwhile: nobody stands in line before its workers (dumps.ts). */
const DUMPS_IT = `l.pid in (select a.pid from pg_stat_activity a where a.application_name = 'pg_dump')`;

/*
 * In the server and in one statement: every round trip between two locks is time in which somebody takes the second and
 * stands in line for the first. What is not to be had is named by its OID in the error's detail.
 */
const takeBlock = (locks: readonly PlannedLock[], firstWaitMs: number | null) => `
declare
  wanted record;
  deadline timestamptz := ${firstWaitMs === null ? `clock_timestamp() + interval '${PATIENCE_MS} ms'` : 'null'};
  wait_ms int;
begin
  for wanted in
    select * from rows from (
      jsonb_to_recordset(${escapeLiteral(JSON.stringify(locks))}) as (oid oid, statement text, conflicts text[])
    ) with ordinality as l(oid, statement, conflicts, position) order by position
  loop
    perform ${LOOK_ANEW};
    if deadline is not null then
      -- Does a session that is in our way wait for another (for us, perhaps)? Then waiting for it could be a deadlock.
      if clock_timestamp() > deadline
        or exists (${inTheWay("exists (select from pg_locks w where w.pid = l.pid and not w.granted and w.locktype <> 'extend')")})
        or exists (${inTheWay(DUMPS_IT)})
      then
        raise exception using errcode = 'lock_not_available', message = 'busy', detail = wanted.oid;
      end if;
      perform set_config('lock_timeout', '${PATIENCE_EACH_MS}ms', true);
      begin
        execute wanted.statement;
      exception when lock_not_available then
        raise exception using errcode = 'lock_not_available', message = 'busy', detail = wanted.oid;
      end;
      continue;
    end if;
    wait_ms := greatest(${firstWaitMs ?? 0}, ${YIELD_MS});
    loop
      if wait_ms <= 0 or exists (${inTheWay('pg_backend_pid() = any(pg_blocking_pids(l.pid))')})
        or exists (${inTheWay(DUMPS_IT)})
      then
        raise exception using errcode = 'lock_not_available', message = 'busy', detail = wanted.oid;
      end if;
      perform set_config('lock_timeout', least(wait_ms, ${YIELD_MS}) || 'ms', true);
      begin
        execute wanted.statement;
        exit;
      exception when lock_not_available then
        wait_ms := wait_ms - ${YIELD_MS};
        perform ${LOOK_ANEW};
      end;
    end loop;
    deadline := clock_timestamp() + interval '${PATIENCE_MS} ms';
  end loop;
end`;

const inTheWay = (condition: string) => `
        select from pg_locks l
        where l.locktype = 'relation' and l.relation = wanted.oid and l.mode = any(wanted.conflicts)
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
          and l.granted and l.pid <> pg_backend_pid()
          and ${condition}`;

/**
 * Takes the locks in this order, waiting for the first only, or gives back the one that was not to be had; the
 * transaction has then failed since its last savepoint.
 *
 * @param wait For the first, in milliseconds; or not for that one either, because some locks are held already.
 */
export async function takeLocks(
  client: ClientBase,
  locks: readonly PlannedLock[],
  wait: number | 'holding others',
): Promise<PlannedLock | undefined> {
  const firstWaitMs = wait === 'holding others' ? null : Math.max(1, Math.floor(wait));
  try {
    await client.query(`do ${escapeLiteral(takeBlock(locks, firstWaitMs))}`);
    return undefined;
  } catch (cause) {
    if (!(cause instanceof DatabaseError)) throw cause;
    if (cause.code === UNDEFINED_TABLE)
      throw new LoadFailedError('a table went away while it was waited for', { cause });
    // The first one: nothing else is waited for so long. Whoever holds it has come to wait for us.
    if (cause.code === DEADLOCK_DETECTED) return locks[0];
    if (cause.code !== LOCK_NOT_AVAILABLE) throw cause;
    return locks.find((lock) => lock.oid === cause.detail) ?? locks[0];
  }
}
