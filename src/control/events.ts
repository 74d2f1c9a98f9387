/** The table `event`: who did what to a batch, and why. */
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';

/** A line of a load's story before its next batch: `adoptEvents` makes it part of that. */
export async function recordLoadEvent(
  session: Pick<Session, 'query'>,
  database: Database,
  load: string,
  what: string,
  by: { requestedBy?: string | undefined; reason?: string | undefined },
): Promise<void> {
  await session.query(sql`
    insert into ${database.ledger('event')} (batch_id, load_name, what, requested_by, reason)
    values (null, ${load}, ${what}, ${by.requestedBy ?? null}, ${by.reason ?? null})`);
}

/** What was done for a batch before it was there is told with it. */
export async function adoptEvents(session: Pick<Session, 'query'>, database: Database, batchId: string, load: string) {
  await session.query(sql`
    update ${database.ledger('event')} set batch_id = ${batchId} where batch_id is null and load_name = ${load}`);
}

/** An error whose text anybody may see, and one that may quote rows. */
const [OPEN, CLOSED] = ['error', 'error_with_values'];

/**
 * An error of what is done for a batch, with its whole text; once, however often it comes. One that may pass is no more told once the
 * batch's time is over: then it is mostly the server's limit for a statement, which goes by that.
 */
export async function recordError(
  database: Database,
  batchId: string,
  { what, message, open, passing }: { what: string; message: string; open: boolean; passing: boolean },
): Promise<void> {
  const last = await lastError(database, batchId, what);
  if (last?.message === message) return;
  const { words } = database.dialect;
  await database.query(sql`
    insert into ${database.ledger('event')} (batch_id, load_name, what, reason)
    select batch_id, load_name, ${open ? OPEN : CLOSED}, ${`${what}: ${message}`}
    from ${database.ledger('batch')} where batch_id = ${batchId} and (${!passing} or deadline_at > ${words.clock})`);
}

/** The last that `recordError` wrote of this. `open`: anybody may see its text. */
export async function lastError(
  database: Database,
  batchId: string,
  of: string,
): Promise<{ message: string; open: boolean } | undefined> {
  const { rows } = await database.query<{ what: string; reason: string }>(sql`
    select what, reason from ${database.ledger('event')}
    where batch_id = ${batchId} and what in (${OPEN}, ${CLOSED}) order by event_id desc limit 100`);
  const start = `${of}: `;
  const row = rows.find(({ reason }) => reason.startsWith(start));
  return row && { message: row.reason.slice(start.length), open: row.what === OPEN };
}

/** Adds a line to the batch's story, within the transaction that does what the line says. `requestedBy`: who asked for just this. */
export async function recordEvent(
  session: Pick<Session, 'query'>,
  database: Database,
  batchId: string,
  what: string,
  by: { requestedBy?: string | undefined; reason?: string | undefined } = {},
): Promise<void> {
  await session.query(sql`
    insert into ${database.ledger('event')} (batch_id, load_name, what, requested_by, reason)
    select batch_id, load_name, ${what}, ${by.requestedBy ?? null}, ${by.reason ?? null}
    from ${database.ledger('batch')} where batch_id = ${batchId}`);
}
