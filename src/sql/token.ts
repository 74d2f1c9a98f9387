import type { Position } from './sql-error.ts';

/**
 * What a piece of SQL text is. `word`: an unquoted name or keyword; `quoted`: a quoted name; `string`: any literal in
 * quotes or dollar quotes; `variable`: a server's variable (`@x`); `punctuation`: one character with a meaning of its own, `;`
 * among them; `parameter`: `:name`; `brace`: `{{ table }}`, both braces included. What opens and closes a comment that the
 * server runs is a `comment` each; what stands between is code.
 */
export type TokenKind =
  | 'space'
  | 'comment'
  | 'string'
  | 'word'
  | 'quoted'
  | 'number'
  | 'variable'
  | 'operator'
  | 'punctuation'
  | 'parameter'
  | 'brace';

/** One token. The texts of all tokens, one after the other, are the source text. */
export interface Token extends Position {
  kind: TokenKind;
  text: string;
  /** Half-open offsets: in the source text from `lex`, in `Statement.text` from `parseStatements`. */
  start: number;
  end: number;
  /**
   * `word`, `quoted`: the name as the server understands it; `variable`: its text in lower case; `parameter`: its name;
   * `brace`: the table. Else ''.
   */
  value: string;
  /** `word`: its text in lower case, for comparing with keywords, whose case counts nowhere. Else ''. */
  keyword: string;
  /** `{{ table | all }}`. */
  all: boolean;
}

/** Whether the server reads the token at all: neither white space nor a comment. */
export function isCode(token: Token): boolean {
  return token.kind !== 'space' && token.kind !== 'comment';
}

/** Unquoted text in lower case, ASCII letters only: no keyword holds any other, and `K` (Kelvin) is not `k`. */
export function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}

/** Whether the token is this unquoted word (lower-case) or one of these. */
export function isWord(token: Token | undefined, ...words: string[]): boolean {
  return token?.kind === 'word' && words.includes(token.keyword);
}

/** Whether the token is this piece of punctuation or operator. */
export function isMark(token: Token | undefined, mark: string): boolean {
  return (token?.kind === 'punctuation' || token?.kind === 'operator') && token.text === mark;
}
