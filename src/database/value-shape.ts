/** What a column's values are, in words that all families of servers share: what one writes, and what another makes of it. */

/**
 * `own`: a type of that server's alone that has a text (ranges, arrays, inet …); `opaque`: bytes whose meaning is the server's
 * (geometries, vectors).
 */
export type ValueKind =
  | 'whole number'
  | 'decimal'
  | 'float'
  | 'boolean'
  | 'text'
  | 'bytes'
  | 'bits'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'instant'
  | 'interval'
  | 'year'
  | 'json'
  | 'uuid'
  | 'one of a list'
  | 'some of a list'
  | 'own'
  | 'opaque';

export interface ValueShape {
  kind: ValueKind;
  /** Bits that a whole number needs, without its sign; of a float, bits that it holds exactly. */
  precision?: number;
  /** Decimals of a decimal, or of a float that is rounded to so many; digits behind the second of times. Undefined: any number. */
  scale?: number;
  /** The least part of an interval that is kept, where it is more than a second: all below it is left out. */
  least?: string;
  /** The one length that all values have: bytes, or bits. */
  length?: number;
  /** Characters that a text has at the most. */
  most?: number;
  /** Spaces at the end of a text are not kept, or not told from those that fill it up. */
  padded?: boolean;
  /** Labels of a list. */
  labels?: readonly string[];
  /** A decimal that is rounded is an error here, not only a rounded one. */
  exact?: boolean;
  /** An instant is written and read with its offset from UTC; without: in UTC. */
  offset?: boolean;
  /** A timestamp that takes instants, in UTC: the server has no other type for their whole range. */
  utc?: boolean;
  /** Numbers in a JSON text become floats where they are no 64-bit integers. */
  floats?: boolean;
  /** Digits of a decimal in all. */
  digits?: number;
  /** No NaN and no infinity is a value of it, and years are those from 1 to 9999. */
  ordinary?: boolean;
  /** The type, where only the same one will do. */
  type?: string;
  /** It may make another value of a text than the text says. */
  guesses?: boolean;
}

type Lost = string | undefined;

/**
 * `value` of a text, in a SELECT. Where too much of it is only blanks at its end, a server cuts those off and says nothing, as the SQL
 * standard has it: one more character behind them makes it the error that every other text gets which is too long.
 *
 * @param textOf the dialect's, for values that are no texts and are written as some
 */
export function orTooLong(
  value: string,
  source: ValueShape,
  target: ValueShape,
  textOf: (value: string) => string,
): string {
  if (!['text', 'own', 'json'].includes(source.kind) || source.padded || target.most === undefined) return value;
  if ((source.most ?? Infinity) <= target.most) return value;
  const text = source.kind === 'text' ? value : textOf(value);
  return `case when char_length(${text}) > ${target.most} then concat(${text}, '.') else ${text} end`;
}

/**
 * How a copy would change values without an error, or why none could be made of them, to end "…, in acq.flight"; undefined: every
 * value arrives as it is, or is refused aloud (docs/types.md; test/copy/values.test.ts asks the servers).
 */
export function lostBetween(source: ValueShape, target: ValueShape): Lost {
  switch (target.kind) {
    case 'text':
      return intoText(source, target);
    case 'whole number':
      return intoWhole(source);
    case 'decimal':
      return intoDecimal(source, target);
    case 'float':
      return intoFloat(source, target);
    case 'boolean':
      return source.kind === 'boolean' || source.kind === 'whole number' || oneBit(source)
        ? undefined
        : no(source, target);
    case 'bytes':
      return intoBytes(source, target);
    case 'bits':
      return intoBits(source, target);
    case 'date':
    case 'time':
    case 'timestamp':
    case 'instant':
    case 'interval':
      return intoTime(source, target);
    case 'json':
      return intoJson(source, target);
    case 'uuid':
      return ['uuid', 'text'].includes(source.kind) || (source.kind === 'bytes' && source.length === 16)
        ? undefined
        : no(source, target);
    case 'year':
      return source.kind === 'year' ? undefined : no(source, target);
    case 'one of a list':
      return intoOne(source, target);
    case 'some of a list':
      return intoSome(source, target);
    case 'own':
      return isReadable(source, target) || same(source, target) ? undefined : no(source, target);
    case 'opaque':
      return same(source, target) ? undefined : no(source, target);
  }
}

const NAMES: Partial<Record<ValueKind, string>> = {
  float: 'a floating-point number',
  text: 'text',
  bytes: 'bytes',
  bits: 'bits',
  instant: 'a point in time',
  interval: 'an interval',
  json: 'JSON',
  uuid: 'a UUID',
  'one of a list': 'one of a list',
  'some of a list': 'some of a list',
  own: "of a type of the source's own",
  opaque: "of a type of the source's own",
};

const no = (source: ValueShape, target: ValueShape): Lost =>
  `is ${NAMES[source.kind] ?? `a ${source.kind}`}, of which no ${target.kind === 'own' || target.kind === 'opaque' ? 'value' : target.kind} is made,`;

const same = (source: ValueShape, target: ValueShape): boolean =>
  source.kind === target.kind && source.type !== undefined && source.type === target.type;

