import type { SqlDialect } from '../../src/sql/dialect.ts';
import { lex } from '../../src/sql/lexer.ts';
import { SqlError } from '../../src/sql/sql-error.ts';
import { isCode, type Token } from '../../src/sql/token.ts';
import { source } from './parse.ts';

/**
 * Where a server must find the first token that cannot stand in `set @v = <expression>`, if it cuts the text as our lexer
 * does: an offset; `unclosed`: nowhere, but a comment never ends. Undefined: refused by us, or beyond the few rules that are
 * known here.
 */
export type Verdict = number | 'unclosed' | undefined;

/** Of the tokens that the fuzz can make: after an operator, a name or a value, which may follow. */
type State = 'operand' | 'operator' | 'strings' | 'name' | 'dot' | 'variable' | 'introducer';

const BINARY = ['+', '-', '*', '/', '%', '^', '&', '|', '&&', '||', '=', '<', '<=', '<=>', '<<', '!='];
const UNARY = ['+', '-', '~', '!'];
/** Names of character sets, before which an underscore makes an introducer. */
const INTRODUCERS = ['_utf8mb4', '_binary'];

export function verdictOf(text: string, start: number, dialect: SqlDialect): Verdict {
  const code: Token[] = [];
  let unclosed: number | 'unclosed' | undefined;
  try {
    for (const token of lex(source(text), dialect)) if (isCode(token) && token.start >= start) code.push(token);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    if (!error.message.includes('never closed')) return undefined;
    unclosed = error.message.includes('comment') ? 'unclosed' : offsetOf(text, error.where!);
  }
  let state: State | undefined = 'operand';
  let dots = 0;
  for (const token of code) {
    if (isBeyond(token, text[token.end] ?? '', state)) return undefined;
    dots = state === 'dot' ? dots + 1 : state === 'name' ? dots : 0;
    state = next(state, token, dots);
    if (state === undefined) return token.start;
  }
  return unclosed;
}

function next(state: State, token: Token, dots: number): State | undefined {
  const { kind, text } = token;
  switch (state) {
    case 'operand':
      if (kind === 'string') return 'strings';
      if (kind === 'number') return isWhole(text) ? 'operator' : undefined;
      if (kind === 'variable') return 'variable';
      if (kind === 'word') return INTRODUCERS.includes(text) ? 'introducer' : 'name';
      if (kind === 'quoted') return 'name';
      return UNARY.includes(text) ? 'operand' : undefined;
    case 'introducer':
      if (kind === 'string' && /^["']/.test(text)) return 'strings';
      return kind === 'number' && /^(0[xb]|[xXbB]')/.test(text) && isWhole(text) ? 'operator' : undefined;
    case 'dot':
      return kind === 'word' || kind === 'quoted' ? 'name' : undefined;
    case 'strings':
      if (kind === 'string' && /^["']/.test(text)) return 'strings';
      break;
    case 'name':
      if (text === '.') return dots < 2 ? 'dot' : undefined;
      break;
    case 'variable':
      if (text === ':=') return 'operand';
      break;
    case 'operator':
  }
  return kind === 'operator' && BINARY.includes(text) ? 'operand' : undefined;
}

/**
 * More of the grammar than these rules know: accounts, paths into JSON, names without a first part, \N. And what the scanners
 * do not cut: of `=!` they lose the second character, `1.e` and `x'z'` are
 * mistakes, and `..` is one token to MariaDB.
 */
function isBeyond({ text, kind }: Token, after: string, state: State): boolean {
  if (text === '@' || text.startsWith('@@') || text === '\\' || text.startsWith('->')) return true;
  if (text === '.') return state === 'operand' || after === '.';
  if (kind === 'number') return text.includes('.') && /[eE.]/.test(after);
  if (kind === 'word' && state === 'dot' && INTRODUCERS.includes(text)) return true;
  if (kind === 'word') return /^[xXbB]$/.test(text) && after === "'";
  return /[-<>=!]$/.test(text) && /[<>=!]/.test(after);
}

/** Half a byte in a hexadecimal literal is a mistake at its start. */
const isWhole = (text: string) => !/^[xX]'(?:..)*.'$/.test(text);

function offsetOf(text: string, where: string): number {
  const [line, column] = where.split(':').slice(-2).map(Number) as [number, number];
  const before = text.split('\n').slice(0, line - 1);
  return before.join('\n').length + (before.length > 0 ? 1 : 0) + column - 1;
}
