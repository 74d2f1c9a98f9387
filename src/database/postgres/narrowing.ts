import type { ColumnFacts } from '../dialect.ts';

type Typed = Pick<ColumnFacts, 'type' | 'castType'>;

const WHOLE = ['smallint', 'integer', 'bigint'];
const NUMBERS = [...WHOLE, 'numeric', 'real', 'double precision'];
/** Numbers that a floating-point type holds exactly. */
const FLOATS: Record<string, string[]> = {
  real: ['smallint', 'real'],
  'double precision': ['smallint', 'integer', 'real', 'double precision'],
};
export const TEXTS = ['text', 'character varying', 'bpchar', 'name', '"char"'];
/** Texts of a fixed size, into which every longer one is cut. */
const CUT: Record<string, string> = { '"char"': 'one byte', name: '63 bytes' };
const TIMESTAMP = /^timestamp/;
const TIME = /^time\b/;
const ZONED = 'timestamp with time zone';

const FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;
export type IntervalField = (typeof FIELDS)[number];

/** The last field of `interval day to minute`: what is less the server leaves out, without a word; what is more it keeps. */
export function leastField(type: string): IntervalField {
  const [, field] = /^interval (?:\w+ to )?(\w+)/.exec(type) ?? [];
  return FIELDS.find((one) => one === field) ?? 'second';
}

/**
 * How COPY would change a value of `source` on its way into `target` without an error: rounding, a dropped time zone.
 * Undefined: the server takes every value as it is, or refuses it aloud (test/copy/narrowing.test.ts asks it).
 */
export function narrowing(source: Typed, target: Typed): string | undefined {
  const [from, to] = [source.castType, target.castType];
  if (from !== to && CUT[to]) return `would be cut to ${CUT[to]}`;
  if (from !== to && to === 'money') return 'would be rounded';
  if (from !== to && to === 'bytea') return 'is no bytes, and its text would be taken for some,';
  if (from === 'money' && from !== to && !TEXTS.includes(to)) return 'would be taken for something else';
  if (TEXTS.includes(from)) return ofText(source, target);
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
  const least = leastField(target.type);
  if (FIELDS.indexOf(least) < FIELDS.indexOf(leastField(source.type))) return `would be cut to whole ${least}s`;
  const digits = digitsOf(target);
  return digits < digitsOf(source) ? `would be rounded to ${digits} digits of a second` : undefined;
}

/** What is written of a value in full, a type may keep in part: rounded, without its zone, without spaces. */
function ofText(source: Typed, target: Typed): string | undefined {
  const [from, to] = [source.castType, target.castType];
  if (to === 'bpchar') return from === 'bpchar' ? undefined : 'would lose spaces at its end';
  if (to in FLOATS || (to === 'numeric' && scaleOf(target) !== undefined)) return 'is text, and would be rounded';
  return /^(date|time|timestamp|interval)\b/.test(to) ? `is text, of which no ${to} is made,` : undefined;
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

/** Fractional digits of seconds: six unless the type says less, or ends with another field. */
function digitsOf({ type }: Typed): number {
  if (leastField(type) !== 'second') return 0;
  return /^(time|timestamp|interval)\b/.test(type) ? Number(/\((\d)\)/.exec(type)?.[1] ?? 6) : 6;
}
