import type { SqlDialect } from './dialect.ts';
import type { BraceUse, ParameterUse, Statement } from './statement.ts';
import { isCode, isMark, isWord, type Token } from './token.ts';

/** SQL to send, and the values of its placeholders, in order. */
export interface Rendered {
  text: string;
  values: unknown[];
  /** The server runs it in this time zone, where that is not UTC: `SqlDialect.localTime`. */
  timeZone?: string;
}

/** What `renderStatement` gives: enough to find a place of the text in the file again. */
export interface RenderedStatement extends Rendered {
  /** Which pieces of `text` stand for which tokens, in order. `renderedPosition` reads them. */
  replaced: Replacement[];
}

/** A piece of rendered text and the token of the statement that it stands for. Half-open offsets in `Rendered.text`. */
export interface Replacement {
  start: number;
  end: number;
  token: Token;
}

/**
 * Adds a bound value and gives its placeholder: `$3`, or `$3::bigint` with a cast. Without a cast each call adds a value,
 * because the server deduces one type for each placeholder; with one, equal values share a placeholder where the dialect's
 * placeholders name their value. Where they do not (`?`), placeholders are to stand in the text in the order of the calls.
 */
export type Bind = (value: unknown, cast?: string) => string;

/** Says what stands where a parameter or a brace stood. A value reaches the text through `bind` only. */
export interface Renderer {
  parameter(use: ParameterUse, bind: Bind): string;
  /** A derived table in parentheses, or anything else that takes an alias. */
  brace(use: BraceUse, bind: Bind): string;
}

/** Renders a statement for one execution. All other text stays as written, comments included. */
export function renderStatement(statement: Statement, renderer: Renderer, dialect: SqlDialect): RenderedStatement {
  const values: unknown[] = [];
  const bind = binder(values, dialect);
  const replaced: Replacement[] = [];
  let text = '';
  let [parameter, brace] = [0, 0];
  for (const [i, token] of statement.tokens.entries()) {
    let piece = token.text;
    if (token.kind === 'parameter') {
      const bindHere: Bind = dialect.takesBareValue?.(statement.tokens, i) ? (value) => bind(value) : bind;
      piece = inParentheses(renderer.parameter(statement.parameters[parameter++]!, bindHere), statement.tokens, i);
    } else if (token.kind === 'brace') piece = renderer.brace(statement.braces[brace++]!, bind);
    const isReplaced = token.kind === 'parameter' || token.kind === 'brace';
    // `limit:n` would become `limit$1`, one name.
    const afterReplaced = replaced.at(-1)?.end === text.length && i > 0;
    if ((isReplaced || afterReplaced) && GLUES_LEFT.test(text) && GLUES_RIGHT.test(piece)) text += ' ';
    if (isReplaced) replaced.push({ start: text.length, end: text.length + piece.length, token });
    text += piece;
  }
  return { text, values, replaced };
}

const GLUES_LEFT = /[\w$\u0080-\uffff]$/;
const BARE_PLACEHOLDER = /^[$?\w]+$/;
const GLUES_RIGHT = /^[\w$\u0080-\uffff]/;

function binder(values: unknown[], dialect: SqlDialect): Bind {
  const casts: (string | undefined)[] = [];
  return (value, cast) => {
    const shared = dialect.placeholdersRepeat && cast !== undefined;
    let n = shared ? values.findIndex((known, i) => Object.is(known, value) && casts[i] === cast) + 1 : 0;
    if (n === 0) {
      n = values.push(value);
      casts.push(cast);
    }
    const placeholder = dialect.placeholder(n);
    return cast === undefined ? placeholder : dialect.cast(placeholder, cast);
  };
}

/** `$1::bigint[][2]` would subscript the type, and `fetch first $1::bigint rows` is no SQL: the value takes parentheses. */
function inParentheses(piece: string, tokens: Token[], at: number): string {
  if (BARE_PLACEHOLDER.test(piece)) return piece;
  const next = tokens.slice(at + 1).find(isCode);
  return isMark(next, '[') || isWord(next, 'row', 'rows') ? `(${piece})` : piece;
}
