import type { ColumnFacts } from '../dialect.ts';

type Typed = Pick<ColumnFacts, 'type' | 'castType'>;

const WHOLE = ['smallint', 'integer', 'bigint'];
const NUMBERS = [...WHOLE, 'numeric', 'real', 'double precision'];
/** Numbers that a floating-point type holds exactly. */
const FLOATS: Record<string, string[]> = {
  real: ['smallint', 'real'],
  'double precision': ['smallint', 'integer', 'real', 'double precision'],
};
const TIMESTAMP = /^timestamp/;
const TIME = /^time\b/;
const ZONED = 'timestamp with time zone';

/**
 * How COPY would change a value of `source` on its way into `target` without an error: rounding, a dropped time zone.
 * Undefined: the server takes every value as it is, or refuses it aloud (test/copy/narrowing.test.ts asks it).
 */
export function narrowing(source: Typed, target: Typed): string | undefined {
  const [from, to] = [source.castType, target.castType];
  if (NUMBERS.includes(from)) {
    if (/^(date|time|interval)/.test(to)) return 'would be taken for a date or a time';
    if (to === 'numeric') return roundsDecimals(source, target);
    return FLOATS[to]?.includes(from) === false ? 'would be rounded' : undefined;
  }
  if (TIMESTAMP.test(from) && TIME.test(to)) return 'would lose its date';
  if (TIMESTAMP.test(from) && to === 'date') return 'would lose its time of day';
  if (from.endsWith('with time zone') && to.endsWith('without time zone')) return 'would lose its time zone';
  if (['timestamp without time zone', 'date'].includes(from) && to === ZONED)
    return 'has no time zone, and one would be guessed';
  if (from === 'time without time zone' && to === 'time with time zone')
    return 'has no time zone, and one would be guessed';
  const digits = digitsOf(target);
  return digits < digitsOf(source) ? `would be rounded to ${digits} digits of a second` : undefined;
}

function roundsDecimals(source: Typed, target: Typed): string | undefined {
  const kept = scaleOf(target);
  if (kept === undefined || WHOLE.includes(source.castType)) return undefined;
  const given = scaleOf(source);
  return given !== undefined && given <= kept ? undefined : `would be rounded to ${kept} decimals`;
}

/** Decimals of `numeric(12,2)`; undefined: any number of them. */
function scaleOf({ type }: Typed): number | undefined {
  const match = /^numeric\(\d+(?:,(-?\d+))?\)/.exec(type);
  return match ? Number(match[1] ?? 0) : undefined;
}

/** Fractional digits of seconds: six unless the type says less. */
function digitsOf({ type }: Typed): number {
  return /^(time|timestamp|interval)\b/.test(type) ? Number(/\((\d)\)/.exec(type)?.[1] ?? 6) : 6;
}
