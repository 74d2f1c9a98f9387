import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { misfit, Ranges } from '../../src/config/ranges.ts';
import { parseStep } from '../../src/config/range-step.ts';
import { monthsLater, parseRangeValue, valueAfter, writeRangeValue } from '../../src/sql/range-value.ts';
import type { RangeKind } from '../../src/sql/range-value.ts';

const DAYS_OF_9999 = 2_932_896n;
const DAY = 86_400_000_000n;

/** Values of each kind, of the years 1 to 9999. */
const VALUES: Record<RangeKind, fc.Arbitrary<bigint>> = {
  number: fc.bigInt(-(10n ** 20n), 10n ** 20n),
  date: fc.bigInt(-719_162n, DAYS_OF_9999),
  time: fc.bigInt(-719_162n * DAY, DAYS_OF_9999 * DAY),
  instant: fc.bigInt(-719_162n * DAY, DAYS_OF_9999 * DAY),
};
const KINDS = Object.keys(VALUES) as RangeKind[];

describe('values of ranges', () => {
  it.each(KINDS)('are read as they are written: %s', (kind) => {
    fc.assert(
      fc.property(VALUES[kind], (at) => {
        expect(parseRangeValue(writeRangeValue({ kind, at })!)).toEqual({ kind, at });
      }),
    );
  });

  it.each([
    ['0', 'number', 0n],
    ['-12', 'number', -12n],
    ['5.00', 'number', 5n],
    ['1970-01-02', 'date', 1n],
    ['0001-01-01', 'date', -719_162n],
    ['1970-01-01 00:00:01.5', 'time', 1_500_000n],
    ['1970-01-01T00:00:00', 'time', 0n],
    ['1969-12-31T23:59:59.999999Z', 'instant', -1n],
  ])('%s', (text, kind, at) => expect(parseRangeValue(text)).toEqual({ kind, at }));

  it.each([
    '',
    '1.5',
    '1e3',
    'x',
    '2001-02-29',
    '2001-13-01',
    '0000-00-00',
    '2001-01-01 24:00:00',
    '2001-1-1',
    '10000-01-01',
  ])('not %j', (text) => expect(parseRangeValue(text)).toBeUndefined());

  it('are followed by the next one; beyond the last day of the calendar there is none', () => {
    const after = (text: string): string | undefined => writeRangeValue(valueAfter(parseRangeValue(text)!));
    expect(after('9')).toBe('10');
    expect(after('2000-02-28')).toBe('2000-02-29');
    expect(after('2001-01-01 10:00:00')).toBe('2001-01-01 10:00:00.000001');
    expect(after('2001-01-01T10:00:00.123Z')).toBe('2001-01-01T10:00:00.124000Z');
    expect(after('9999-12-31')).toBeUndefined();
  });

  it.each([
    ['2001-01-31', 1, '2001-02-28'],
    ['2000-01-31', 1, '2000-02-29'],
    ['1900-01-31', 1, '1900-02-28'],
    ['2001-01-31', 13, '2002-02-28'],
    ['2001-12-31 10:00:00', 2, '2002-02-28 10:00:00'],
  ])('%s and %s months are %s', (from, months, to) => {
    expect(writeRangeValue(monthsLater(parseRangeValue(from)!, months))).toBe(to);
  });
});

describe('steps of ranges', () => {
  it.each([
    [256, 'whole', '256'],
    ['000256', 'whole', '256'],
    ['1 day', 'day', '1'],
    ['7 days', 'day', '7'],
    ['2w', 'day', '14'],
    ['1 month', 'month', '1'],
    ['2 years', 'month', '24'],
    ['2h', 'microsecond', '7200000000'],
    ['15m', 'microsecond', '900000000'],
    ['90 seconds', 'microsecond', '90000000'],
  ])('%s', (text, unit, by) => expect(parseStep(text)).toMatchObject({ unit, by }));

  it.each(['', '0', '-1', '1.5', 0, -2, 1.5, '0 days', '1 fortnight', 'day', '1 Day', '1  day'])('not %j', (text) =>
    expect(parseStep(text)).toBeUndefined(),
  );
});

describe('ranges', () => {
  const STEPS: Record<RangeKind, fc.Arbitrary<string>> = {
    number: fc.bigInt(1n, 10n ** 18n - 1n).map(String),
    date: fc
      .tuple(fc.integer({ min: 1, max: 5000 }), fc.constantFrom('days', 'weeks', 'months', 'years'))
      .map(([n, unit]) => `${n} ${unit}`),
    time: fc
      .tuple(fc.integer({ min: 1, max: 5000 }), fc.constantFrom('hours', 'days', 'months'))
      .map(([n, unit]) => `${n} ${unit}`),
    instant: fc
      .tuple(fc.integer({ min: 1, max: 5000 }), fc.constantFrom('minutes', 'weeks', 'years'))
      .map(([n, unit]) => `${n} ${unit}`),
  };

  it.each(KINDS)('touch each other, from the first value to the end, and are as many as was said: %s', (kind) => {
    fc.assert(
      fc.property(VALUES[kind], VALUES[kind], STEPS[kind], (a, b, given) => {
        const [from, end] = (a < b ? [a, b] : [b, a]).map((at) => ({ kind, at })) as [never, never];
        const step = parseStep(given)!;
        fc.pre(a !== b && misfit(from, end, step) === undefined);
        const window = { from: writeRangeValue(from)!, to: writeRangeValue(end)! };
        const ranges = new Ranges(window, step);
        fc.pre(ranges.length <= 2_000);
        const all = [...ranges];
        expect(all).toHaveLength(ranges.length);
        expect([all[0]!.from, all.at(-1)!.to]).toEqual([window.from, window.to]);
        // An `expect` for each range, of some hundred thousand, takes longer than all the rest.
        const wrong = all.filter(({ from, to }, i) => {
          const same = ranges.at(i);
          const follows = i === 0 || from === all[i - 1]!.to;
          return (
            same.from !== from || same.to !== to || !follows || parseRangeValue(to)!.at <= parseRangeValue(from)!.at
          );
        });
        expect(wrong).toEqual([]);
      }),
    );
  });

  it('are counted without being made', () => {
    expect(new Ranges({ from: '0', to: '97958094' }, parseStep(256)!)).toHaveLength(382_649);
    expect(new Ranges({ from: '0', to: '1000000000000000' }, parseStep(1)!)).toHaveLength(1e15); // no memory would hold them
  });

  it.each([
    ['0', '10000001', '1', 'Use `step: 3` or more.'],
    ['2001-01-01 00:00:00', '2002-01-01 00:00:00', '1s', 'Use `step: 7s` or more.'],
  ])('that would be too many say which step would do: %s to %s by %s', (from, to, step, next) => {
    expect(misfit(parseRangeValue(from)!, parseRangeValue(to)!, parseStep(step)!)).toMatchObject({ next });
    const [enough = ''] = /(?<=step: )\w+/.exec(next) ?? [];
    expect(misfit(parseRangeValue(from)!, parseRangeValue(to)!, parseStep(enough)!)).toBeUndefined();
  });
});
