import { describe, expect, test } from 'vitest';
import { formatBetween, formatCount, formatDuration, formatTable, formatTime, plural } from '../../src/cli/format.ts';

describe('how numbers and times are written', () => {
  test.each([
    [0, '0.0 s'],
    [437, '0.4 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [3_600_000, '1 h 00 min'],
    [7_620_000, '2 h 07 min'],
    [-5, '0.0 s'],
  ])('%i ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('counts have thousands separators, and what is not known is a dash', () => {
    expect(formatCount(3_000_000)).toBe('3,000,000');
    expect(formatCount(null)).toBe('–');
    expect([plural(1, 'row'), plural(1_000, 'row')]).toEqual(['1 row', '1,000 rows']);
  });

  test('times are UTC and say so', () => {
    expect(formatTime('2026-11-23T02:51:07.123Z')).toBe('2026-11-23 02:51:07 UTC');
    expect(formatTime(null)).toBe('–');
    expect(formatBetween('2026-11-23T02:51:07.000Z', '2026-11-23T02:51:08.500Z')).toBe('1.5 s');
    expect(formatBetween(null, null)).toBe('–');
  });

  test('columns of a table are as wide as what stands in them', () => {
    const columns = [{ title: 'load' }, { title: 'rows', right: true }, { title: 'status' }];
    expect(
      formatTable(columns, [
        ['core.flight', '3', 'running'],
        ['a', '1,000', ''],
      ]),
    ).toBe('load          rows  status\ncore.flight      3  running\na            1,000');
  });
});
