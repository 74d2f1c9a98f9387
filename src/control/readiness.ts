/** Landing tables that outside scripts fill: whether those are done. */
import type { LoadDefinition } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';
import type { BatchValues } from '../sql/batch-sql.ts';
import { answerTo, asking } from './early-queries.ts';

/**
 * The inputs whose `ready` query does not say yes, asked now. `values` are fetched only where there is such a query. Throws
 * `ConfigurationError` for one that cannot be run.
 */
export async function notReady(
  database: Database,
  load: LoadDefinition,
  values: () => Promise<BatchValues>,
): Promise<string[]> {
  if (load.inputs.every(({ ready }) => ready === undefined)) return [];
  const known = await values();
  return asking(database, load, async (session) => {
    const waiting: string[] = [];
    for (const { table, ready } of load.inputs) {
      if (ready === undefined) continue;
      const what = `the query that says whether ${table} is ready`;
      const { rows } = await answerTo(session, database, ready, known, what);
      if (!saysYes(rows[0]?.[0])) waiting.push(table);
    }
    return waiting;
  });
}

/** True, or a number that is not 0. No row, NULL, and what is neither says no. */
function saysYes(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return false;
  const text = String(value).trim().toLowerCase();
  return ['true', 't'].includes(text) || (text !== '' && Number.isFinite(Number(text)) && Number(text) !== 0);
}
