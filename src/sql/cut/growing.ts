import type { Code, Range } from './code.ts';

/** `n = n + 1`: an assignment that makes something else of a value each time. */
interface Growth {
  column: string;
  /** `t` in `t.n = …`. */
  alias: string | undefined;
  /** Other columns that the value names. */
  others: string[][];
}

interface Assignment {
  column: string;
  alias: string | undefined;
  value: Range;
}

/** What these make of their own outcome is that outcome, where none of their arguments grows. */
const SETTLING = ['coalesce', 'ifnull', 'nvl', 'greatest', 'least', 'lower', 'upper', 'trim', 'ltrim', 'rtrim'];
const OPERATORS = ['+', '-', '*', '/', '%', '||', '^', '#', '<<', '>>'];
const CALCULATING =
  `concat concat_ws array_append array_prepend array_cat jsonb_insert json_array_append json_array_insert
  date_add date_sub adddate subdate addtime subtime timestampadd period_add pow power repeat mod`.split(/\s+/);
const CALCULATING_WORDS = ['div', 'mod', 'xor'];

/** The first of these assignments whose value grows with each time; `isOwn`: whether `alias.` stands for the row that is changed. */
export function growing(code: Code, set: Range, isOwn: (alias: string | undefined) => boolean): Growth | undefined {
  for (const { column, alias, value } of assignments(code, set)) {
    const isItself = (chain: string[]): boolean => chain.at(-1) === column && isOwn(chain.at(-2));
    if (!grows(code, value, isItself)) continue;
    return { column, alias, others: namesIn(code, value).filter((chain) => !isItself(chain)) };
  }
  return undefined;
}

/** The first column to which an upsert gives something else than is inserted; `inserted`: the text of what that is. */
export function overwriting(
  code: Code,
  set: Range,
  inserted: (column: string) => string | undefined,
): string | undefined {
  const isSame = ({ column, value }: Assignment): boolean =>
    isInserted(code, value, column) || code.text(value) === inserted(column);
  return assignments(code, set).find((one) => !isSame(one))?.column;
}

/** Whether a condition asks for a column that is assigned: it may be that it holds once only. */
export function guards(code: Code, condition: Range, set: Range): boolean {
  const assigned = assignments(code, set).map(({ column }) => column);
  return namesIn(code, condition).some((chain) => assigned.includes(chain.at(-1)!));
}

/** Whether one of these columns may be what a condition names, in its subqueries too. */
export function asksFor({ dialect, tokens }: Code, { from, to }: Range, columns: { column: string }[]): boolean {
  return tokens.slice(from, to).some(({ value }) => columns.some(({ column }) => column === dialect.foldName(value)));
}

/** What an `update`, `on conflict … do update set` or `on duplicate key update` assigns to. */
export function assignedColumns(code: Code, set: Range): { column: string; alias: string | undefined }[] {
  return code.byComma(set).flatMap(({ from, to }) => {
    if (code.mark(from, '(')) return code.namesIn(from).map((column) => ({ column, alias: undefined }));
    const chain = code.chain(from, to);
    return chain.length === 0 ? [] : [{ column: chain.at(-1)!, alias: chain.at(-2) }];
  });
}

/** The same of single columns, with what is assigned. */
export function assignments(code: Code, set: Range): Assignment[] {
  return code.byComma(set).flatMap(({ from, to }) => {
    const chain = code.chain(from, to);
    const equals = from + chain.length * 2 - 1;
    if (chain.length === 0 || !(code.mark(equals, '=') || code.mark(equals, ':='))) return [];
    return [{ column: chain.at(-1)!, alias: chain.at(-2), value: { from: equals + 1, to } }];
  });
}

function grows(code: Code, value: Range, isItself: (chain: string[]) => boolean): boolean {
  const parts = argumentsOf(code, value, SETTLING);
  if (parts !== undefined) return parts.some((part) => grows(code, part, isItself));
  return calculates(code, value) && namesIn(code, value).some(isItself);
}

/** A value that is, of a row that was just inserted, what was inserted: `excluded.n`, `values(n)`, `n`, the greater of these. */
function isInserted(code: Code, value: Range, column: string): boolean {
  const { from, to } = value;
  const chain = code.chain(from, to);
  if (chain.length > 0 && chain.length * 2 - 1 === to - from) return chain.at(-1) === column;
  if (code.is(from, 'values', 'value') && code.close(from + 1) === to - 1) return code.name(from + 2) === column;
  if (code.is(from, 'if') && code.close(from + 1) === to - 1) {
    const [, ...outcomes] = code.byComma(code.inside(from + 1));
    return outcomes.every((one) => isInserted(code, one, column));
  }
  if (code.is(from, 'case') && code.is(to - 1, 'end')) {
    const inside = { from: from + 1, to: to - 1 };
    const ends = [...code.level(inside)].filter((i) => code.is(i, 'when', 'then', 'else'));
    const outcomes = ends.flatMap((i, n) =>
      code.is(i, 'when') ? [] : [{ from: i + 1, to: ends[n + 1] ?? inside.to }],
    );
    return (
      code.find(inside, (i) => code.is(i, 'case')) === undefined &&
      outcomes.every((one) => isInserted(code, one, column))
    );
  }
  const parts = argumentsOf(code, value, ['coalesce', 'ifnull', 'nvl', 'greatest', 'least']);
  return parts !== undefined && parts.length > 0 && parts.every((part) => isInserted(code, part, column));
}

/** What stands in the parentheses of one of these functions, or in none but parentheses; undefined: the expression is something else. */
function argumentsOf(code: Code, { from, to }: Range, functions: string[]): Range[] | undefined {
  const open = code.is(from, ...functions) ? from + 1 : from;
  if (!code.mark(open, '(') || code.close(open) !== to - 1 || code.isQuery(open)) return undefined;
  return code.byComma(code.inside(open));
}

/** Names of columns in an expression, subqueries left out, and the row that was to be inserted: `values (n)`. */
function namesIn(code: Code, { from, to }: Range): string[][] {
  const names: string[][] = [];
  for (let i = from; i < to; i++) {
    if (code.isQuery(i) || (code.mark(i, '(') && code.is(i - 1, 'values', 'value'))) i = code.close(i) ?? i;
    const chain = code.chain(i, to);
    if (chain.length === 0) continue;
    i += chain.length * 2 - 2;
    if (!code.mark(i + 1, '(') && !isOfInterval(code, i, from)) names.push(chain);
  }
  return names;
}

/** `interval 1 day` names no columns. */
function isOfInterval(code: Code, at: number, from: number): boolean {
  if (code.is(at, 'interval')) return true;
  const isUnit = /^(?:(?:micro)?second|minute|hour|day|week|month|quarter|year)/.test(code.name(at) ?? '');
  for (let i = at - 1; isUnit && i >= from && !code.mark(i, ','); i--) if (code.is(i, 'interval')) return true;
  return false;
}

function calculates(code: Code, { from, to }: Range): boolean {
  for (let i = from; i < to; i++) {
    if (code.isQuery(i)) i = code.close(i) ?? i;
    else if (OPERATORS.some((operator) => code.mark(i, operator))) return true;
    else if (code.mark(i + 1, '(') ? code.is(i, ...CALCULATING) : code.is(i, ...CALCULATING_WORDS)) return true;
  }
  return false;
}
