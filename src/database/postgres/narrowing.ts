import type { ColumnFacts } from '../dialect.ts';
import { roundedTo } from '../value-shape.ts';

export type Typed = Pick<ColumnFacts, 'type' | 'castType' | 'enumerated' | 'locale'>;

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
/** Dates and times, each with those that take it whole. */
const TIMES: Record<string, string[]> = {
  date: ['date', 'timestamp without time zone'],
  'timestamp without time zone': ['timestamp without time zone'],
  [ZONED]: [ZONED],
  'time without time zone': ['time without time zone', 'interval'],
  'time with time zone': ['time with time zone'],
  interval: ['interval', 'time without time zone'],
};
const JSONS = ['json', 'jsonb'];
const BITS = ['"bit"', 'bit varying'];
/** What they make of a text is all that it says, or an error. */
const FAITHFUL =
  /^(smallint|integer|bigint|numeric|boolean|uuid|jsonb?|xml|inet|macaddr|(int4|int8|num)(range|multirange))$/;

/** A cast says what is meant; a copy would guess. */
const MISTAKEN = 'would be taken for something else without a cast';

const FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;
export type IntervalField = (typeof FIELDS)[number];

/** The last field of `interval day to minute`: what is less the server leaves out, without a word; what is more it keeps. */
export function leastField(type: string): IntervalField {
  const [, field] = /^interval (?:\w+ to )?(\w+)/.exec(type) ?? [];
  return FIELDS.find((one) => one === field) ?? 'second';
}

/**
 * How COPY would change a value of `source` on its way into `target` without an error: rounding, a dropped time zone, what looks like a
 * value of another kind. Undefined: the server takes every value as it is, or refuses it aloud (test/copy/narrowing.test.ts asks it).
 * Types that are not known here (composites, ranges, those of extensions) go into themselves and into texts. Of domains: what they are made of.
 */
export function narrowing(source: Typed, target: Typed): string | undefined {
  const [from, to] = [known(source), known(target)];
  if (isSame(source, target)) return otherLocale(source, target);
  if (isArray(target)) return intoArray(source, target);
  if (CUT[to]) return `would be cut to ${CUT[to]}`;
  if (to === 'text' || to === 'character varying') return undefined;
  if (to === 'bpchar') return from !== 'bpchar' && mayEndInSpaces(from) ? 'would lose spaces at its end' : undefined;
  if (to === 'money') return 'would be rounded';
  if (to === 'bytea') return 'is no bytes, and its text would be taken for some,';
  if (isArray(source)) return MISTAKEN;
  if (TEXTS.includes(from)) return ofText(target);
  if (NUMBERS.includes(from)) return ofNumber(source, target);
  if (TIMES[from]) return ofTime(source, target);
  const fits = [BITS, JSONS].some((kin) => kin.includes(from) && kin.includes(to));
  return fits || (source.enumerated && target.enumerated) ? undefined : MISTAKEN;
}

/** `citext` is a text that compares in its own way. */
const known = ({ castType }: Typed): string => (nameOf(castType) === 'citext' ? 'text' : castType);

/** Without the schema, which may be another one on the other server. */
const nameOf = (castType: string): string => castType.replace(/^("([^"]|"")+"|[^".]+)\.(?=.)/, '');

const modifiersOf = ({ type }: Typed): string => /\(.*\)/.exec(type)?.[0] ?? '';

/** What is not known is one type by its name, and no narrower: its modifiers may mean anything. */
function isSame(source: Typed, target: Typed): boolean {
  if (source.type === target.type) return true;
  if (isBuiltIn(known(target)) || isArray(target) || nameOf(source.castType) !== nameOf(target.castType)) return false;
  return ['', modifiersOf(source)].includes(modifiersOf(target));
}

const isBuiltIn = (type: string): boolean =>
  [TEXTS, NUMBERS, JSONS, BITS, Object.keys(TIMES), ['boolean', 'bytea', 'uuid', 'money']].some((kin) =>
    kin.includes(type),
  );

/** What is written with point and comma, and with the digits of a currency, reads another number out of it. */
function otherLocale(source: Typed, target: Typed): string | undefined {
  const [from, to] = [source, target].map(({ locale }) => locale?.replace(/\.[^@]*/, '')); // without its encoding
  if (from === to) return undefined;
  return `is written as lc_monetary ${source.locale} has it, and would be read as ${target.locale} has it`;
}

