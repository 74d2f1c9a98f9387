import type { Batch } from '../control/batch.ts';
import { unconsumed } from '../control/consumption.ts';
import type { Database, Session } from '../database/dialect.ts';
import { withSession } from '../database/transaction.ts';
import { toFailure } from './failures.ts';

/** The batch is published, and only its answer is behind this: nobody who has a table to himself may keep it back for long. */
const LIMITS = { looking: true, lockTimeoutMs: 5_000 };

/**
 * A batch that does a failed one again takes what that one had, a snapshot or a set of batches. What has come since, in words; null:
 * nothing, or this batch took all there was. It never throws: the batch is published, whatever became of its landing tables.
 */
export async function cameSince(database: Database, batch: Batch): Promise<string | null> {
  if (batch.reprocessOf === null) return null;
  try {
    return await lookAgain(database, batch);
  } catch (error) {
    const { message } = toFailure(error, database, `batch ${batch.batchId}`);
    return `more may have come since, which cannot be looked for now (${message})`;
  }
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
