import type { LoadDefinition } from '../config/definition.ts';
import type { Dialect } from '../database/dialect.ts';
import { mentionsTable } from '../sql/lint.ts';
import { parseStatements } from '../sql/statement.ts';
import { refused } from './failures.ts';

/**
 * Landing tables that a load's own stages insert into ("keep this row for the next load"). A roll back takes such rows out
 * again by the batch's id, so they count as outputs. Refused where it could not: rows without the batch's id, and tables
 * that others fill, whose ids may be the same as ours.
 */
export function keptIn(load: LoadDefinition, dialect: Dialect): string[] {
  const tables = new Set<string>();
  for (const source of load.stages.flatMap((stage) => stage.sql)) {
    for (const statement of parseStatements(source, dialect.sql)) {
      for (const { table, external } of load.inputs) {
        const at = mentionsTable(statement, table).find((mention) => mention.asInsertTarget);
        if (!at) continue;
        const where = `${source.file}:${at.line}:${at.column}`;
        if (external) {
          throw refused(`rows kept in ${table} could not be told from those that others put there`, {
            where,
            next: 'keep them in a landing table that an acquisition fills, or in a table of their own',
          });
        }
        if (!statement.parameters.some(({ name }) => name === 'batch_id')) {
          throw refused(`rows kept in ${table} without this batch's id could not be taken back`, {
            where,
            next: 'insert :batch_id into its column batch_id',
          });
        }
        tables.add(table);
      }
    }
  }
  return [...tables];
}
