/**
 * The values that a task's ranges are made of: whole numbers, dates, times. They are counted with as big integers, written
 * and bound as text.
 */
import type { Dialect } from '../database/dialect.ts';
import type { Bind } from './render.ts';

/** `time`: of no time zone; `instant`: in UTC. */
export type RangeKind = 'number' | 'date' | 'time' | 'instant';

export interface RangeValue {
  kind: RangeKind;
  /** The number; days since 1970; microseconds since 1970. */
  at: bigint;
}

export const KIND_NAMES: Record<RangeKind, string> = {
  number: 'a whole number',
  date: 'a date',
  time: 'a time',
  instant: 'a time in UTC',
};

/**
 * The next value after each. Instants may have lost what a millisecond has below it (a driver's `Date`): one more holds it, too.
 */
const UNITS: Record<RangeKind, bigint> = { number: 1n, date: 1n, time: 1n, instant: 1000n };

const DAY_MS = 86_400_000;
export const DAY_MICROSECONDS = 86_400_000_000n;

/** Averages and sums of whole numbers come with zeros behind the point. */
const NUMBER = /^([+-]?\d+)(?:\.0*)?$/;
const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z)?)?$/;

/** A value out of its text; undefined: it is none, or no day of the calendar (years 1 to 9999). */
export function parseRangeValue(text: string): RangeValue | undefined {
  const number = NUMBER.exec(text)?.[1];
  if (number !== undefined) return { kind: 'number', at: BigInt(number.replace('+', '')) };
  const [, year, month, day, hours, minutes, seconds, fraction = '', zone] = TIME.exec(text) ?? [];
  if (year === undefined) return undefined;
  const days = dayNumber(Number(year), Number(month), Number(day));
  if (days === undefined) return undefined;
  if (hours === undefined) return { kind: 'date', at: days };
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const ofDay = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  const at = days * DAY_MICROSECONDS + BigInt(ofDay) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
  return { kind: zone === undefined ? 'time' : 'instant', at };
}

/** `parseRangeValue` backwards; undefined: a date that no server writes with four digits of a year. */
export function writeRangeValue({ kind, at }: RangeValue): string | undefined {
  if (kind === 'number') return String(at);
  if (kind === 'date') return writeDay(at);
  const days = floorDivide(at, DAY_MICROSECONDS);
  const ofDay = at - days * DAY_MICROSECONDS;
  const day = writeDay(days);
  if (day === undefined) return undefined;
  const clock = new Date(Number(ofDay / 1000n)).toISOString().slice(11, 19);
  const micros = String(ofDay % 1_000_000n).padStart(6, '0');
  const fraction = micros === '000000' ? '' : `.${micros}`;
  return kind === 'time' ? `${day} ${clock}${fraction}` : `${day}T${clock}${fraction}Z`;
}

/** The next one: where a range ends that holds this value. */
export const valueAfter = ({ kind, at }: RangeValue): RangeValue => ({ kind, at: at + UNITS[kind] });

/** So many months later; of a day that the month does not have, its last one. */
export function monthsLater(value: RangeValue, months: number): RangeValue {
  const days = value.kind === 'date' ? value.at : floorDivide(value.at, DAY_MICROSECONDS);
  const { year, month, day } = calendarOf(days);
  const count = year * 12 + (month - 1) + months;
  const there = { year: Math.floor(count / 12), month: (count % 12) + 1 };
  const last = new Date(Date.UTC(2000 + (there.year % 400), there.month, 0)).getUTCDate();
  const then = daysSince1970(there.year, there.month, Math.min(day, last));
  return value.kind === 'date'
    ? { kind: 'date', at: then }
    : { kind: value.kind, at: then * DAY_MICROSECONDS + (value.at - days * DAY_MICROSECONDS) };
}

/** Whole months between the beginnings of two values' months. */
export function monthsBetween(from: RangeValue, to: RangeValue): number {
  const [first, last] = [from, to].map(({ kind, at }) =>
    calendarOf(kind === 'date' ? at : floorDivide(at, DAY_MICROSECONDS)),
  ) as [Calendar, Calendar];
  return (last.year - first.year) * 12 + last.month - first.month;
}

/** The place of a value in SQL, as the type that it is: a column of it is then compared along its index. */
export function bindRangeValue(text: string, bind: Bind, dialect: Dialect): string {
  const value = parseRangeValue(text);
  switch (value?.kind) {
    case 'number':
      return bind(text, dialect.castOf(BigInt.asIntN(64, value.at) === value.at ? 'integer' : 'decimal'));
    case 'date':
      return bind(text, dialect.castOf('date'));
    case 'time':
      return bind(text, dialect.castOf('local time'));
    case 'instant':
      return bind(dialect.sql.instant(text), dialect.castOf('time'));
    default:
      return bind(text); // takes the type of its place
  }
}

interface Calendar {
  year: number;
  /** From 1. */
  month: number;
  day: number;
}

function calendarOf(days: bigint): Calendar {
  const date = new Date(Number(days) * DAY_MS);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** Years below 100 are not those of the last century. */
function daysSince1970(year: number, month: number, day: number): bigint {
  return BigInt(new Date(0).setUTCFullYear(year, month - 1, day) / DAY_MS);
}

function dayNumber(year: number, month: number, day: number): bigint | undefined {
  const days = daysSince1970(year, month, day);
  const found = calendarOf(days);
  return year > 0 && found.year === year && found.month === month && found.day === day ? days : undefined;
}

function writeDay(days: bigint): string | undefined {
  const { year, month, day } = calendarOf(days);
  if (!(year >= 1 && year <= 9999)) return undefined;
  const padded = (n: number, digits: number): string => String(n).padStart(digits, '0');
  return `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)}`;
}

const floorDivide = (a: bigint, b: bigint): bigint => (a >= 0n ? a / b : -((-a + b - 1n) / b));
