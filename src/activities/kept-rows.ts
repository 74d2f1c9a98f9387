import type { LoadDefinition } from '../config/definition.ts';
import type { Dialect } from '../database/dialect.ts';
import { mentionsTable } from '../sql/lint.ts';
import { parseStatements } from '../sql/statement.ts';

/**
 * Landing tables that a load's own stages insert into ("keep this row for the next load"). A roll back takes such rows out
 * again by the batch's id, so they count as outputs. Where it could not, the load's files are refused (check-kept-rows.ts,
 * check-batch-id.ts).
 */
export function keptIn({ stages, inputs }: LoadDefinition, dialect: Dialect): string[] {
  const statements = stages.flatMap(({ sql }) => sql).flatMap((source) => parseStatements(source, dialect.sql));
  return inputs
    .map(({ table }) => table)
    .filter((table) =>
      statements.some((statement) => mentionsTable(statement, table).some(({ asInsertTarget }) => asInsertTarget)),
    );
}
