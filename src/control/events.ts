/** The table `event`: who did what to a batch, and why. */
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';

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
