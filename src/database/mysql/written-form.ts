import { isKept } from '../../sql/kept-number.ts';
import type { ColumnFacts } from '../dialect.ts';
import { decimalForm, type WrittenForm } from '../written-form.ts';
import { shapeOf } from './values.ts';

const form = (says: string, pattern: RegExp): WrittenForm => ({ says, fits: (text) => pattern.test(text) });
/** Blanks before them mean nothing. */
const digits = (says: string, pattern: string): WrittenForm => form(says, new RegExp(`^ *${pattern}$`));

const WHOLE = digits('a whole number', '[-+]?\\d+');
const YEAR = digits('a year of four digits', '\\d{4}');
const DATE = digits('2001-01-31', '\\d{4}-\\d\\d-\\d\\d');
const UNPADDED = form('a text without spaces at its end', /[^ ]$|^$/);

/**
 * See `CopyDialect.writtenForm`. Both servers round whole numbers, decimals and seconds, read `5` as five seconds, 20-01-02 as a day
 * of 2020 and `2` as the second label, and what is written for bits and bytes is taken for what our own copies write.
 */
export function writtenForm(column: Pick<ColumnFacts, 'type'>): WrittenForm | undefined {
  const shape = shapeOf(column);
  const { kind, length, scale = 0, labels = [], padded } = shape;
  switch (kind) {
    case 'whole number':
      return WHOLE;
    case 'decimal':
      return decimalForm(scale);
    case 'float': // `double(10,2)` rounds, `double` does not
      return shape.scale === undefined ? undefined : decimalForm(scale);
    case 'year':
      return YEAR;
    case 'bits':
      return form(`${length} digit${length === 1 ? '' : 's'}, each 0 or 1`, new RegExp(`^[01]{${length}}$`));
    case 'bytes':
    case 'opaque':
      return bytes(length);
    case 'date':
      return DATE;
    case 'time':
      return digits(`10:20:30${fraction(scale)}`, `-?\\d{2,3}:\\d\\d(:\\d\\d${seconds(scale)})?`);
    case 'timestamp':
    case 'instant':
      return digits(
        `2001-01-31 10:20:30${fraction(scale)}`,
        `\\d{4}-\\d\\d-\\d\\d([ T]\\d\\d:\\d\\d(:\\d\\d${seconds(scale)})?([-+]\\d\\d:\\d\\d)?)?`,
      );
    case 'json':
      return { says: 'JSON whose numbers are 64-bit integers, or exact as floats', fits: keepsNumbers };
    case 'one of a list':
      if (labels.some((label) => label.includes(',')))
        return { says: 'nothing that a file could hold, because a label has a comma', fits: () => false };
      return { says: 'one of its labels, exactly', fits: (text) => labels.includes(text) };
    case 'some of a list':
      return {
        says: 'its labels, exactly, with commas between them',
        fits: (text) => text === '' || text.split(',').every((label) => labels.includes(label)),
      };
    case 'text':
      return padded ? UNPADDED : undefined;
    default:
      return undefined;
  }
}

function bytes(length: number | undefined): WrittenForm {
  const many = length === undefined ? '*' : `{${length}}`;
  const says = length === undefined ? '' : `, ${length} byte${length === 1 ? '' : 's'}`;
  return form(
    String.raw`hexadecimal digits behind \x, as in \x6869` + says,
    new RegExp(`^\\\\x([\\da-f]{2})${many}$`, 'i'),
  );
}

const fraction = (scale: number): string => (scale === 0 ? '' : `.${'123456'.slice(0, scale)}`);
const seconds = (scale: number): string => `(\\.\\d{0,${scale}}0*)?`;

/** JSON's texts, which may hold what looks like a number, and its numbers. */
const TEXT_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.]*(?:[eE][-+]?\d+)?/gs;
const LEAST = -(2n ** 63n);
const MOST = 2n ** 64n - 1n;

/** No number of this JSON becomes another one when those that are no 64-bit integers become floats. */
function keepsNumbers(json: string): boolean {
  if (!/[\d.]{16}|\d[eE][-+]?\d/.test(json)) return true; // up to 15 digits a float keeps
  return (json.match(TEXT_OR_NUMBER) ?? []).every((token) => token.startsWith('"') || isKeptInJson(token));
}

function isKeptInJson(number: string): boolean {
  if (/^-?\d+$/.test(number)) {
    const whole = BigInt(number);
    if (whole >= LEAST && whole <= MOST) return true;
  }
  return isKept(number, Number(number));
}
