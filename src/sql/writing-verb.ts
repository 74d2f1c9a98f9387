import type { Statement } from './statement.ts';
import { isCode, isMark, isWord, type Token } from './token.ts';

/** Verbs of statements that change rows, and of those that a `with` may hold. */
const CHANGING = ['insert', 'replace', 'update', 'delete', 'merge'];
const WRITING = [...CHANGING, 'truncate', 'copy'];
const READING = ['select', 'values', 'table'];

/** The first word by which a statement changes rows, in its `with`, behind it or without one; undefined: it only reads. */
export function writingVerb({ verb, tokens }: Pick<Statement, 'verb' | 'tokens'>): string | undefined {
  const code = tokens.filter(isCode);
  if (verb === 'load') return isWord(code[1], 'data', 'xml') ? verb : undefined; // PostgreSQL loads libraries
  if (verb !== 'with') return WRITING.includes(verb) ? verb : undefined;
  let depth = 0;
  for (const [i, token] of code.entries()) {
    if (isMark(token, '(')) depth++;
    if (isMark(token, ')')) depth--;
    if (isWord(token, ...CHANGING) && (depth === 0 ? isBehindWith(code, i) : beginsQuery(code, i)))
      return token.keyword;
    // What stands behind is its own.
    if (depth === 0 && isWord(token, ...READING) && isBehindWith(code, i)) return undefined;
  }
  return undefined;
}

/** It is none of the names that the `with` defines, and no `for update` behind a query in parentheses. */
const isBehindWith = (code: Token[], at: number): boolean =>
  !isWord(code[at - 1], 'with', 'recursive', 'for', 'key') && !isMark(code[at - 1], ',');

/** `with a as (insert …`. */
const beginsQuery = (code: Token[], at: number): boolean =>
  isMark(code[at - 1], '(') && isWord(code[at - 2], 'as', 'materialized');
