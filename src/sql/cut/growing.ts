import type { Code, Range } from './code.ts';

/** `n = n + 1`: an assignment that makes something else of a value each time. */
interface Growth {
  column: string;
  /** `t` in `t.n = …`. */
  alias: string | undefined;
  /** The value names other columns, too. */
  hasOthers: boolean;
}

/** What these make of their own outcome is that outcome. */
const SETTLING = ['coalesce', 'ifnull', 'nvl', 'greatest', 'least', 'lower', 'upper', 'trim', 'ltrim', 'rtrim'];
const OPERATORS = ['+', '-', '*', '/', '%', '||'];

/** The first of these assignments whose value grows with each time; `isOwn`: whether `alias.` stands for the row that is changed. */
export function growing(code: Code, set: Range, isOwn: (alias: string | undefined) => boolean): Growth | undefined {
  for (const { column, alias, value } of assignments(code, set)) {
    const names = namesIn(code, value, true);
    const isItself = (chain: string[]): boolean => chain.at(-1) === column && isOwn(chain.at(-2));
    if (!names.some(isItself) || !calculates(code, value)) continue;
    return { column, alias, hasOthers: !names.every(isItself) };
  }
  return undefined;
}

/** Whether a condition asks for a column that is assigned: it may be that it holds once only. */
export function guards(code: Code, condition: Range, set: Range): boolean {
  const assigned = assignments(code, set).map(({ column }) => column);
  return namesIn(code, condition, false).some((chain) => assigned.includes(chain.at(-1)!));
}

function assignments(code: Code, set: Range): { column: string; alias: string | undefined; value: Range }[] {
  return code.byComma(set).flatMap(({ from, to }) => {
    const chain = code.chain(from, to);
    const equals = from + chain.length * 2 - 1;
    if (chain.length === 0 || !(code.mark(equals, '=') || code.mark(equals, ':='))) return [];
    return [{ column: chain.at(-1)!, alias: chain.at(-2), value: { from: equals + 1, to } }];
  });
}

/** Names of columns in an expression, subqueries left out, and the row that was to be inserted: `values (n)`. */
function namesIn(code: Code, { from, to }: Range, settle: boolean): string[][] {
  const names: string[][] = [];
  for (let i = from; i < to; i++) {
    const isSkipped = code.isQuery(i) || (code.mark(i, '(') && code.is(i - 1, 'values', ...(settle ? SETTLING : [])));
    if (isSkipped) i = code.close(i) ?? i;
    const chain = code.chain(i, to);
    if (chain.length === 0) continue;
    i += chain.length * 2 - 2;
    if (!code.mark(i + 1, '(')) names.push(chain);
  }
  return names;
}

function calculates(code: Code, { from, to }: Range): boolean {
  for (let i = from; i < to; i++) {
    if (code.isQuery(i)) i = code.close(i) ?? i;
    else if (OPERATORS.some((operator) => code.mark(i, operator)) || code.is(i, 'concat', 'array_append')) return true;
  }
  return false;
}
