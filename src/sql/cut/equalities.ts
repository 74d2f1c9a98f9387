import type { Code, Range } from './code.ts';

/** The parts of a condition that all have to hold for it to hold: what `and` joins, and nothing within `or`, `not` or `case`. */
export function requiredTerms(code: Code, range: Range): Range[] {
  const { from, to } = range;
  if (code.mark(from, '(') && code.close(from) === to - 1 && !code.isQuery(from)) {
    return requiredTerms(code, code.inside(from));
  }
  if (has(code, range, isOr)) return [range];
  const parts = split(code, range, isAnd);
  return parts.length === 1 ? parts : parts.flatMap((part) => requiredTerms(code, part));
}

/** Whether `and` joins something in it, parentheses and all. */
export function joinsByAnd(code: Code, { from, to }: Range): boolean {
  for (let i = from; i < to; i++) {
    if (code.isQuery(i)) i = code.close(i) ?? i;
    else if (isAnd(code, i)) return true;
  }
  return false;
}

/** What is equal in each row for which a condition holds: both sides of its `=`, one by one where lists are compared; NULLs may be, too. */
export function equalSides(code: Code, condition: Range): [Range, Range][] {
  return requiredTerms(code, condition).flatMap((term) => {
    const [one, other, ...more] = sides(code, term);
    if (one === undefined || other === undefined || more.length > 0) return [];
    const [left, right] = [operands(code, one), operands(code, other)];
    return left.length === right.length ? left.map((side, i): [Range, Range] => [side, right[i]!]) : [];
  });
}

/** Of `=`, `<=>` and `is not distinct from`. */
function sides(code: Code, { from, to }: Range): Range[] {
  const same = code.find({ from, to }, (i) => code.is(i, 'is') && code.is(i + 1, 'not') && code.is(i + 2, 'distinct'));
  const isEquals = (i: number): boolean => code.mark(i, '=') || code.mark(i, '<=>');
  if (same === undefined) return code.split({ from, to }, isEquals);
  // What stands beside it binds closer: `a = b is not distinct from c` compares a condition.
  return [...code.split({ from, to: same }, isEquals), ...code.split({ from: same + 4, to }, isEquals)];
}

/** An expression, or each of `(a.b, c)`. */
export function operands(code: Code, { from, to }: Range): Range[] {
  const open = code.is(from, 'row') ? from + 1 : from;
  if (code.mark(open, '(') && code.close(open) === to - 1 && !code.isQuery(open))
    return code.byComma(code.inside(open));
  return [{ from, to }];
}

/** The tables whose columns an expression names; undefined: nobody can tell, for a bare name or a subquery. */
export function namedTables(code: Code, { from, to }: Range): string[] | undefined {
  const tables: string[] = [];
  for (let i = from; i < to; i++) {
    if (code.isQuery(i)) return undefined;
    const chain = code.chain(i, to);
    if (chain.length === 0) continue;
    const isType = code.mark(i - 1, '::') || code.is(i - 1, 'as') || code.is(i, 'as');
    i += chain.length * 2 - 2;
    if (isType || code.mark(i + 1, '(')) continue;
    if (chain.length === 1) return undefined;
    tables.push(chain.at(-2)!);
  }
  return tables;
}

/** The name that a range is; none: it is something else. */
export function wholeName(code: Code, { from, to }: Range): string[] {
  const chain = code.chain(from, to);
  return chain.length > 0 && chain.length * 2 - 1 === to - from ? chain : [];
}

/** It says how it is compared. */
export function hasCollation(code: Code, { from, to }: Range): boolean {
  for (let i = from; i < to; i++) if (code.is(i, 'collate')) return true;
  return false;
}

const isOr = (code: Code, at: number): boolean =>
  code.is(at, 'or', 'xor') || (code.dialect.logicalSigns && code.mark(at, '||'));
const isAnd = (code: Code, at: number): boolean =>
  code.is(at, 'and') || (code.dialect.logicalSigns && code.mark(at, '&&'));

/** Positions where something may join conditions: not within `case`, and not the `and` of `between`. */
function* joints(code: Code, range: Range): Generator<number> {
  let [cases, betweens] = [0, 0];
  for (const i of code.level(range)) {
    if (code.is(i, 'case')) cases++;
    if (code.is(i, 'end')) cases--;
    if (cases > 0) continue;
    if (code.is(i, 'between')) betweens++;
    else if (code.is(i, 'and') && betweens > 0) betweens--;
    else yield i;
  }
}

function has(code: Code, range: Range, wanted: (code: Code, at: number) => boolean): boolean {
  for (const i of joints(code, range)) if (wanted(code, i)) return true;
  return false;
}

function split(code: Code, range: Range, separates: (code: Code, at: number) => boolean): Range[] {
  const places = [...joints(code, range)].filter((i) => separates(code, i));
  return [...places, range.to].map((to, i) => ({ from: i === 0 ? range.from : places[i - 1]! + 1, to }));
}
