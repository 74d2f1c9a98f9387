import type { Expectation } from './definition.ts';

/** What `expect:` of a check looks like: an operator, if it is not `=`, and a number. JavaScript writes 0.0000001 as `1e-7`. */
export const EXPECTATION_PATTERN = /^\s*(=|<>|!=|<=|>=|<|>)?\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*$/;

/** `0`, `">0"`, `">= 5"`, `"<> 3"` as a comparison; `!=` is `<>`. Throws for a text that the schema would have refused. */
export function parseExpectation(value: number | string): Expectation {
  const text = String(value).trim();
  const match = EXPECTATION_PATTERN.exec(text);
  if (match === null) throw new Error(`${text} is no comparison, and a check without one would never fail`);
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

/** With an exponent of so few digits that the whole number of it can be written down. */
const DECIMAL = /^(-?\d+)(?:\.(\d*))?(?:e([-+]?\d{1,3}))?$/i;

/** Less than, equal to or more than 0; NaN where one is no number. Decimals as they are written: a double has 53 bits, and a sum may need more. */
function compare(a: string, b: string): number {
  const [, wholeA, partA = '', exponentA = '0'] = DECIMAL.exec(a) ?? [];
  const [, wholeB, partB = '', exponentB = '0'] = DECIMAL.exec(b) ?? [];
  if (wholeA !== undefined && wholeB !== undefined) {
    const [placesA, placesB] = [partA.length - Number(exponentA), partB.length - Number(exponentB)];
    const places = Math.max(placesA, placesB);
    const difference =
      BigInt(wholeA + partA) * 10n ** BigInt(places - placesA) -
      BigInt(wholeB + partB) * 10n ** BigInt(places - placesB);
    return difference === 0n ? 0 : difference < 0n ? -1 : 1;
  }
  const [x, y] = [Number(a), Number(b)];
  return x === y ? 0 : x - y; // infinities are equal, and have no difference
}
