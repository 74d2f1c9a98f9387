/** The two bounds in a statement with ranges: what they are compared with, so that each row is in one range. */
import { isCode, isMark, isWord, type Token } from '../../sql/token.ts';
import { refuseAt } from './careless-json.ts';
import type { Joined } from './joined.ts';
import type { TakeNote } from './note.ts';
import { repeatableBefore } from './repeatable.ts';

type Name = ':from' | ':to';

/** One bound and its comparison, as if it stood at the right of it. */
interface Bound {
  index: number;
  /** `between`, or a comparison. */
  operator: Token;
  mirrored: boolean;
  /** The comparison, with a constant behind the bound: `> %d - 1`. */
  said: string;
  /** How far a whole number that is in the range lies above the bound, at least (lower), or may reach above it (upper). */
  shift: number;
  /** What is added to the bound or taken from it: a sign and a number, or nothing. */
  constant: Token[];
  /** The other side of the comparison. */
  compared: string;
}

const SHIFTS: Record<Name, Record<string, number>> = { ':from': { '>=': 0, '>': 1 }, ':to': { '<': 0, '<=': 1 } };
const HALF_OPEN: Record<Name, string> = { ':from': '>=', ':to': '<' };
const MIRRORED: Record<string, string> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/** Ranges are `[from, to)`: comparisons are rewritten where they were not, or rows at a bound would be in two ranges, or in none. */
export function halfOpen(sql: Joined, note: TakeNote): string {
  const tokens = sql.tokens();
  const code = tokens.filter(isCode);
  const bounds = boundsOf(sql, code);
  const [lower, upper] = bounds;
  if (lower.shift === 0 && upper.shift === 0) return sql.readable(tokens);
  const at = sql.place(code[lower.index]!.start);
  if (!bounds.every(({ shift }) => shift === 0 || shift === 1) || !isSame(lower.compared, upper.compared)) {
    refuseAt(
      at,
      `\`${lower.said} … ${upper.said}\`: which rows each range has, and whether each row is in one, cannot be told`,
      NEXT,
    );
  }
  const removed = new Set(bounds.flatMap(({ constant }) => constant));
  const comparisons = isWord(lower.operator, 'between') ? twoComparisons(tokens, code, bounds) : turned(code, bounds);
  const whole = comparisons === undefined;
  const texts = comparisons ?? new Map([[code[upper.index]!, ':to - 1']]);
  note(whole ? 'dangerous' : 'changed', at, whatBecame(bounds, whole));
  const kept = tokens.filter(
    (token, i) => !removed.has(token) && !(token.kind === 'space' && removed.has(tokens[i + 1]!)),
  );
  return sql.readable(kept.map((token) => ({ ...token, text: texts.get(token) ?? token.text })));
}

const NEXT = 'Write id>=%d and id<%d.';

function boundsOf(sql: Joined, code: Token[]): [Bound, Bound] {
  const [lower, upper] = [':from', ':to'].map((name) => code.findIndex(({ text }) => text === name)) as [
    number,
    number,
  ];
  return between(code, lower, upper) ?? [compared(sql, code, lower), compared(sql, code, upper)];
}

/** `x between :from and :to`, with or without constants. */
function between(code: Token[], lower: number, upper: number): [Bound, Bound] | undefined {
  const operator = code[lower - 1];
  if (!isWord(operator, 'between') || isWord(code[lower - 2], 'not')) return undefined;
  const [first, last] = [constantAt(code, lower), constantAt(code, upper)];
  const and = lower + 1 + first.tokens.length;
  if (!isWord(code[and], 'and') || upper !== and + 1 || !isEnd(code[upper + 1 + last.tokens.length])) return undefined;
  const same = { operator: operator!, mirrored: false, compared: '' };
  return [
    { ...same, index: lower, constant: first.tokens, shift: first.value, said: `between %d${first.text}` },
    { ...same, index: upper, constant: last.tokens, shift: last.value + 1, said: `%d${last.text}` },
  ];
}

/** The comparisons, with the operators that they have in a range. */
const turned = (code: Token[], bounds: Bound[]): Map<Token, string> =>
  new Map(
    bounds.map(({ index, operator, mirrored }) => {
      const meant = HALF_OPEN[code[index]!.text as Name];
      return [operator, mirrored ? MIRRORED[meant]! : meant];
    }),
  );

/**
 * `x between` as two comparisons, which have no hole between two whole numbers: the new texts of its tokens. Undefined where `x` is
 * no more than a part of what is compared, or may not be asked twice.
 */
function twoComparisons(
  tokens: Token[],
  code: Token[],
  [{ operator }, upper]: [Bound, Bound],
): Map<Token, string> | undefined {
  const end = code.indexOf(operator);
  const first = repeatableBefore(code, end);
  if (first === undefined) return undefined;
  const before = code[first - 1];
  // `||` may be the one that joins texts.
  if (isMark(before, '||') || !(isStart(before) || isWord(before, 'not'))) return undefined;
  const [from, to] = [code[first]!, code[end - 1]!].map((token) => tokens.indexOf(token)) as [number, number];
  const texts = tokens.slice(from, to + 1).map(({ text }) => text);
  // What stands before it may take no more than the first: `not`, or the `and` of another `between`.
  const [opens, closes] =
    isMark(before, '(') || isWord(before, 'where', 'on', 'having', 'when') ? ['', ''] : ['(', ')'];
  return new Map([
    [code[first]!, opens + texts[0]!],
    [operator, '>='],
    [code[upper.index]!, `${texts.join('')} < :to${closes}`],
  ]);
}

