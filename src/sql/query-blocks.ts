import type { Statement } from './statement.ts';
import { isCode, isMark, isWord, type Token } from './token.ts';

/** One `select … from …` (or insert, update …): the level at which `group by` and aggregates take effect. */
export interface QueryBlock {
  parent: QueryBlock | undefined;
  /** The arms of one `union` share a group; `union` and `limit` work on it as a whole. */
  group: number;
  /** The name that a `with` clause gives it, if it stands in one; folded. */
  withName: string | undefined;
  /** Names read directly in it; folded. */
  names: Set<string>;
}

/** A statement's code tokens, and for each the query block that it stands in. */
export interface BlockedCode {
  code: Token[];
  blockOf: QueryBlock[];
  blocks: QueryBlock[];
}

const QUERY_WORDS = ['select', 'with', 'values', 'table', 'insert', 'update', 'delete', 'merge'];
const SET_OPERATORS = ['union', 'intersect', 'except'];

/** Divides a statement into its query blocks. Parentheses that hold no query (arguments, joins) open none. */
export function queryBlocks(statement: Statement): BlockedCode {
  const { dialect } = statement;
  const code = statement.tokens.filter(isCode);
  const blocks: QueryBlock[] = [];
  const blockOf: QueryBlock[] = [];
  let groups = 0;
  const open = (parent: QueryBlock | undefined, group: number, withName?: string) => {
    const block = { parent, group, withName: withName && dialect.foldName(withName), names: new Set<string>() };
    blocks.push(block);
    return block;
  };
  let current = open(undefined, groups++);
  const outer: QueryBlock[] = [];
  for (const [i, token] of code.entries()) {
    if (isMark(token, ')')) current = outer.pop() ?? current;
    if (isSetOperator(token, code[i - 1])) current = open(current.parent, current.group, current.withName);
    blockOf.push(current);
    if (token.kind === 'word' || token.kind === 'quoted') current.names.add(dialect.foldName(token.value));
    if (!isMark(token, '(')) continue;
    outer.push(current);
    if (holdsQuery(code, i)) current = open(current, groups++, withNameBefore(code, i));
  }
  return { code, blockOf, blocks };
}

/** Names that the statement's `with` clauses define. */
export function withNames(code: Token[]): Set<string> {
  const names = code.map((token, i) =>
    isMark(token, '(') && holdsQuery(code, i) ? withNameBefore(code, i) : undefined,
  );
  return new Set(names.filter((name) => name !== undefined));
}

/** Whether the parenthesis at `at` opens a query, further parentheses before it skipped. */
export function holdsQuery(code: Token[], at: number): boolean {
  let first = at;
  while (isMark(code[first], '(')) first++;
  return isWord(code[first], ...QUERY_WORDS);
}

/** A word that is a set operator and not a column's label or a name after a dot. */
export function isSetOperator(token: Token, before: Token | undefined): boolean {
  return isWord(token, ...SET_OPERATORS) && !isMark(before, '.') && !isWord(before, 'as');
}

/** For the `(` of `name [(columns)] as [[not] materialized] (`: the name. */
function withNameBefore(code: Token[], at: number): string | undefined {
  let i = at - 1;
  if (isWord(code[i], 'materialized')) i -= isWord(code[i - 1], 'not') ? 2 : 1;
  if (!isWord(code[i], 'as')) return undefined;
  i--;
  if (isMark(code[i], ')')) {
    while (i >= 0 && !isMark(code[i], '(')) i--;
    i--;
  }
  const name = code[i];
  return name?.kind === 'word' || name?.kind === 'quoted' ? name.value : undefined;
}
