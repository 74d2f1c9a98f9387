import { expect, test } from 'vitest';
import { matches, parseExpectation } from '../../src/config/expectation.ts';

test.each([
  ['9007199254740993', '9007199254740992', false],
  ['9007199254740993', '> 9007199254740992', true],
  ['-9007199254740993', '< -9007199254740992', true],
  ['12345678901234567890.01', '12345678901234567890.02', false],
  ['12345678901234567890.010', '>= 12345678901234567890.01', true],
  ['1.50', '1.5', true],
  ['-0.5', '< -0.25', true],
  ['-0.5', '<> 0', true],
  ['-0', '0', true],
  ['1e3', '1000', true],
  ['1e3', '> 999.5', true],
  ['0.0000001', 0.0000001, true],
  ['0.00000010000000000000000001', 0.0000001, false],
  ['1E-7', '1e-7', true],
  ['-2.5e-8', '> -0.000000026', true],
  ['1000000000000000000001', '1e21', false],
  ['1000000000000000000000', '<= 1E+21', true],
  ['1e400', '> 1e399', true],
  ['Infinity', '> 5', true],
  ['-Infinity', '> 5', false],
  ['t', '1', true],
  ['false', '0', true],
  ['NaN', '<> 0', false],
  ['many', '<> 0', false],
  [' ', '0', false],
  [null, '0', false],
] as const)('a check that found %j and expects %j: %j', (actual, expected, passes) => {
  expect(matches(actual, parseExpectation(expected))).toBe(passes);
});
