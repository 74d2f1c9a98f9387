import { mentionsTable } from '../sql/lint.ts';
import { nearest } from '../sql/names.ts';
import type { Statement } from '../sql/statement.ts';
import type { Filling } from '../sql/write-target.ts';
import { problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/**
 * Every row that a load writes carries its batch: a statement of a stage that inserts into an output (a merge may, too), or keeps rows
 * in a landing table, uses `:batch_id`, or a statement before it in the stage makes a table with it (`create temp table … as select …,
 * :batch_id`). What servers read out of files never carries it.
 */
export function checkBatchId({ definition: { outputs, inputs }, stages }: ParsedLoad): Problem[] {
  const written = outputs.map(({ table }) => table);
  // A landing table that is merged into is read where it stands, which is refused by itself.
  const kept = inputs.filter(({ external }) => !external).map(({ table }) => table);
  return stages.flatMap(({ statements }) => {
    // A misspelt `:batchid` is reported as such, and not here again.
    let stamped = false;
    return statements.flatMap((statement) => {
      const uses = statement.parameters.some(({ name }) => nearest(name, ['batch_id']) !== undefined);
      if (uses && statement.verb === 'create') stamped = true;
      const files = unstamped(statement, written, OF_FILES);
      if (uses || stamped) return files;
      return [
        ...files,
        ...unstamped(statement, written, ['insert', 'merge']),
        ...unstamped(statement, kept, ['insert']),
      ];
    });
  });
}

const OF_FILES: Filling[] = ['copy … from', 'load data'];

function unstamped(statement: Statement, tables: string[], by: Filling[]): Problem[] {
  return tables.flatMap((table) => {
    const found = mentionsTable(statement, table).find(({ filledBy }) => filledBy && by.includes(filledBy));
    if (found?.filledBy === undefined) return [];
    const { line, column, filledBy } = found;
    const [why, next] = OF_FILES.includes(filledBy)
      ? [`\`${filledBy}\` into \`${table}\` binds no values`, FROM_FILE]
      : [`this ${filledBy} into \`${table}\` does not use \`:batch_id\``, INSERT];
    return [problemAt({ file: statement.file, line, column }, `nothing stamps \`batch_id\`: ${why}`, next)];
  });
}

const INSERT = 'Insert `:batch_id` into the column `batch_id`; a roll back deletes by it.';
const FROM_FILE = 'Read the file into a temporary table, and insert from that, with `:batch_id`.';
