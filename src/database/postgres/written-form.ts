import { decimalForm, type WrittenForm } from '../written-form.ts';
import { intervalForm } from './interval-form.ts';
import type { Typed } from './narrowing.ts';
import { shapeOf } from './values.ts';

/** Bytes that the server keeps: of a name, NAMEDATALEN - 1. */
const BYTES: Record<string, number> = { name: 63, '"char"': 1 };

const INFINITE = /^\s*[-+]?infinity\s*$/i;
const MONTHS =
  'jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?';
const WEEKDAYS = 'sun(day)?|mon(day)?|tue(s(day)?)?|wed(s|nesday)?|thu(rs?(day)?)?|fri(day)?|sat(urday)?';
/** Words in which a date and its time may be written; all others are zones, or moments of the clock such as `now`. */
const WORDS = new RegExp(`^(${MONTHS}|${WEEKDAYS}|ad|bc|am|pm|at|t|j|jd|julian|epoch|allballs)$`, 'i');
const CLOCK = /\b(now|today|tomorrow|yesterday)\b/i;
/** Behind a time of day: behind a date it would be the month or the day. */
const OFFSET = /\+|:[\d.]+\s*-\s*\d|\s-\d|[\st]\d{4,6}(\.\d*)?-\d/i;
const JULIAN_TIME = /\bj\s*\d+\.\d*[1-9]/i;

const DATE = /^\s*\d{4,}-\d\d?-\d\d?(\s+bc)?\s*$/i;
const MIDNIGHT = /(?<=[\d\s,])[\st,](00?:00(:00)?|0000(00)?)(\.0*)?(?=\s|$)/i;
/** What is left of a day's time: `10:20`, `T1020`, `102030`, `1020` behind a date. */
const TIME_OF_DAY = /:|t\s*\d|\s\d{6}\b|^\d{4,}(-\d\d?-\d\d?|\d{4})\s+\d|\d{4}\s+\d{4}/i;

/**
 * See `CopyDialect.writtenForm`. Of texts that are no value the server makes none. But it rounds decimals and seconds, leaves out the
 * time of a date, the date of a time and the zone of what has none, and cuts blanks, names and bytes. Whatever else it reads is its own
 * business: other orders of day and month, names of months, `24:00`.
 */
export function writtenForm(column: Typed): WrittenForm | undefined {
  const { kind, scale, most } = shapeOf(column);
  switch (kind) {
    case 'decimal':
      return scale === undefined ? undefined : withUnderscores(decimalForm(scale));
    case 'date':
      return { says: '2001-01-31, without a time of day and a zone', fits: isDate };
    case 'timestamp':
      return timestampForm(scale!);
    case 'instant':
      return instantForm(scale!);
    case 'time':
      return timeForm(scale!, '');
    case 'interval':
      return intervalForm(column.type, scale!);
    case 'text':
      return most === undefined ? undefined : shortText(most);
    default:
      if (column.castType === 'time with time zone')
        return timeForm(digitsOf(column.type), String.raw`([a-z]*\s*[-+]?[\d:]*[a-z]*)?`);
      return fewBytes(BYTES[column.castType]);
  }
}

/** PostgreSQL 16 reads `1_000.5`. */
const withUnderscores = (form: WrittenForm): WrittenForm => ({
  says: form.says,
  fits: (text) => form.fits(text.includes('_') ? text.replaceAll('_', '') : text),
});

/** What is too long is an error, but where only blanks at its end are too many: those would be cut off. */
function shortText(most: number): WrittenForm {
  return {
    says: `${most} character${most === 1 ? '' : 's'} at the most`,
    // A character beyond the first 65,536 is two in a string.
    fits: (text) => text.length <= most || (text.length <= 2 * most && [...text].length <= most),
  };
}

function fewBytes(most: number | undefined): WrittenForm | undefined {
  if (most === undefined) return undefined;
  return {
    says: `${most} byte${most === 1 ? '' : 's'} at the most`,
    fits: (text) => Buffer.byteLength(text) <= most,
  };
}

function isDate(text: string): boolean {
  if (DATE.test(text) || INFINITE.test(text)) return true;
  const day = text.trim().replace(MIDNIGHT, '');
  return !TIME_OF_DAY.test(day) && !hasZone(day) && !JULIAN_TIME.test(day);
}

function timestampForm(scale: number): WrittenForm {
  const usual = new RegExp(
    String.raw`^\s*\d{4,}-\d\d?-\d\d?([ T]\d\d?:\d\d(:\d\d(\.\d{0,${scale}}0*)?)?)?(\s+bc)?\s*$`,
    'i',
  );
  const lost = beyond(scale);
  return {
    says: `2001-01-31 10:20:30${fraction(scale)}, without a zone`,
    fits: (text) => usual.test(text) || INFINITE.test(text) || (!lost(text) && !hasZone(text.trim())),
  };
}

function instantForm(scale: number): WrittenForm {
  const lost = beyond(scale);
  return {
    says: `2001-01-31 10:20:30${fraction(scale)}+02`,
    fits: (text) => !lost(text) && !CLOCK.test(text),
  };
}

/** `zone`: the pattern of what may stand behind a time. */
function timeForm(scale: number, zone: string): WrittenForm {
  const pattern = new RegExp(
    String.raw`^\s*t?(\d{4,6}|\d+:\d+(:\d+)?)(\.\d{0,${scale}}0*)?\s*([ap]m)?\s*${zone}\s*$|^\s*allballs\s*$`,
    'i',
  );
  const says = `10:20:30${fraction(scale)}${zone ? '+02, without a date' : ', without a date and a zone'}`;
  return { says, fits: (text) => pattern.test(text) };
}

/** Whether seconds have digits behind these that are not 0. */
function beyond(scale: number): (text: string) => boolean {
  const pattern = new RegExp(String.raw`(:\d+|[\st]\d{6})\.\d{${scale}}\d*[1-9]`, 'i');
  return (text) => text.includes('.') && (pattern.test(text) || JULIAN_TIME.test(text));
}

function hasZone(text: string): boolean {
  return OFFSET.test(text) || (text.match(/[a-z]+/gi) ?? []).some((word) => !WORDS.test(word));
}

const digitsOf = (type: string): number => Number(/\((\d)\)/.exec(type)?.[1] ?? 6);
const fraction = (scale: number): string => (scale === 0 ? '' : `.${'123456'.slice(0, scale)}`);
