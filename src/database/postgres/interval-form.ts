import type { WrittenForm } from '../written-form.ts';
import { leastField, type IntervalField } from './narrowing.ts';

/** Of each type that ends with a field: what may be written in words, in letters of ISO 8601, and as a time of day. */
const COARSE: Record<
  Exclude<IntervalField, 'second'>,
  { words: string; iso: string; time: string; example: string }
> = {
  year: { words: 'y(ea)?rs?|y', iso: '(\\d+y)*', time: '0+:00(:00)?', example: '3 years' },
  month: { words: 'y(ea)?rs?|y|mon(th)?s?', iso: '(\\d+[ym])*', time: '0+:00(:00)?', example: '1 year 2 mons' },
  day: {
    words: 'y(ea)?rs?|y|mon(th)?s?|w(eek)?s?|d(ay)?s?',
    iso: '(\\d+[ymwd])*',
    time: '0+:00(:00)?',
    example: '1 mon 3 days',
  },
  hour: {
    words: 'y(ea)?rs?|y|mon(th)?s?|w(eek)?s?|d(ay)?s?|h(ou)?rs?|h',
    iso: '(\\d+[ymwd])*(t\\d+h)?',
    time: '\\d+:00(:00)?',
    example: '3 days 04:00',
  },
  minute: {
    words: 'y(ea)?rs?|y|mon(th)?s?|w(eek)?s?|d(ay)?s?|h(ou)?rs?|h|m(in(ute)?s?)?',
    iso: '(\\d+[ymwd])*(t(\\d+[hm])*)?',
    time: '\\d+:\\d\\d(:00)?',
    example: '3 days 04:05',
  },
};

/** Microseconds of a unit; months of one that is made of years. */
const UNITS: [RegExp, bigint][] = [
  [/^(u|mic)/, 1n],
  [/^(ms|millis)/, 1_000n],
  [/^mon/, 30n * 86_400_000_000n],
  [/^(m|min.*)$/, 60_000_000n],
  [/^h/, 3_600_000_000n],
  [/^d(ay.*)?$/, 86_400_000_000n],
  [/^w/, 7n * 86_400_000_000n],
];
const SECOND = 1_000_000n;
const YEARS: [RegExp, bigint][] = [
  [/^y/, 12n],
  [/^dec/, 120n],
  [/^c/, 1_200n],
  [/^mil(?!lis)/, 12_000n],
];

/** Only where one of these stands can a value lie between two microseconds, or between two of the column's own steps. */
const DOUBTFUL = /\.|\de[-+]?\d|\d\s*(?:m(?:illi)?s|u|mic)/i;

/** See `CopyDialect.writtenForm`, for the type `interval` with its fields, and its digits of a second. */
export function intervalForm(type: string, scale: number): WrittenForm {
  const least = leastField(type);
  if (least !== 'second') return coarseForm(least);
  return {
    says:
      scale === 0
        ? 'an interval without fractions of a second'
        : `an interval with ${scale} digits of a second at the most`,
    fits: (text) => !DOUBTFUL.test(text) || isExact(text, scale),
  };
}

/** The server leaves out what is less than the type's last field. */
function coarseForm(least: Exclude<IntervalField, 'second'>): WrittenForm {
  const { words, iso, time, example } = COARSE[least];
  const yearMonth = least === 'year' ? '' : '([-+]?\\d+-\\d+\\s*)?';
  const days = least === 'hour' || least === 'minute' ? '([-+]?\\d+\\s+)?' : '';
  const pattern = new RegExp(
    `^\\s*(@?\\s*([-+]?\\d+\\s*(${words})\\s*)*${yearMonth}(${days}[-+]?${time})?\\s*(ago)?|p${iso}|[-+]?\\d+|[-+]?infinity)\\s*$`,
    'i',
  );
  return { says: `whole ${least}s, as in ${example}`, fits: (text) => pattern.test(text) };
}

function isExact(text: string, scale: number): boolean {
  if (/\de[-+]?\d/i.test(text)) return false;
  const step = 10n ** BigInt(6 - scale); // microseconds
  for (const [, whole = '', decimals = '', unit = ''] of text.matchAll(/(\d*)\.?(\d*)\s*([a-z]*)/gi)) {
    const parts = 10n ** BigInt(decimals.length);
    const number = BigInt(`${whole}${decimals}` || '0');
    const years = find(YEARS, unit);
    if (years === undefined && (number * (find(UNITS, unit) ?? SECOND)) % (parts * step) !== 0n) return false;
    if (years !== undefined && (number * years) % parts !== 0n) return false;
  }
  return true;
}

const find = (units: [RegExp, bigint][], word: string): bigint | undefined =>
  units.find(([pattern]) => pattern.test(word.toLowerCase()))?.[1];
