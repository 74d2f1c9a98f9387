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
