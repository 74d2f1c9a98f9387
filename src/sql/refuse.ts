import { codeText } from './code-text.ts';
import type { SqlDialect } from './dialect.ts';
import { SqlError } from './sql-error.ts';
import type { Statement } from './statement.ts';
import { isCode, isWord } from './token.ts';

/** Throws `SqlError` for a statement that the engine must not send: the dialect's refusals, and values that nothing binds. */
export function refuse(statement: Statement, dialect: SqlDialect): void {
  const code = codeText(statement.tokens);
  const refusal = dialect.refusals.find((one) => one.statement.test(code));
  if (refusal !== undefined) {
    const shown = /^\w+(?: \w+){0,2}/.exec(code)?.[0] ?? statement.verb;
    throw new SqlError(`"${shown}" cannot stand in a load's SQL: ${refusal.why}`, statement, refusal.next);
  }
  if (!dialect.bindsValues.test(code)) refuseValues(statement, dialect);
  refuseBraceTargets(statement);
}

function refuseValues(statement: Statement, dialect: SqlDialect): void {
  const what = `${dialect.title} binds no values in "${statement.verb}" statements`;
  const [parameter] = statement.parameters;
  if (parameter !== undefined) {
    const next = 'Move the value into a select, insert, update, delete or merge statement.';
    throw new SqlError(`:${parameter.name} cannot be used here: ${what}`, { file: statement.file, ...parameter }, next);
  }
  const [brace] = statement.braces;
  if (brace !== undefined) {
    const next =
      "Write the table's plain name here, or read {{ … }} in a select, insert, update, delete or merge statement.";
    throw new SqlError(`{{ ${brace.table} }} cannot be used here: ${what}`, { file: statement.file, ...brace }, next);
  }
}

/** `{{ t }}` is rows to read: as a target it would be a syntax error at best. */
function refuseBraceTargets(statement: Statement): void {
  const code = statement.tokens.filter(isCode);
  for (const [i, token] of code.entries()) {
    if (token.kind !== 'brace') continue;
    const [before, last] = [code[i - 2], code[i - 1]];
    const target =
      isWord(last, 'into') ||
      (isWord(last, 'update') && !isWord(before, 'for', 'key')) ||
      (isWord(last, 'from') && isWord(before, 'delete')) ||
      (isWord(last, 'only') && isWord(before, 'update'));
    if (!target) continue;
    const next = `Write the plain name: ${token.value}.`;
    const message = `${token.text} stands for rows to read and cannot be written to`;
    throw new SqlError(message, { file: statement.file, ...token }, next);
  }
}
