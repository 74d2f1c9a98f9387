import { mentionsTable } from '../sql/lint.ts';
import { nearest } from '../sql/names.ts';
import type { Statement } from '../sql/statement.ts';
import { problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/**
 * Every row that a load writes carries its batch: a statement of a stage that inserts into an output, or keeps rows in a landing
 * table, uses `:batch_id`, or a statement before it in the stage makes a table with it (`create temp table … as select …, :batch_id`).
 */
export function checkBatchId({ definition: { outputs, inputs }, stages }: ParsedLoad): Problem[] {
  const tables = [...outputs, ...inputs.filter(({ external }) => !external)].map(({ table }) => table);
  return stages.flatMap(({ statements }) => {
    // A misspelt `:batchid` is reported as such, and not here again.
    let stamped = false;
    return statements.flatMap((statement) => {
      const uses = statement.parameters.some(({ name }) => nearest(name, ['batch_id']) !== undefined);
      if (uses && statement.verb === 'create') stamped = true;
      return uses || stamped ? [] : unstampedInserts(statement, tables);
    });
  });
}

function unstampedInserts(statement: Statement, tables: string[]): Problem[] {
  return tables.flatMap((table) => {
    const insert = mentionsTable(statement, table).find(({ asInsertTarget }) => asInsertTarget);
    if (insert === undefined) return [];
    const message = `nothing stamps \`batch_id\`: this insert into \`${table}\` does not use \`:batch_id\``;
    const next = 'Insert `:batch_id` into the column `batch_id`; a roll back deletes by it.';
    return [problemAt({ file: statement.file, line: insert.line, column: insert.column }, message, next)];
  });
}
