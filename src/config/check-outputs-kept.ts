import { mentionsTable } from '../sql/lint.ts';
import { problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/** Verbs that take away rows of every batch at once. */
const TAKING = ['truncate', 'drop'];

/**
 * A roll back deletes the rows of its own batch: rows of earlier ones that a stage has taken away would be gone for good, and
 * every chunk would take away what the chunks before it wrote.
 */
export function checkOutputsKept({ definition, stages }: ParsedLoad): Problem[] {
  const taking = stages.flatMap(({ statements }) => statements.filter(({ verb }) => TAKING.includes(verb)));
  return taking.flatMap((statement) =>
    definition.outputs.flatMap(({ table }) => {
      const mention = mentionsTable(statement, table)[0];
      if (mention === undefined) return [];
      const message = `\`${statement.verb}\` of the output \`${table}\`: rows of earlier batches would be gone, whatever becomes of this one`;
      const next = 'Leave it out: a stage adds rows; `where batch_id in (…)` picks those that count.';
      return [problemAt({ file: statement.file, line: mention.line, column: mention.column }, message, next)];
    }),
  );
}
