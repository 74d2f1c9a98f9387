import { isCode, type Token, type TokenKind } from './token.ts';

/**
 * The statement as the dialect's patterns read it: words in lower case, one space between tokens, comments gone, and what
 * may hold any text emptied: strings are `''`, quoted names `""`, braces `{{}}`, parameters `:x`.
 */
export function codeText(tokens: Iterable<Token>): string {
  const pieces: string[] = [];
  for (const token of tokens)
    if (isCode(token)) pieces.push(EMPTIED[token.kind] ?? (token.keyword || token.value || token.text));
  return pieces.join(' ');
}

const EMPTIED: Partial<Record<TokenKind, string>> = { string: "''", quoted: '""', brace: '{{}}', parameter: ':x' };
