import { describe, expect, test } from 'vitest';
import { dialects, parseOne } from './parse.ts';

const cases: [string, string, string[]][] = [
  ['a slice of numbers', 'select x[1:2]', []],
  ['a slice of columns', 'select x[lo:hi]', []],
  ['a slice of columns with spaces', 'select x[lo :hi]', []],
  ['a slice after a call', 'select x[f(a):hi]', []],
  ['a slice after a subscript', 'select x[y[1]:hi]', []],
  ['a slice of a quoted column', 'select x["lo":hi]', []],
  ['a slice between comments', 'select x[lo/* :c */:hi]', []],
  ['an upper bound with a space', 'select x[ : hi]', []],
  ['a number as the upper bound', 'select x[:2]', []],
  ['a parameter as a subscript', 'select x[:n]', ['n']],
  ['a parameter as the lower bound', 'select x[:lo:hi]', ['lo']],
  ['parameters as both bounds', 'select x[:lo : :hi]', ['lo', 'hi']],
  ['a parameter as the upper bound', 'select x[lo: :hi]', ['hi']],
  ['a parameter with a cast as the lower bound', 'select x[:lo::int:hi]', ['lo']],
  ['array elements', 'select array[:a,:b, 1 + :c]', ['a', 'b', 'c']],
  ['arguments of a call inside brackets', 'select x[f(:a, b)]', ['a']],
  ['a case inside brackets', 'select array[case when :a then :b else :c end]', ['a', 'b', 'c']],
  ['a time zone inside brackets', 'select array[t at time zone :tz]', ['tz']],
  ['JSON pairs', "select json_object('k':v, 'l' : w)", []],
  ['a parameter in JSON pairs', "select json_object('k': :v, :k : w)", ['v', 'k']],
  ['JSON pairs of strings', "select json_object('k':'v')", []],
  ['arguments of other calls', 'select f(a, :b)', ['b']],
  ['after the brackets', 'select x[1], :b', ['b']],
  ['after a statement that left a bracket open in a comment', 'select 1 /* [ */ :b', ['b']],
];

describe('a colon', () => {
  test.each(cases)('is read rightly in %s', (_what, text, parameters) => {
    expect(parseOne(text).parameters.map(({ name }) => name)).toEqual(parameters);
  });
});

const everywhere: [string, string, string[]][] = [
  ['arguments of a call', 'select f(a, :b)', ['b']],
  ['a case', 'select case when :a then :b else :c end', ['a', 'b', 'c']],
  ['an operator on its left', 'select a<:b, a=:c, a-:d', ['b', 'c', 'd']],
  ['an assignment', 'select x := :a', ['a']],
  ['a limit', 'select a from t limit:n', ['n']],
  ['a lone colon', 'select a : b', []],
];
test.each(dialects.flatMap((dialect) => everywhere.map((each) => [dialect.title, ...each, dialect] as const)))(
  'to %s a colon is read rightly in %s',
  (_title, _what, text, parameters, dialect) => {
    expect(parseOne(text, dialect).parameters.map(({ name }) => name)).toEqual(parameters);
  },
);
