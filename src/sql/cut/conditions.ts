import { isMark } from '../token.ts';
import type { Code, Range } from './code.ts';
import { counts } from './comparison.ts';
import { hasCollation, joinsByAnd, operands, requiredTerms } from './equalities.ts';
import { meetsItself, meetsTaken, within, type QueryPlace, type Reading } from './reading.ts';
import type { Flow, Names, Relation } from './relation.ts';
import { isLinked, type Links, type Scope } from './scope.ts';

/** A subquery in an expression. `semi`: a row that is chosen by a part of its rows is chosen by all of them. */
export interface SubqueryUse {
  how: 'semi' | 'absent' | 'value';
  said: string;
  at: number;
  relation: Relation;
  /** A row is chosen only where this holds. */
  required: boolean;
  /** What it is a part of, that has to hold as a whole, and whether only `or` joins its parts. */
  term: Range;
  isAlternative: boolean;
  /** Columns of the rows that are chosen, or of queries around, that equal the key of the rows that it finds. */
  links: Links;
}

/** Words after which a parenthesis holds a condition, and no argument of a function. */
const LOGICAL = ['and', 'or', 'not', 'xor', 'where', 'on', 'having', 'when', 'then', 'else', 'case'];

const COMPARING = ['=', '<>', '!=', '<=>', '<', '>', '<=', '>='];

/** The subqueries of an expression, outermost ones; `place`: whether rows are chosen by it, or it is a value. */
export function subqueries(
  reading: Reading,
  range: Range,
  names: Names,
  place: 'condition' | 'value',
  scope: Scope,
): SubqueryUse[] {
  const { code } = reading;
  const uses: SubqueryUse[] = [];
  const around: number[] = [];
  const terms = place === 'condition' ? requiredTerms(code, range) : [range];
  for (let i = range.from; i < range.to; i++) {
    while (around.length > 0 && i > code.close(around.at(-1)!)!) around.pop();
    if (!code.mark(i, '(')) continue;
    if (!code.isQuery(i)) {
      if (code.close(i) !== undefined) around.push(i);
      continue;
    }
    const {
      operand,
      within: queryPlace,
      ...use
    } = howUsed(code, i, { from: around.at(-1) ?? range.from, to: range.to });
    const how = place === 'condition' ? throughAll(code, [...around, i], range, use.how) : 'value';
    const inside = code.inside(i);
    const relation = within(reading, scope, () => reading.readQuery(inside, names, queryPlace));
    const close = code.close(i) ?? i;
    const term = terms.find(({ from, to }) => from <= i && i < to) ?? range;
    const begin = operand?.from ?? use.at;
    const required = how === 'semi' && begin === term.from && close === term.to - 1;
    const compared = how === 'semi' && operand !== undefined ? comparedKeys(reading, scope, operand, relation) : [];
    const links = reading.key.map((_, key) => [...(relation.links?.[key] ?? []), ...(compared[key] ?? [])]);
    uses.push({ ...use, how, relation, required, term, isAlternative: !joinsByAnd(code, term), links });
    i = close;
  }
  return uses;
}

/** What stands before `in` and equals a column of the key, per column. */
function comparedKeys(reading: Reading, scope: Scope, operand: Range, { flow, columns }: Relation): string[][] {
  const { code, key } = reading;
  const compared = operands(code, operand);
  if (flow !== 'part' || columns?.length !== compared.length) return [];
  return key.map((_, i) =>
    compared.flatMap((one, n) => {
      if (columns[n]!.key !== i || hasCollation(code, one)) return [];
      const column = scope.columnAt(code, one) ?? `?${one.from}.`;
      return counts(reading, [column, `?#${i}`], [one]) ? column : [];
    }),
  );
}

/** What the rows of a query are once its subqueries have chosen among them. Those that are chosen by their key belong to one chunk each. */
export function chosenBy(reading: Reading, rows: Flow, uses: SubqueryUse[], scope: Scope): Flow {
  const { key } = reading;
  let flow = rows;
  let first: SubqueryUse | undefined;
  const isByKey = ({ required, links }: SubqueryUse): boolean => required && isLinked(links);
  for (const use of [...uses.filter(isByKey), ...uses.filter((one) => !isByKey(one))]) {
    const { how, said, at, relation, links } = use;
    if (relation.flow === 'none' || flow === 'wrong') continue;
    const isOfKey = key.length > 0 && links.every((columns, i) => columns.some((column) => scope.holds(column, i)));
    if (relation.flow === 'wrong') flow = 'wrong';
    else if (flow !== 'none' && isOfKey) continue;
    else if (rows === 'none' && how !== 'semi') {
      reading.fault(at, { what: how, said, doubtful: false });
      flow = 'wrong';
    } else if (flow === 'none' && isByKey(use)) {
      scope.choose(reading.nextTable(), links);
      flow = 'part';
    } else if (flow === 'none' || (first?.term === use.term && use.isAlternative)) {
      flow = 'repeated';
      first ??= use;
      reading.repeats = { at, what: 'repeated', said };
    } else meetsItself(reading, at);
  }
  meetsTaken(reading, flow, relationsOf(scope, uses));
  return flow;
}

