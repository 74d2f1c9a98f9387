import { codeText } from './code-text.ts';
import type { Refusal, SqlDialect } from './dialect.ts';
import { SqlError } from './sql-error.ts';
import type { SqlPlace, Statement } from './statement.ts';
import { isCode, type Token } from './token.ts';
import { isWriteTarget } from './write-target.ts';

/** What the dialect says against a statement, wherever it stands. */
export function findRefusal(tokens: Iterable<Token>, dialect: SqlDialect): Refusal | undefined {
  const code = codeText(tokens);
  return dialect.refusals.find(({ statement }) => statement.test(code));
}

/** Throws `SqlError` for a statement that the engine must not send: the dialect's refusals, and values that nothing binds. */
export function refuse(statement: Statement, place: SqlPlace): void {
  const { dialect } = statement;
  const code = codeText(statement.tokens);
  const refusal = findRefusal(statement.tokens, dialect);
  if (refusal !== undefined && !(refusal.commitsByItself && place === 'step')) {
    const shown = /^\w+(?: \w+){0,2}/.exec(code)?.[0] ?? code.split(' ', 3).join(' ');
    const where = refusal.commitsByItself ? 'in a stage or a check' : "in a load's SQL";
    throw new SqlError(`"${shown}" cannot stand ${where}: ${refusal.why}`, statement, refusal.next);
  }
  if (!dialect.bindsValues.test(code)) refuseValues(statement, dialect);
  refuseBraceTargets(statement);
}

function refuseValues(statement: Statement, dialect: SqlDialect): void {
  const what = `${dialect.title} binds no values in "${statement.verb}" statements`;
  const [parameter] = statement.parameters;
  if (parameter !== undefined) {
    const next = 'Move the value into a select, insert, update or delete statement.';
    throw new SqlError(`:${parameter.name} cannot be used here: ${what}`, { file: statement.file, ...parameter }, next);
  }
  const [brace] = statement.braces;
  if (brace !== undefined) {
    const next = "Write the table's plain name here, or read {{ … }} in a select, insert, update or delete statement.";
    throw new SqlError(`{{ ${brace.table} }} cannot be used here: ${what}`, { file: statement.file, ...brace }, next);
  }
}

/** `{{ t }}` is rows to read: as a target it would be a syntax error at best. */
function refuseBraceTargets(statement: Statement): void {
  const code = statement.tokens.filter(isCode);
  for (const [i, token] of code.entries()) {
    if (token.kind !== 'brace' || !isWriteTarget(code, i, statement.dialect)) continue;
    const next = `Write the plain name: ${token.value}.`;
    const message = `${token.text} stands for rows to read and cannot be written to`;
    throw new SqlError(message, { file: statement.file, ...token }, next);
  }
}
