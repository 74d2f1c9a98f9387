import type { Batch } from '../control/batch.ts';
import { unconsumed } from '../control/consumption.ts';
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { withSession } from '../database/transaction.ts';
import { toFailure } from './failures.ts';

/** The batch is published, and only its answer is behind this: nobody who has a table to himself may keep it back for long. */
const LIMITS = { looking: true, lockTimeoutMs: 5_000 };

/**
 * What a published batch leaves to the next start, in words; null: this one took all there was. A batch that does a failed one again
 * takes what that one had, a snapshot or a set of batches: what has come since. A window of a cursor: the rows behind other windows.
 * It never throws: the batch is published, whatever became of its landing tables.
 */
export async function cameSince(database: Database, batch: Batch): Promise<string | null> {
  try {
    if (batch.kind === 'acquisition') return await leftBehind(database, batch);
    return batch.reprocessOf === null ? null : await lookAgain(database, batch);
  } catch (error) {
    const { message } = toFailure(error, database, `batch ${batch.batchId}`);
    return `more may have come since, which cannot be looked for now (${message})`;
  }
}

/** Known since it opened: what comes into the last gap meanwhile is no reason for another start, or there would always be one. */
async function leftBehind(database: Database, { batchId }: Batch): Promise<string | null> {
  const { rows } = await database.query<{ reason: string }>(sql`
    select reason from ${database.ledger('event')} where batch_id = ${batchId} and what = 'rows_left'`);
  return rows[0] ? `${rows[0].reason} are not read yet` : null;
}

async function lookAgain(database: Database, batch: Batch): Promise<string | null> {
  const { inputs, consumes } = batch.definition;
  if (consumes.length > 0) {
    const rest = await unconsumed(database, database, [batch.loadName], consumes);
    const loads = [...new Set(rest.map(({ load }) => load))].join(', ');
    return rest.length === 0 ? null : `${loads} published ${rest.map(({ batchId }) => batchId).join(', ')} since`;
  }
  if (inputs.length === 0) return null;
  const filled: string[] = [];
  const look = async (session: Session): Promise<void> => {
    for (const { table } of inputs) if (await database.dialect.hasRows(session, table)) filled.push(table);
  };
  await withSession(database, `waybill read ${batch.loadName}`, look, LIMITS);
  return filled.length === 0 ? null : `rows have come into ${filled.join(', ')} since`;
}