const isArray = ({ type }: Typed): boolean => type.endsWith('[]');

/** The array of `acq.mood` is `acq._mood`. */
function elementOf({ type, castType, ...more }: Typed): Typed {
  const element = castType.endsWith('[]') ? castType.slice(0, -2) : castType.replace(/(\."?)_(?=[^.]*$)/, '$1');
  return { ...more, type: type.slice(0, -2), castType: element };
}

/** An array keeps what its elements keep. */
function intoArray(source: Typed, target: Typed): string | undefined {
  const isText = TEXTS.includes(known(source));
  if (!isArray(source) && !isText) return MISTAKEN;
  const [from, to] = [isText ? source : elementOf(source), elementOf(target)];
  const cut = mayEndInSpaces(known(from)) && known(from) !== 'bpchar' && lengthOf(from) > lengthOf(to);
  return narrowing(from, to) ?? (cut ? 'would lose spaces at its end' : undefined);
}

/** Of `character varying(3)`. */
const lengthOf = ({ type }: Typed): number => Number(/^character varying\((\d+)\)$/.exec(type)?.[1] ?? Infinity);

function mayEndInSpaces(type: string): boolean {
  return TEXTS.includes(type) || type === 'json' || !isBuiltIn(type);
}

/** What is written of a value in full, a type may keep in part: rounded, without its zone. */
function ofText(target: Typed): string | undefined {
  const to = target.castType;
  if (to in FLOATS || (to === 'numeric' && scaleOf(target) !== undefined)) return 'is text, and would be rounded';
  if (TIMES[to]) return `is text, of which no ${to} is made,`;
  return FAITHFUL.test(to) || target.enumerated ? undefined : MISTAKEN;
}

function ofNumber(source: Typed, target: Typed): string | undefined {
  const [from, to] = [source.castType, target.castType];
  if (TIMES[to]) return 'would be taken for a date or a time';
  if (to === 'numeric') return roundsDecimals(source, target);
  if (FLOATS[to]) return FLOATS[to].includes(from) ? undefined : 'would be rounded';
  const fits = [...WHOLE, ...JSONS].includes(to) || (to === 'boolean' && WHOLE.includes(from));
  return fits ? undefined : MISTAKEN;
}

function roundsDecimals(source: Typed, target: Typed): string | undefined {
  const kept = scaleOf(target);
  if (kept === undefined) return undefined;
  const given = WHOLE.includes(source.castType) ? 0 : scaleOf(source);
  return given !== undefined && given <= kept ? undefined : roundedTo(kept);
}

/** Decimals of `numeric(12,2)`; undefined: any number of them. */
function scaleOf({ type }: Typed): number | undefined {
  const match = /^numeric\(\d+(?:,(-?\d+))?\)/.exec(type);
  return match ? Number(match[1] ?? 0) : undefined;
}

function ofTime(source: Typed, target: Typed): string | undefined {
  const [from, to] = [source.castType, target.castType];
  if (TIMESTAMP.test(from) && TIME.test(to)) return 'would lose its date';
  if (TIMESTAMP.test(from) && to === 'date') return 'would lose its time of day';
  if (from.endsWith('with time zone') && to.endsWith('without time zone')) return 'would lose its time zone';
  if (['timestamp without time zone', 'date'].includes(from) && to === ZONED)
    return 'has no time zone, and one would be guessed';
  if (from === 'time without time zone' && to === 'time with time zone')
    return 'has no time zone, and one would be guessed';
  if (!TIMES[from]!.includes(to)) return MISTAKEN;
  const least = leastField(target.type);
  if (FIELDS.indexOf(least) < FIELDS.indexOf(leastField(source.type))) return `would be cut to whole ${least}s`;
  const digits = digitsOf(target);
  return digits < digitsOf(source) ? `would be rounded to ${digits} digits of a second` : undefined;
}

/** Fractional digits of seconds: six unless the type says less, or ends with another field. */
function digitsOf({ type }: Typed): number {
  if (type === 'date' || leastField(type) !== 'second') return 0;
  return Number(/\((\d)\)/.exec(type)?.[1] ?? 6);
}
