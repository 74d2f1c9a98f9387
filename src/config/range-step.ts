import type { RangeStep } from './definition.ts';

const UNITS: [RegExp, RangeStep['unit'], bigint][] = [
  [/^(s|seconds?)$/, 'microsecond', 1_000_000n],
  [/^(m|min|minutes?)$/, 'microsecond', 60_000_000n],
  [/^(h|hours?)$/, 'microsecond', 3_600_000_000n],
  [/^(d|days?)$/, 'day', 1n],
  [/^(w|weeks?)$/, 'day', 7n],
  [/^(months?)$/, 'month', 1n],
  [/^(y|years?)$/, 'month', 12n],
];

/** `256`, `1 day`, `2h`, `3 months`; undefined: no step, or one of nothing. */
export function parseStep(given: string | number): RangeStep | undefined {
  const text = String(given).trim();
  const [, digits = '', name = ''] = /^(\d{1,30}) ?([a-z]*)$/.exec(text) ?? [];
  if (digits === '' || BigInt(digits) === 0n) return undefined;
  if (name === '') return { by: String(BigInt(digits)), unit: 'whole', text };
  const [, unit, size] = UNITS.find(([pattern]) => pattern.test(name)) ?? [];
  if (unit === undefined || size === undefined) return undefined;
  return { by: String(BigInt(digits) * size), unit, text };
}
