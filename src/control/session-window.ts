/** The table `session_window`: what lies between two successful runs of a session whose loads share their window. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Session } from '../database/dialect.ts';
import { withoutLedger } from '../database/hidden-text.ts';
import { list, sql } from '../database/sql.ts';
import { UnreachableError } from '../errors.ts';
import type { ParameterValue } from '../workflows/messages.ts';

/** `:last_load_at` and `:load_at` of all loads, ISO text in UTC. */
export interface OpenWindow {
  from: string | null;
  to: string;
  /** An earlier run of the session opened it, and did not end well. */
  resumed: boolean;
  /** Of all loads in it: those that it was begun with, and what this run was given. */
  params: Parameters;
}

type Parameters = Record<string, ParameterValue>;

interface WindowRow {
  last_load_at: Date | null;
  load_at: Date | null;
  first_run_id: string | null;
  params: string | null;
}

/** Where the window of a session may be. */
export interface WindowPlaces {
  project: string;
  session: string;
  /** Of the session's loads; where no window is yet, the first gets it. */
  own: readonly Database[];
  /** All others of the project: one may have been the session's own before its loads moved, or were deleted. */
  others: readonly Database[];
}

/**
 * The connection whose ledger keeps a session's window; where none does yet, the first of its own. It stays where it is, whatever becomes
 * of the session's loads: a new window would begin anew with everything. So another connection that does not answer is an error
 * where no window was found on those that do, and only there.
 */
export async function findWindow(places: WindowPlaces): Promise<string | undefined> {
  const [first] = places.own;
  const all = [...places.own, ...places.others];
  if (all.length < 2) return first?.connection;
  const looks = await Promise.allSettled([
    ...places.own.map((database) => lastKnown(database, places)),
    ...places.others.map((database) => soon(lastKnown(database, places))),
  ]);
  let found: { on: string; at: Date } | undefined;
  for (const [index, look] of looks.entries()) {
    if (look.status === 'rejected' && index < places.own.length) throw look.reason;
    const at = look.status === 'fulfilled' ? look.value : undefined;
    if (at && !(found && found.at >= at)) found = { on: all[index]!.connection, at };
  }
  if (found) return found.on;
  const silent = looks.findIndex(({ status }) => status === 'rejected');
  if (silent >= 0) throw unknownWindow(all[silent]!, places, (looks[silent] as PromiseRejectedResult).reason);
  return first?.connection;
}

/** A server that the session does not need may hang, or have no route: it does not hold up the start. */
const OTHERS_ANSWER_MS = 10_000;

function soon<Answer>(answer: Promise<Answer>): Promise<Answer> {
  const late = sleep(OTHERS_ANSWER_MS, undefined, { ref: false }).then(() => {
    throw new Error(`no answer within ${OTHERS_ANSWER_MS / 1000} s`);
  });
  return Promise.race([answer, late]);
}

async function lastKnown(database: Database, { project, session, own }: WindowPlaces): Promise<Date | undefined> {
  try {
    const { rows } = await database.query<{ at: Date | null }>(sql`
      select coalesce(load_at, last_load_at) as at from ${database.ledger('session_window')}
      where session_name = ${session}
        and not exists (select 1 from ${database.ledger('project')} where name <> ${project})`);
    return rows[0]?.at ?? undefined;
  } catch (error) {
    const { because } = database.dialect.classify(error);
    // No control tables yet: no load has run there. Nor where a role that only reads a source may not look.
    if (because === 'missing' || (because === 'forbidden' && !own.includes(database))) return undefined;
    throw error;
  }
}

function unknownWindow({ connection, dialect }: Database, { session }: WindowPlaces, cause: unknown): Error {
  const { safeMessage } = dialect.classify(cause);
  return new UnreachableError(
    `${connection} cannot be asked whether it keeps the shared window of ${session}: ${withoutLedger(safeMessage)}`,
    {
      where: `session ${session}, connection ${connection}`,
      next:
        `no other connection keeps one, and a new window would do everything again: make ${connection} answer, ` +
        'or take it out of waybill.yaml if no load of the session ever wrote there',
      cause,
    },
  );
}

/** The end of the window in which a run goes on that an earlier one opened; undefined: it opens its own. */
export async function findLeftWindow(
  database: Database,
  name: string,
  firstRunId: string,
): Promise<string | undefined> {
  const { rows } = await database.query<{ load_at: Date }>(sql`
    select load_at from ${database.ledger('session_window')}
    where session_name = ${name} and load_at is not null and first_run_id <> ${firstRunId}`);
  return rows[0]?.load_at.toISOString();
}

/**
 * Opens the session's next window, up to the server's clock now, or finds the one that is open. Idempotent on the run. `given`: a run
 * that goes on in a window has its parameters where it is given no others; and so has the run after it, those it was given with them.
 */
export async function openSessionWindow(
  database: Database,
  name: string,
  firstRunId: string,
  given: Parameters,
): Promise<OpenWindow> {
  const { dialect } = database;
  return database.transaction(async (session) => {
    await session.query(sql`
      insert into ${database.ledger('session_window')} (session_name) values (${name})
      ${dialect.words.onDuplicate(['session_name'], [])}`);
    const { rows } = await session.query<WindowRow & { now: Date }>(sql`
      select last_load_at, load_at, first_run_id, params, ${dialect.words.clock} as now
      from ${database.ledger('session_window')} where session_name = ${name} for update`);
    const { last_load_at: from, load_at: open, first_run_id: owner, params: kept, now } = rows[0]!;
    const params = { ...(JSON.parse(kept ?? '{}') as Parameters), ...given };
    // Milliseconds, as they travel: what is stored is what every load is told.
    await session.query(sql`
      update ${database.ledger('session_window')}
      set load_at = ${open ?? now}, first_run_id = ${open === null ? firstRunId : owner}, params = ${JSON.stringify(params)}
      where session_name = ${name}`);
    return {
      params,
      from: from?.toISOString() ?? null,
      to: (open ?? now).toISOString(),
      resumed: open !== null && owner !== firstRunId,
    };
  });
}

/** The session ended well: its next window begins where this one ends. Closing it twice changes nothing. */
export async function closeSessionWindow(database: Database, name: string, to: string): Promise<void> {
  await database.query(sql`
    update ${database.ledger('session_window')}
    set last_load_at = load_at, load_at = null, first_run_id = null, params = null
    where session_name = ${name} and load_at = ${new Date(to)}`);
}

/** `:load_at` of the load's newest published batch; `names`: see `historyNames`. */
export async function lastLoadAt(
  reader: Pick<Session, 'query'>,
  database: Database,
  names: string[],
): Promise<string | null> {
  const { rows } = await reader.query<{ load_at: Date }>(sql`
    select coalesce(load_at, started_at) as load_at from ${database.ledger('batch')}
    where load_name in ${list(names)} and state = 'published' order by batch_id desc limit 1`);
  return rows[0]?.load_at.toISOString() ?? null;
}
