/** The table `session_window`: what lies between two successful runs of a session whose loads share their window. */
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';

/** `:last_load_at` and `:load_at` of all loads, ISO text in UTC. */
export interface OpenWindow {
  from: string | null;
  to: string;
  /** An earlier run of the session opened it, and did not end well. */
  resumed: boolean;
}

interface WindowRow {
  last_load_at: Date | null;
  load_at: Date | null;
  first_run_id: string | null;
}

/**
 * The connection whose ledger keeps a session's window; where none does yet, the first. It stays where it is when the session's first load
 * becomes another one, or is disabled: a new window would begin anew with everything.
 */
export async function findWindow(databases: readonly Database[], name: string): Promise<string | undefined> {
  const [first] = databases;
  if (databases.length < 2) return first?.connection;
  let found: { on: string; at: Date } | undefined;
  for (const database of databases) {
    const at = await lastKnown(database, name);
    if (at && !(found && found.at >= at)) found = { on: database.connection, at };
  }
  return found?.on ?? first!.connection;
}

async function lastKnown(database: Database, name: string): Promise<Date | undefined> {
  try {
    const { rows } = await database.query<{ at: Date | null }>(sql`
      select coalesce(load_at, last_load_at) as at from ${database.ledger('session_window')} where session_name = ${name}`);
    return rows[0]?.at ?? undefined;
  } catch (error) {
    // No control tables yet: no load has run there.
    if (database.dialect.classify(error).because !== 'missing') throw error;
    return undefined;
  }
}

/** Opens the session's next window, up to the server's clock now, or finds the one that is open. Idempotent on the run. */
export async function openSessionWindow(database: Database, name: string, firstRunId: string): Promise<OpenWindow> {
  const { dialect } = database;
  return database.transaction(async (session) => {
    await session.query(sql`
      insert into ${database.ledger('session_window')} (session_name) values (${name})
      ${dialect.words.onDuplicate(['session_name'], [])}`);
    const { rows } = await session.query<WindowRow & { now: Date }>(sql`
      select last_load_at, load_at, first_run_id, ${dialect.words.clock} as now
      from ${database.ledger('session_window')} where session_name = ${name} for update`);
    const { last_load_at: from, load_at: open, first_run_id: owner, now } = rows[0]!;
    if (open === null) {
      // Milliseconds, as they travel: what is stored is what every load is told.
      await session.query(sql`
        update ${database.ledger('session_window')} set load_at = ${now}, first_run_id = ${firstRunId}
        where session_name = ${name}`);
    }
    return {
      from: from?.toISOString() ?? null,
      to: (open ?? now).toISOString(),
      resumed: open !== null && owner !== firstRunId,
    };
  });
}

/** The session ended well: its next window begins where this one ends. Closing it twice changes nothing. */
export async function closeSessionWindow(database: Database, name: string, to: string): Promise<void> {
  await database.query(sql`
    update ${database.ledger('session_window')} set last_load_at = load_at, load_at = null, first_run_id = null
    where session_name = ${name} and load_at = ${new Date(to)}`);
}

/** `:load_at` of the load's newest published batch. */
export async function lastLoadAt(
  reader: Pick<Session, 'query'>,
  database: Database,
  load: string,
): Promise<string | null> {
  const { rows } = await reader.query<{ load_at: Date }>(sql`
    select coalesce(load_at, started_at) as load_at from ${database.ledger('batch')}
    where load_name = ${load} and state = 'published' order by batch_id desc limit 1`);
  return rows[0]?.load_at.toISOString() ?? null;
}
