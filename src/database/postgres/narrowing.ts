import type { ColumnFacts } from '../dialect.ts';

type Typed = Pick<ColumnFacts, 'type' | 'castType'>;

const WHOLE = ['smallint', 'integer', 'bigint'];
/** Decimal digits that a floating-point type holds of whole numbers exactly. */
const FLOATS: Record<string, string[]> = { real: ['smallint'], 'double precision': ['smallint', 'integer', 'real'] };
const STAMP = 'timestamp without time zone';
const ZONED = 'timestamp with time zone';

/**
 * How a server would change a value of `source` on its way into `target` without an error: rounding, a dropped time zone.
 * Undefined: it takes every value as it is, or refuses it aloud.
 */
export function narrowing(source: Typed, target: Typed): string | undefined {
  const [from, to] = [source.castType, target.castType];
  if (to === 'numeric') return roundsDecimals(source, target);
  const exact = FLOATS[to];
  if (exact && from !== to && [...WHOLE, 'numeric', 'real', 'double precision'].includes(from) && !exact.includes(from))
    return 'would be rounded';
  if (from === ZONED && [STAMP, 'date', 'time without time zone'].includes(to)) return 'would lose its time zone';
  if (from === 'time with time zone' && to === 'time without time zone') return 'would lose its time zone';
  if ([STAMP, 'date'].includes(from) && to === ZONED) return 'has no time zone, and one would be guessed';
  if (from === STAMP && to === 'date') return 'would lose its time of day';
  if (from === STAMP && to === 'time without time zone') return 'would lose its date';
  const digits = digitsOf(target);
  if (digits < digitsOf(source)) return `would be rounded to ${digits} digits of a second`;
  return undefined;
}

function roundsDecimals(source: Typed, target: Typed): string | undefined {
  const kept = scaleOf(target);
  if (kept === undefined || WHOLE.includes(source.castType)) return undefined;
  if (!['numeric', 'real', 'double precision'].includes(source.castType)) return undefined;
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
