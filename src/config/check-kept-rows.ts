import { mentionsTable } from '../sql/lint.ts';
import { problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/**
 * "Keep this row for the next load": a stage may insert into a landing table of its own load. A roll back takes such rows out by the
 * batch's id, which says nothing in a table that others fill: it need not have the column, and their ids may be the same as ours.
 */
export function checkKeptRows({ definition, stages }: ParsedLoad): Problem[] {
  const external = definition.inputs.filter((input) => input.external);
  return stages.flatMap(({ statements }) =>
    statements.flatMap((statement) =>
      external.flatMap(({ table }) => {
        const insert = mentionsTable(statement, table).find(({ asInsertTarget }) => asInsertTarget);
        if (insert === undefined) return [];
        const message = `rows kept in \`${table}\` could not be told from those that others put there`;
        const next = 'Keep them in a landing table that an acquisition fills, or in a table of their own.';
        return [problemAt({ file: statement.file, line: insert.line, column: insert.column }, message, next)];
      }),
    ),
  );
}
