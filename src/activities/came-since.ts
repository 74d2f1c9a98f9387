import type { Batch } from '../control/batch.ts';
import { unconsumed } from '../control/consumption.ts';
import type { Database } from '../database/dialect.ts';

/**
 * A batch that does a failed one again takes what that one had, a snapshot or a set of batches. What has come since, in words; null:
 * nothing, or this batch took all there was.
 */
export async function cameSince(database: Database, batch: Batch): Promise<string | null> {
  const { inputs, consumes } = batch.definition;
  if (batch.reprocessOf === null) return null;
  if (consumes.length > 0) {
    const rest = await unconsumed(database, database, batch.loadName, consumes);
    const loads = [...new Set(rest.map(({ load }) => load))].join(', ');
    return rest.length === 0 ? null : `${loads} published ${rest.map(({ batchId }) => batchId).join(', ')} since`;
  }
  const filled: string[] = [];
  for (const { table } of inputs) if (await database.dialect.hasRows(database, table)) filled.push(table);
  return filled.length === 0 ? null : `rows have come into ${filled.join(', ')} since`;
}
