import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseDuration } from '../../src/config/duration.ts';
import { parseExpectation } from '../../src/config/expectation.ts';
import { matchesPattern } from '../../src/config/sessions.ts';

describe('durations', () => {
  it.each([
    ['2h', 7_200_000],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['5m', 300_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['0s', 0],
  ])('%s', (text, expected) => expect(parseDuration(text)).toBe(expected));

  it.each(['', 'h', '90', '30m1h', '1h1h', '1.5h', '-1s', ' 1s', '1S', '2 h'])('not %j', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  it('add up', () => {
    fc.assert(
      fc.property(fc.nat(99), fc.nat(99), fc.nat(99), fc.nat(999), (h, m, s, ms) => {
        expect(parseDuration(`${h}h${m}m${s}s${ms}ms`)).toBe(((h * 60 + m) * 60 + s) * 1000 + ms);
      }),
    );
  });
});

describe('expectations', () => {
  it.each([
    [0, '=', 0],
    ['0', '=', 0],
    ['>0', '>', 0],
    ['>= 5', '>=', 5],
    ['<> 3', '<>', 3],
    ['!=3', '<>', 3],
    [' < -1.5 ', '<', -1.5],
    ['<=2', '<=', 2],
    ['= 7', '=', 7],
    ['1e3', '=', 1000],
    [0.0000001, '=', 0.0000001],
    ['< -1.5E-7', '<', -0.00000015],
  ])('%j', (given, operator, value) => expect(parseExpectation(given)).toMatchObject({ operator, value }));

  it.each(['', '>', '>>1', 'about 3', '1e', 'e3', '1e1.5', '> 1 and < 3'])('not %j', (text) =>
    expect(() => parseExpectation(text)).toThrow(),
  );
});

describe('patterns of load names', () => {
  it.each([
    ['core.flight', 'core.*', true],
    ['core.eu.flight', 'core.*', true],
    ['core.flight', '*', true],
    ['core.flight', 'core.flight', true],
    ['core.flight', '*.fl*t', true],
    ['coreXflight', 'core.*', false],
    ['score.flight', 'core.*', false],
    ['core.flight2', 'core.flight', false],
  ])('%s and %s: %s', (name, pattern, expected) => expect(matchesPattern(name, pattern)).toBe(expected));
});