const isReadable = ({ kind }: ValueShape, target: ValueShape): boolean =>
  !target.guesses && (kind === 'text' || kind === 'one of a list');

const oneBit = ({ kind, length }: ValueShape): boolean => kind === 'bits' && length === 1;

function intoText(source: ValueShape, target: ValueShape): Lost {
  if (source.kind === 'opaque') return no(source, target);
  const spaced = ['text', 'own', 'json', 'one of a list'].includes(source.kind) && source.padded !== true;
  return spaced && target.padded ? 'would lose spaces at its end' : undefined;
}

function intoWhole(source: ValueShape): Lost {
  if (source.kind === 'float' || (source.kind === 'decimal' && source.scale !== 0)) return 'would be rounded';
  const numbers: ValueKind[] = ['whole number', 'decimal', 'boolean', 'year'];
  // The bits of MySQL are numbers, those of PostgreSQL texts: there, more than one is a decision for people.
  const bits = oneBit(source) || (source.kind === 'bits' && source.exact);
  return numbers.includes(source.kind) || bits ? undefined : no(source, { kind: 'whole number' });
}

function intoDecimal(source: ValueShape, target: ValueShape): Lost {
  const whole = source.kind === 'whole number' || source.kind === 'year';
  if (!whole && source.kind !== 'decimal' && source.kind !== 'float') return no(source, target);
  if (target.scale === undefined) return undefined;
  if (source.kind === 'float') return roundedTo(target.scale);
  const scale = whole ? 0 : source.scale;
  const fits = scale === undefined ? target.exact : scale <= target.scale;
  return fits ? undefined : roundedTo(target.scale);
}

/** To so many decimals; below zero, to hundreds and the like. */
export const roundedTo = (scale: number): string =>
  scale < 0 ? `would be rounded to a multiple of 1${'0'.repeat(-scale)}` : `would be rounded to ${scale} decimals`;

function intoFloat(source: ValueShape, target: ValueShape): Lost {
  if (source.kind === 'year') return undefined;
  if (source.kind === 'decimal') return 'would be rounded';
  if (source.kind !== 'whole number' && source.kind !== 'float') return no(source, target);
  if ((source.precision ?? Infinity) > target.precision!) return 'would be rounded';
  if (source.kind === 'whole number' || target.scale === undefined) return undefined;
  // The float that is nearest to a number of two decimals is, as a longer one, none of two decimals.
  const fits = (source.scale ?? Infinity) <= target.scale && source.precision === target.precision;
  return fits ? undefined : roundedTo(target.scale);
}

function intoBytes(source: ValueShape, target: ValueShape): Lost {
  if (source.kind === 'uuid')
    return target.length === undefined || target.length === 16 ? undefined : no(source, target);
  if (source.kind !== 'bytes') return no(source, target);
  return target.length === undefined || source.length === target.length ? undefined : 'would be filled up with zeros';
}

function intoBits(source: ValueShape, target: ValueShape): Lost {
  if (source.kind === 'boolean' && target.length === 1) return undefined;
  if (source.kind !== 'bits') return no(source, target);
  return target.length === undefined || source.length === target.length ? undefined : 'would be filled up with zeros';
}

function intoTime(source: ValueShape, target: ValueShape): Lost {
  const [from, to] = [source.kind, target.kind];
  const timed = from === 'timestamp' || from === 'instant';
  if (timed && to === 'date') return 'would lose its time of day';
  if (timed && to === 'time') return 'would lose its date';
  if ((from === 'date' || from === 'timestamp') && to === 'instant')
    return 'has no time zone, and one would be guessed';
  if (from === 'instant' && to === 'timestamp' && !target.utc) return 'would lose its time zone';
  const fits =
    from === to ||
    (to === 'timestamp' && (from === 'date' || from === 'instant')) ||
    (to === 'interval' && from === 'time');
  if (!fits) return no(source, target);
  if (target.least !== undefined && source.least !== target.least) return `would be cut to whole ${target.least}s`;
  const [given, kept] = [source.scale ?? 0, target.scale ?? 0];
  return given > kept ? `would be rounded to ${kept} digits of a second` : undefined;
}

function intoJson(source: ValueShape, target: ValueShape): Lost {
  if (source.kind === 'json') return undefined;
  if (source.kind !== 'text') return no(source, target);
  return target.floats ? 'is text, and long numbers in it would be rounded' : undefined;
}

function intoOne(source: ValueShape, target: ValueShape): Lost {
  if (!['text', 'one of a list', 'own'].includes(source.kind)) return no(source, target);
  return target.labels?.some((label) => label.includes(','))
    ? 'has to be looked up among labels with commas'
    : undefined;
}

/** A number in a text would be taken for the set of these bits, and the order of the labels is the target's. */
function intoSome(source: ValueShape, target: ValueShape): Lost {
  if (source.kind !== 'some of a list') return no(source, target);
  const known = target.labels!.filter((label) => source.labels!.includes(label));
  return JSON.stringify(known) === JSON.stringify(source.labels)
    ? undefined
    : 'has labels that are missing, or stand in another order,';
}
