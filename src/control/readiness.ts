/** Landing tables that outside scripts fill: whether those are done. */
import type { InputTable, LoadDefinition, SqlSource } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import { renderForBatch, type BatchValues } from '../sql/batch-sql.ts';
import { parseStatements } from '../sql/statement.ts';
import { asking } from './range-bounds.ts';

/** The inputs whose `ready` query does not say yes, asked now. Throws `ConfigurationError` for a query that cannot be run. */
export async function notReady(database: Database, load: LoadDefinition, values: BatchValues): Promise<string[]> {
  const asked = load.inputs.filter((input): input is InputTable & { ready: SqlSource } => input.ready !== undefined);
  if (asked.length === 0) return [];
  return asking(database, load, async (session) => {
    const { dialect } = database;
    const waiting: string[] = [];
    for (const { table, ready } of asked) {
      const rendered = renderForBatch(parseStatements(ready, dialect.sql)[0]!, values, dialect);
      try {
        const { rows } = await session.run(rendered);
        if (!saysYes(rows[0]?.[0])) waiting.push(table);
      } catch (error) {
        const facts = dialect.classify(error);
        if (facts.kind !== 'permanent') throw error;
        const where = `${ready.file}:${ready.line}:${ready.column}`;
        throw new ConfigurationError(`the query that says whether ${table} is ready failed: ${facts.safeMessage}`, {
          where,
          cause: error,
        });
      }
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