function compared(sql: Joined, code: Token[], index: number): Bound {
  const name = code[index]!.text as Name;
  const { tokens: constant, value, text } = constantAt(code, index);
  const [before, after] = [code[index - 1], code[index + 1 + constant.length]];
  const mirrored = !isComparison(before);
  const operator = mirrored ? after : before;
  const ends = mirrored ? isStart(before) : isEnd(after);
  if (isComparison(operator) && ends) {
    const said = mirrored ? MIRRORED[operator.text]! : operator.text;
    const shift = SHIFTS[name][said];
    if (shift !== undefined) {
      const compared = operand(code, code.indexOf(operator), mirrored ? 1 : -1);
      return { index, operator, mirrored, constant, said: `${said} %d${text}`, shift: shift + value, compared };
    }
  }
  const which = name === ':from' ? 'lower' : 'upper';
  const comparisons = Object.keys(SHIFTS[name]).join(' or ');
  return refuseAt(
    sql.place(code[index]!.start),
    isComparison(operator) && !ends
      ? `the ${which} bound is part of a longer expression: what a range is cannot be told`
      : `the ${which} bound is not compared by ${comparisons}: what a range is cannot be told`,
    NEXT,
  );
}

/** ` - 1` behind a bound. */
function constantAt(code: Token[], bound: number): { tokens: Token[]; value: number; text: string } {
  const [sign, number] = [code[bound + 1], code[bound + 2]];
  if ((isMark(sign, '+') || isMark(sign, '-')) && number?.kind === 'number' && /^\d{1,15}$/.test(number.text)) {
    const value = Number(`${sign!.text}${number.text}`);
    return { tokens: [sign!, number], value, text: ` ${sign!.text} ${number.text}` };
  }
  return { tokens: [], value: 0, text: '' };
}

const isComparison = (token: Token | undefined): token is Token =>
  token !== undefined && ['<', '<=', '>', '>='].some((mark) => isMark(token, mark));

const CLAUSES = ['where', 'and', 'or', 'xor', 'on', 'having', 'when', 'then', 'else', 'select', 'set', 'by', 'using'];
const isEdge = (token: Token | undefined, ...marks: string[]): boolean =>
  token === undefined || [',', ';', '&&', '||', ...marks].some((mark) => isMark(token, mark));

/** Whether an expression can begin behind it, and belongs to nothing before it. */
const isStart = (token: Token | undefined): boolean => isEdge(token, '(') || isWord(token, ...CLAUSES);

/** Whether the expression before it ends there. */
const isEnd = (token: Token | undefined): boolean =>
  isEdge(token, ')') ||
  (token?.kind === 'word' &&
    !isWord(
      token,
      'div',
      'mod',
      'collate',
      'is',
      'in',
      'not',
      'like',
      'between',
      'regexp',
      'rlike',
      'member',
      'sounds',
    ));

/** What stands at one side of a comparison. */
function operand(code: Token[], comparison: number, step: 1 | -1): string {
  const [opens, closes] = step === 1 ? ['(', ')'] : [')', '('];
  const found: string[] = [];
  let depth = 0;
  for (let i = comparison + step; i >= 0 && i < code.length; i += step) {
    const token = code[i]!;
    if (depth === 0 && (isEdge(token, closes) || isWord(token, ...CLAUSES, 'not', 'if') || isComparison(token))) break;
    if (isMark(token, opens)) depth += 1;
    if (isMark(token, closes)) depth -= 1;
    found.push((token.value || token.text).toLowerCase());
  }
  return (step === 1 ? found : found.reverse()).join(' ');
}

/** `v . id` is `id`. */
function isSame(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return (
    long === short || (/^[^ ]+$/.test(short) && /^(?:[^ ]+ \. )+[^ ]+$/.test(long) && long.endsWith(` . ${short}`))
  );
}

/** `whole`: it is still a `between`, right for whole numbers. */
function whatBecame([lower, upper]: [Bound, Bound], whole: boolean): string {
  const said = `\`${lower.said} ${isWord(lower.operator, 'between') ? 'and' : '…'} ${upper.said}\``;
  const wrong = whatWasWrong(lower.shift, upper.shift);
  if (!whole) return `${said} became \`>= :from … < :to\`${wrong}`;
  const hole = 'what lies between two whole numbers is in none';
  return `${said} became \`between :from and :to - 1\`${wrong}; ${hole}, unless it is compared by >= %d and < %d`;
}

function whatWasWrong(lower: number, upper: number): string {
  if (lower === 1)
    return upper === 1 ? ': the row of Min itself was in no range' : ': rows at a bound were in no range';
  return ': rows at a bound were in two ranges';
}
