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