/** What the rows of a query are made of. */
export const relationsOf = (scope: Scope, uses: SubqueryUse[]): Relation[] =>
  [...scope.tables, ...uses].map(({ relation }) => relation);

function howUsed(
  code: Code,
  open: number,
  { from }: Range,
): Pick<SubqueryUse, 'how' | 'said' | 'at'> & { within: QueryPlace; operand?: Range } {
  const word = open - 1;
  const value = { how: 'value' as const, said: '', at: open, within: 'rows' as const };
  if (word < from) return value;
  if (code.is(word, 'exists')) return { ...signed(code, word, from, 'exists'), within: 'exists' };
  const start = operandOf(code, word, from);
  if (code.is(word, 'in')) {
    return { ...signed(code, start, from, 'in', word), within: 'in', operand: { from: start, to: word } };
  }
  if (code.is(word, 'any', 'some')) {
    const said = code.tokens[word]!.keyword;
    const operand = code.mark(word - 1, '=') ? { operand: { from: start, to: word - 1 } } : {};
    return { ...signed(code, start, from, said, word), within: 'in', ...operand };
  }
  if (code.is(word, 'all') && !code.isSetOperator(word - 1))
    return { how: 'absent', said: 'all', at: word, within: 'in' };
  return value;
}

/** With the `not`s before the operand at `start`, and the one between it and the word. */
function signed(code: Code, start: number, from: number, said: string, word = start) {
  let nots = start !== word && code.is(word - 1, 'not') ? 1 : 0;
  for (let i = start - 1; i >= from && isNot(code, i); i--) nots++;
  const at = start === word ? word : nots > 0 && code.is(word - 1, 'not') ? word - 1 : word;
  return nots % 2 === 0 ? { how: 'semi' as const, said, at } : { how: 'absent' as const, said: `not ${said}`, at };
}

function isNot(code: Code, at: number): boolean {
  return code.is(at, 'not') || code.mark(at, '!');
}

/** Where the left operand of `in` begins. */
function operandOf(code: Code, word: number, from: number): number {
  let i = word - 1;
  if (code.is(i, 'not')) i--;
  for (let depth = 0; i >= from; i--) {
    const token = code.tokens[i];
    if (isMark(token, ')')) depth++;
    else if (isMark(token, '(') && depth-- === 0) break;
    else if (depth === 0 && (code.is(i, ...LOGICAL) || isNot(code, i))) break;
  }
  return i + 1;
}

/** What stands around it may turn it round (`not (…)`), or make a value of it (`case`, a function, `… is null`, `… <> true`, `xor`). */
function throughAll(code: Code, opens: number[], range: Range, how: SubqueryUse['how']): SubqueryUse['how'] {
  if (isInCase(code, range.from, opens.at(-1)!)) return 'value';
  const around = [range, ...opens.slice(0, -1).map((open) => code.inside(open))];
  if (around.some((one) => code.find(one, (i) => code.is(i, 'xor')) !== undefined)) return 'value';
  let now = how;
  for (const [i, open] of opens.entries()) {
    const after = code.close(open)! + 1;
    if (after < range.to && (code.is(after, 'is') || COMPARING.some((mark) => code.mark(after, mark)))) return 'value';
    const before = open - 1;
    if (i === opens.length - 1 || before < range.from) continue;
    if (isNot(code, before)) {
      if (now !== 'value') now = now === 'semi' ? 'absent' : 'semi';
    } else if (!code.mark(before, '(') && !code.is(before, ...LOGICAL)) return 'value';
  }
  return now;
}

function isInCase(code: Code, from: number, to: number): boolean {
  let depth = 0;
  for (let i = from; i < to; i++) {
    if (code.is(i, 'case')) depth++;
    if (code.is(i, 'end')) depth--;
  }
  return depth > 0;
}
