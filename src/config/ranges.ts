import {
  DAY_MICROSECONDS,
  KIND_NAMES,
  monthsBetween,
  monthsLater,
  parseRangeValue,
  writeRangeValue,
  type RangeValue,
} from '../sql/range-value.ts';
import type { LoadDefinition, RangeStep, SqlSource } from './definition.ts';

/** The most ranges of a task: each is a row of the ledger. */
const MOST_RANGES = 5_000_000;

/** From the year 1 beyond the year 9999. */
const ALL_MONTHS = 120_000;

/** What cannot be, in words. */
export interface Misfit {
  message: string;
  next: string;
}

/**
 * The ranges `[from, to)` that a window is cut into; the last one is as long as what is left. Made one by one as they are asked
 * for: there may be millions. Months are added to the first bound, not to the one before, so that the 31st comes again.
 */
export class Ranges {
  readonly length: number;
  private readonly first: RangeValue;
  private readonly end: RangeValue;

  /** Both as `parseRangeValue` reads them, and such that `misfit` finds nothing. */
  constructor(
    window: { from: string; to: string },
    private readonly step: RangeStep,
  ) {
    this.first = parseRangeValue(window.from)!;
    this.end = parseRangeValue(window.to)!;
    this.length = this.count();
  }

  at(i: number): { from: string; to: string } {
    return { from: writeRangeValue(this.bound(i))!, to: writeRangeValue(this.bound(i + 1))! };
  }

  *[Symbol.iterator](): Generator<{ from: string; to: string }> {
    for (let i = 0; i < this.length; i += 1) yield this.at(i);
  }

  private bound(i: number): RangeValue {
    const bound = this.unlimited(i);
    return bound.at < this.end.at ? bound : this.end;
  }

  private unlimited(i: number): RangeValue {
    const { kind, at } = this.first;
    if (this.step.unit === 'month') return monthsLater(this.first, Math.min(i * Number(this.step.by), ALL_MONTHS));
    return { kind, at: at + BigInt(i) * stepOf(this.first, this.step) };
  }

  private count(): number {
    const span = this.end.at - this.first.at;
    if (span <= 0n) return 0;
    if (this.step.unit !== 'month') {
      const step = stepOf(this.first, this.step);
      return Number((span + step - 1n) / step);
    }
    let count = Math.max(0, Math.floor(monthsBetween(this.first, this.end) / Number(this.step.by)) - 1);
    while (this.unlimited(count).at < this.end.at) count += 1;
    return count;
  }
}

/** The two halves of a range; itself, where it is of one value. */
export function halvesOf(range: { from: string; to: string }): { from: string; to: string }[] {
  const [from, to] = [parseRangeValue(range.from)!, parseRangeValue(range.to)!];
  const middle = { kind: from.kind, at: from.at + (to.at - from.at) / 2n };
  if (middle.at === from.at) return [range];
  const between = writeRangeValue(middle)!;
  return [
    { from: range.from, to: between },
    { from: between, to: range.to },
  ];
}

/** The bounds of a task's range that are queries. */
export const boundQueries = ({ range }: Pick<LoadDefinition, 'range'>): SqlSource[] =>
  range === undefined || 'table' in range.over
    ? []
    : [range.over.min, range.over.max].flatMap((bound) => ('query' in bound ? [bound.query] : []));

/** Why a window cannot be cut so; undefined: it can. */
export function misfit(from: RangeValue, end: RangeValue, step: RangeStep): Misfit | undefined {
  const numbers = from.kind === 'number';
  if (numbers !== (step.unit === 'whole')) {
    return {
      message: `a step of \`${step.text}\` does not lead from one ${numbers ? 'number' : from.kind === 'date' ? 'date' : 'time'} to the next`,
      next: numbers ? 'Write a whole number: `step: 1000`.' : 'Write a step of the calendar: `step: 1 day`, `1 month`.',
    };
  }
  if (from.kind === 'date' && step.unit === 'microsecond') {
    return {
      message: `the range is of dates, and a step of \`${step.text}\` is less than a day`,
      next: 'Write `step: 1 day`, or bounds with a time: `2001-01-31 00:00:00`.',
    };
  }
  return step.unit === 'month' ? undefined : tooMany(from, end, stepOf(from, step));
}

/** Two bounds that are not of one kind. */
export function mixed(min: RangeValue, max: RangeValue): Misfit | undefined {
  if (min.kind === max.kind) return undefined;
  return {
    message: `\`min\` is ${KIND_NAMES[min.kind]} and \`max\` ${KIND_NAMES[max.kind]}`,
    next: 'Give both alike: numbers, dates (2001-01-31), times (2001-01-31 10:00:00) or times in UTC (2001-01-31T10:00:00Z).',
  };
}

function tooMany(from: RangeValue, end: RangeValue, step: bigint): Misfit | undefined {
  const span = end.at - from.at;
  const count = (span + step - 1n) / step;
  if (count <= BigInt(MOST_RANGES)) return undefined;
  const least = (span + BigInt(MOST_RANGES) - 1n) / BigInt(MOST_RANGES);
  const seconds = (least + 999_999n) / 1_000_000n;
  const enough = from.kind === 'number' ? String(least) : from.kind === 'date' ? `${least} days` : `${seconds}s`;
  return {
    message: `the range would be cut into ${count.toLocaleString('en')} ranges, and ${MOST_RANGES.toLocaleString('en')} are the most`,
    next: `Use \`step: ${enough}\` or more.`,
  };
}

/** In the units of the value; months have none. */
const stepOf = ({ kind }: RangeValue, { by, unit }: RangeStep): bigint =>
  unit === 'day' && kind !== 'date' ? BigInt(by) * DAY_MICROSECONDS : BigInt(by);
