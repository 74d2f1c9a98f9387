import { Code } from '../sql/cut/code.ts';
import { assignments } from '../sql/cut/growing.ts';
import { mentionsTable } from '../sql/lint.ts';
import { nearest } from '../sql/names.ts';
import type { Statement } from '../sql/statement.ts';
import { isCode } from '../sql/token.ts';
import type { Filling } from '../sql/write-target.ts';
import { problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/**
 * Every row that a load writes carries its batch: a statement of a stage that inserts into an output (a merge may, too), or keeps rows
 * in a landing table, uses `:batch_id`, or a statement before it in the stage makes a table with it (`create temp table … as select …,
 * :batch_id`). What servers read out of files carries it only where `load data` sets it to a variable that a statement before has given it.
 */
export function checkBatchId({ definition: { outputs, inputs }, stages }: ParsedLoad): Problem[] {
  const written = outputs.map(({ table }) => table);
  // A landing table that is merged into is read where it stands, which is refused by itself.
  const kept = inputs.filter(({ external }) => !external).map(({ table }) => table);
  return stages.flatMap(({ statements }) => {
    // A misspelt `:batchid` is reported as such, and not here again.
    let stamped = false;
    const given = new Set<string>();
    return statements.flatMap((statement) => {
      const uses = statement.parameters.some(({ name }) => nearest(name, ['batch_id']) !== undefined);
      if (uses && statement.verb === 'create') stamped = true;
      if (uses) variablesSet(statement).forEach((name) => given.add(name));
      const files = setsBatchId(statement, given) ? [] : unstamped(statement, written, OF_FILES);
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

const codeOf = ({ tokens, dialect }: Statement): Code => new Code(tokens.filter(isCode), dialect);

/** `set @b = …`, `select … into @b`. */
function variablesSet(statement: Statement): string[] {
  const code = codeOf(statement);
  return code.tokens
    .filter(
      ({ kind }, i) =>
        kind === 'variable' && (code.mark(i + 1, '=') || code.mark(i + 1, ':=') || code.is(i - 1, 'into')),
    )
    .map(({ value }) => value);
}

/** `load data … set batch_id = @b`, of one of these variables. */
function setsBatchId(statement: Statement, variables: ReadonlySet<string>): boolean {
  if (statement.verb !== 'load') return false;
  const code = codeOf(statement);
  const all = { from: 0, to: code.tokens.length };
  const set = code.find(all, (i) => code.is(i, 'set') && !code.is(i - 1, 'character'));
  if (set === undefined) return false;
  return assignments(code, { ...all, from: set + 1 }).some(
    ({ column, value }) =>
      column === 'batch_id' && value.to === value.from + 1 && variables.has(code.tokens[value.from]!.value),
  );
}

function unstamped(statement: Statement, tables: string[], by: Filling[]): Problem[] {
  return tables.flatMap((table) => {
    const found = mentionsTable(statement, table).find(({ filledBy }) => filledBy && by.includes(filledBy));
    if (found?.filledBy === undefined) return [];
    const { line, column, filledBy } = found;
    const [why, next] = OF_FILES.includes(filledBy)
      ? [`\`${filledBy}\` into \`${table}\` binds no values`, FROM_FILE[filledBy]]
      : [`this ${filledBy} into \`${table}\` does not use \`:batch_id\``, INSERT];
    return [problemAt({ file: statement.file, line, column }, `nothing stamps \`batch_id\`: ${why}`, next)];
  });
}

const INSERT = 'Insert `:batch_id` into the column `batch_id`; a roll back deletes by it.';
const TEMPORARY = 'Read the file into a temporary table, and insert from that, with `:batch_id`';
const FROM_FILE: Partial<Record<Filling, string>> = {
  'copy … from': `${TEMPORARY}.`,
  'load data': `${TEMPORARY}; or write \`set @b = :batch_id\` before it, and \`set batch_id = @b\` in it.`,
};
