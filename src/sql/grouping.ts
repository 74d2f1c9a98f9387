import type { SqlDialect } from './dialect.ts';
import { isSetOperator, queryBlocks, type BlockedCode, type QueryBlock } from './query-blocks.ts';
import type { Position } from './sql-error.ts';
import type { BraceUse, Statement } from './statement.ts';
import { isMark, isWord, type Token } from './token.ts';

/** Something whose result over a part of the rows differs from its part of the result over all rows. */
export interface GroupingConstruct extends Position {
  what:
    | 'group by'
    | 'having'
    | 'distinct'
    | 'aggregate'
    | 'window function'
    | 'variable assignment'
    | 'limit'
    | 'union'
    | 'intersect'
    | 'except';
}

/**
 * Finds what would silently be wrong over a cut: grouping, `distinct`, aggregates, window functions, variables that
 * carry something from row to row (`@n := @n + 1`), limits, and set operations that drop duplicates. (`is [not] distinct
 * from` and `union all` are none.)
 *
 * With `over`, only constructs that the rows of that brace, or of the table named there, can reach: those of the query that reads it, of the queries
 * around, and of those that read it through a `with` name. An aggregate over another table in a subquery beside the
 * brace is left out. Without `over`: all. Aggregates that users created are not known.
 */
export function groupingConstructs(statement: Statement, over?: Pick<BraceUse, 'start'>): GroupingConstruct[] {
  const blocked = queryBlocks(statement);
  const reached = over === undefined ? new Set(blocked.blocks) : reachedBy(over, blocked);
  const groups = new Set([...reached].map(({ group }) => group));
  const found: GroupingConstruct[] = [];
  for (const [i, { line, column }] of blocked.code.entries()) {
    const what = constructAt(blocked.code, i, statement.dialect);
    if (what === undefined) continue;
    const block = blocked.blockOf[i]!;
    if (WORKS_ON_WHOLE_UNION.has(what) ? groups.has(block.group) : reached.has(block))
      found.push({ what, line, column });
  }
  return found;
}

const WORKS_ON_WHOLE_UNION: ReadonlySet<GroupingConstruct['what']> = new Set(['limit', 'union', 'intersect', 'except']);

function constructAt(code: Token[], at: number, dialect: SqlDialect): GroupingConstruct['what'] | undefined {
  const [token, before, after] = [code[at]!, code[at - 1], code[at + 1]];
  if (token.kind === 'variable') return isMark(after, ':=') ? 'variable assignment' : undefined;
  if (token.kind !== 'word' || isMark(before, '.')) return aggregateAt(code, at, dialect);
  // A label: `select 1 as limit`.
  if (isWord(before, 'as')) return undefined;
  if (isSetOperator(token, before)) {
    if (token.keyword === 'union') return isWord(after, 'all') ? undefined : 'union';
    return token.keyword as 'intersect' | 'except';
  }
  switch (token.keyword) {
    case 'group':
      return isWord(after, 'by') ? 'group by' : undefined;
    case 'having':
      return 'having';
    case 'distinctrow':
      return dialect.reservedWords.has('distinctrow') ? 'distinct' : undefined;
    case 'distinct':
      return isWord(after, 'from') ? undefined : 'distinct';
    case 'over':
      return isMark(before, ')') && (isMark(after, '(') || isName(after)) ? 'window function' : undefined;
    case 'limit':
      return isWord(after, 'all', 'null') ? undefined : 'limit';
    case 'offset':
      return skipsRows(code, at, dialect) ? 'limit' : undefined;
    case 'fetch':
      return isWord(after, 'first', 'next') && at > 0 ? 'limit' : undefined;
    default:
      return aggregateAt(code, at, dialect);
  }
}

/** Whether an `offset` is the one of a limit. In front of it or behind it stands one token there: a number, a parameter, a variable. */
export function skipsRows(code: Token[], at: number, { offsetIsName }: SqlDialect): boolean {
  return !offsetIsName || isWord(code[at - 2], 'limit') || isWord(code[at + 2], 'row', 'rows');
}

/** `count(…)`, unless `over` makes it a window function. */
export function aggregateAt(code: Token[], at: number, dialect: SqlDialect): 'aggregate' | undefined {
  const [token, before] = [code[at]!, code[at - 1]];
  if (token.kind !== 'word' && token.kind !== 'quoted') return undefined;
  const name = token.keyword || token.value;
  if (!dialect.aggregates.has(name) || !isMark(code[at + 1], '(') || isWord(before, 'into')) return undefined;
  if (isMark(before, '.') && (!dialect.catalogSchema || !isWord(code[at - 2], dialect.catalogSchema))) return undefined;
  let end = afterParentheses(code, at + 1);
  if (isWord(code[end], 'as') && isQueryName(code, end + 1)) return undefined;
  if (isWord(code[end], 'within')) end = afterParentheses(code, end + 2);
  if (isWord(code[end], 'filter')) end = afterParentheses(code, end + 1);
  return isWord(code[end], 'over') ? undefined : 'aggregate';
}

/** What stands behind `as` where a `with` name has columns: `with max (a, b) as materialized (…`. */
function isQueryName(code: Token[], at: number): boolean {
  const open = at + (isWord(code[at], 'not') ? 2 : isWord(code[at], 'materialized') ? 1 : 0);
  return isMark(code[open], '(');
}

function afterParentheses(code: Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if (isMark(code[i], '(')) depth++;
    if (isMark(code[i], ')')) depth--;
    if (depth === 0) return i + 1;
  }
  return code.length;
}

function isName(token: Token | undefined): boolean {
  return token?.kind === 'word' || token?.kind === 'quoted';
}

/** The blocks that the brace's rows flow into; a `with` name carries them to every block that says the name. */
function reachedBy(brace: Pick<BraceUse, 'start'>, { code, blockOf, blocks }: BlockedCode): Set<QueryBlock> {
  const reached = new Set<QueryBlock>();
  const reach = (block: QueryBlock | undefined): void => {
    if (block === undefined || reached.has(block)) return;
    reached.add(block);
    reach(block.parent);
    const { withName } = block;
    if (withName !== undefined) blocks.filter(({ names }) => names.has(withName)).forEach(reach);
  };
  reach(blockOf[code.findIndex(({ start }) => start === brace.start)]);
  return reached;
}
