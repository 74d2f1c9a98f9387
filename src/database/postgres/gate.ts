import type { Database, Session } from '../dialect.ts';
import { part, raw, repeated, sql, type SqlPart, type SqlStatement } from '../sql.ts';
import { begin } from './ledger.ts';
import { quoteText } from './names.ts';

/**
 * The gate of a batch is an advisory lock: chunks hold it shared, the fence takes it alone. A shared row lock would do the
 * same and starve the fence for as long as lanes overlap (seen: 14 s against 0.16 s, FACTS "The fence, measured").
 */
const gateKey = (database: Database, batchId: string): string =>
  `hashtextextended(${quoteText(`${database.controlSchema}:${batchId}`)}, 0)`;

/**
 * Enters, then reads the state with a statement of its own: under READ COMMITTED a statement's snapshot is older than the
 * lock that it waits for, so one statement for both could still read `running` after a fence.
 */
export function gate(
  database: Database,
  batchId: string,
  mode: 'shared' | 'exclusive',
  more: SqlPart = part``,
): SqlStatement[] {
  const lock = mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock';
  return [
    repeated('gate', sql`select ${raw(`${lock}(${gateKey(database, batchId)})`)}`),
    repeated('state', sql`select state${more} from ${database.ledger('batch')} where batch_id = ${batchId}`),
  ];
}

/**
 * What this role may end goes by whom the connections logged in as, and so must it: `alter role … set role` has ours act as another
 * one, which may not end them.
 */
const AS_LOGIN = sql`set local role none`;

/** Ends the connections that hold the gate; those that wait for it are left alone (they will read the new state). */
export async function endGateHolders(
  session: Session,
  database: Database,
  batchId: string,
  exceptConnection: string,
): Promise<number> {
  try {
    // A bigint advisory key stands in pg_locks as two halves, classid and objid, with objsubid 1.
    const answers = await session.pipeline<{ ended: number }>([
      ...begin(),
      AS_LOGIN,
      sql`
      select count(*) filter (where pg_terminate_backend(l.pid))::int as ended
      from pg_locks l, (select ${raw(gateKey(database, batchId))} as k) g
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.pid not in (pg_backend_pid(), ${exceptConnection}::int)
        and l.database = (select oid from pg_database where datname = current_database())
        and l.classid::bigint = (g.k >> 32) & 4294967295 and l.objid::bigint = g.k & 4294967295`,
      sql`commit`,
    ]);
    return answers.at(-2)?.rows[0]?.ended ?? 0;
  } catch (error) {
    await session.rollback();
    throw error;
  }
}
