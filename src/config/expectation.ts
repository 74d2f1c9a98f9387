import type { Expectation } from './definition.ts';

/** What `expect:` of a check looks like: an operator, if it is not `=`, and a number. */
export const EXPECTATION_PATTERN = /^\s*(=|<>|!=|<=|>=|<|>)?\s*(-?\d+(?:\.\d+)?)\s*$/;

/** `0`, `">0"`, `">= 5"`, `"<> 3"` as a comparison; `undefined` when the text is none. `!=` is `<>`. */
export function parseExpectation(value: number | string): Expectation | undefined {
  const text = String(value).trim();
  const match = EXPECTATION_PATTERN.exec(text);
  if (match === null) return undefined;
  const operator = match[1] === '!=' ? '<>' : (match[1] ?? '=');
  return { operator: operator as Expectation['operator'], value: Number(match[2]), text };
}

/** Whether what a check found, as text, is what it expects. NULL, no row and what is no number match nothing. Booleans count as 1 and 0. */
export function matches(actual: string | null, expect: Expectation): boolean {
  if (actual === null || actual.trim() === '') return false;
  const found = actual === 'true' || actual === 't' ? '1' : actual === 'false' || actual === 'f' ? '0' : actual;
  const order = compare(found.trim(), EXPECTATION_PATTERN.exec(expect.text)?.[2] ?? String(expect.value));
  switch (expect.operator) {
    case '=':
      return order === 0;
    case '<>':
      return order !== 0 && !Number.isNaN(order);
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

const DECIMAL = /^(-?\d+)(?:\.(\d*))?$/;

/** Less than, equal to or more than 0; NaN where one is no number. Decimals as they are written: a double has 53 bits, and a sum may need more. */
function compare(a: string, b: string): number {
  const [, wholeA, partA = ''] = DECIMAL.exec(a) ?? [];
  const [, wholeB, partB = ''] = DECIMAL.exec(b) ?? [];
  if (wholeA !== undefined && wholeB !== undefined) {
    const digits = Math.max(partA.length, partB.length);
    const scaled = (whole: string, part: string): bigint => BigInt(whole + part.padEnd(digits, '0'));
    const difference = scaled(wholeA, partA) - scaled(wholeB, partB);
    return difference === 0n ? 0 : difference < 0n ? -1 : 1;
  }
  const [x, y] = [Number(a), Number(b)];
  return x === y ? 0 : x - y; // infinities are equal, and have no difference
}
