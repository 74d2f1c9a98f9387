import { codeText } from './code-text.ts';
import type { Refusal, SqlDialect } from './dialect.ts';
import { SqlError } from './sql-error.ts';
import type { SqlPlace, Statement } from './statement.ts';
import { isCode, isMark, isWord, lowerCase, type Token } from './token.ts';
import { isWriteTarget } from './write-target.ts';

/** What the dialect says against a statement, wherever it stands. */
export function findRefusal(tokens: Iterable<Token>, dialect: SqlDialect): Refusal | undefined {
  const all = [...tokens];
  const matching = (code: string) => dialect.refusals.find(({ statement }) => statement.test(code));
  const named = codeWithSetting(all.filter(isCode));
  return matching(codeText(all)) ?? (named === undefined ? undefined : matching(named));
}

/** The statement with the name of its setting written out, where that stands in quotes: `set local "search_path" = x`. */
function codeWithSetting(code: Token[]): string | undefined {
  if (!isWord(code[0], 'set', 'reset')) return undefined;
  const at = isWord(code[1], 'local', 'session') ? 2 : 1;
  const name = code[at];
  if (name?.kind !== 'quoted') return undefined;
  return codeText(code.with(at, { ...name, kind: 'word', keyword: lowerCase(name.value) }));
}

/** Throws `SqlError` for a statement that the engine must not send: the dialect's refusals, and values that nothing binds. */
export function refuse(statement: Statement, place: SqlPlace): void {
  const { dialect } = statement;
  const code = codeText(statement.tokens);
  const refusal = findRefusal(statement.tokens, dialect);
  const standsInSteps = refusal?.commitsByItself === true || refusal?.repeatable === true;
  if (refusal !== undefined && !(standsInSteps && place === 'step')) {
    const shown = refusal.named ?? /^\w+(?: \w+){0,2}/.exec(code)?.[0] ?? code.split(' ', 3).join(' ');
    const where = standsInSteps ? 'in a stage or a check' : "in a load's SQL";
    throw new SqlError(`"${shown}" cannot stand ${where}: ${refusal.why}`, statement, refusal.next);
  }
  refuseSettingCalls(statement);
  refuseSettingUpdates(statement);
  if (!dialect.bindsValues.test(code)) refuseValues(statement, dialect);
  refuseBraceTargets(statement);
}

/** A setting that SET may not change, changed by a function, wherever in a statement it is called. */
function refuseSettingCalls({ tokens, dialect, file }: Statement): void {
  const code = tokens.filter(isCode);
  for (const [i, token] of code.entries()) {
    if (!callsSetting(code, i, dialect)) continue;
    const name = code[i + 2];
    const set = isMark(code[i + 3], ',') ? literalOf(name) : undefined;
    if (set === undefined) {
      const message = `which setting "${dialect.setsByCall}" changes here is seen by the server alone, and some cannot be changed in a load's SQL`;
      throw new SqlError(
        message,
        { file, ...token },
        `Write its name as a plain string: ${dialect.setsByCall}('work_mem', …).`,
      );
    }
    const refusal = dialect.refusals.find(({ statement }) => statement.test(`set local ${lowerCase(set)}`));
    if (refusal === undefined) continue;
    const message = `"${dialect.setsByCall}('${set}')" cannot stand in a load's SQL: ${refusal.why}`;
    throw new SqlError(message, { file, ...token }, refusal.next);
  }
}

/** A function of this name in another schema is somebody's own. */
function callsSetting(code: Token[], i: number, { setsByCall, catalogSchema }: SqlDialect): boolean {
  const token = code[i]!;
  if (setsByCall === undefined || token.value !== setsByCall || !isMark(code[i + 1], '(')) return false;
  return !isMark(code[i - 1], '.') || code[i - 2]?.value === catalogSchema;
}

/** The server's view of its settings does for an UPDATE what SET does. One of this name in another schema is somebody's own. */
function refuseSettingUpdates({ tokens, dialect, file }: Statement): void {
  const code = tokens.filter(isCode);
  for (const [i, token] of code.entries()) {
    if (dialect.settingsView === undefined || token.value !== dialect.settingsView) continue;
    const qualified = isMark(code[i - 1], '.');
    if (qualified && code[i - 2]?.value !== dialect.catalogSchema) continue;
    if (!isWriteTarget(code, qualified ? i - 2 : i, dialect)) continue;
    throw new SqlError(
      `"${dialect.settingsView}" cannot be written to in a load's SQL: which setting it changes is seen by the server alone, and some cannot be changed there`,
      { file, ...token },
      'Write "set local …", or put the setting under session_params: of the load.',
    );
  }
}

/** What a string says whose text is what stands between its quotes. */
function literalOf(token: Token | undefined): string | undefined {
  return token?.kind === 'string' ? /^'([^']*)'$/.exec(token.text)?.[1] : undefined;
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
