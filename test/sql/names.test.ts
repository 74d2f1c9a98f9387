import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTableName, nearest, normalizeTableName, parseTableName } from '../../src/sql/names.ts';
import { postgresSql } from '../../src/sql/postgres.ts';

describe('table names', () => {
  const read: [string, string | undefined, string, string][] = [
    ['flight', undefined, 'flight', 'flight'],
    ['acq.flight', 'acq', 'flight', 'acq.flight'],
    [' Acq . FLIGHT ', 'acq', 'flight', 'acq.flight'],
    ['"Acq".flight', 'Acq', 'flight', '"Acq".flight'],
    ['"acq"."flight"', 'acq', 'flight', 'acq.flight'],
    ['acq."a.b"', 'acq', 'a.b', 'acq."a.b"'],
    ['"say ""x"""', undefined, 'say "x"', '"say ""x"""'],
    ['acq.order', 'acq', 'order', 'acq.order'],
    ['order', undefined, 'order', '"order"'],
    ['größe', undefined, 'größe', '"größe"'],
    ['U&"d\\0061ta"', undefined, 'data', 'data'],
  ];
  test.each(read)('%s is read and written in one way', (text, schema, name, canonical) => {
    expect(parseTableName(text, postgresSql)).toEqual({ schema, name });
    expect(normalizeTableName(text, postgresSql)).toBe(canonical);
  });

  const nonsense = [
    '',
    ' ',
    '.',
    'a.',
    '.a',
    'a b',
    'a.b.c',
    '1a',
    "'a'",
    '"a',
    '""',
    'a;b',
    'a--b',
    'a, b',
    'ä'.repeat(32),
  ];
  test.each(nonsense)('%j is refused', (text) => {
    expect(() => parseTableName(text, postgresSql)).toThrow(expect.objectContaining({ name: 'ConfigurationError' }));
  });

  test('any name survives being written and read', () => {
    const part = fc.string({
      minLength: 1,
      maxLength: 15,
      unit: fc.constantFrom('a', 'B', '"', '.', ' ', '$', '1', 'é', '}'),
    });
    fc.assert(
      fc.property(fc.option(part, { nil: undefined }), part, (schema, name) => {
        expect(parseTableName(formatTableName({ schema, name }, postgresSql), postgresSql)).toEqual({ schema, name });
      }),
    );
  });
});

describe('the nearest name', () => {
  const cases: [string, string[], string | undefined][] = [
    ['btach_id', ['batch_id', 'load_at'], 'batch_id'],
    ['acq.fligt', ['acq.airport', 'acq.flight'], 'acq.flight'],
    ['flight', ['acq.airport', 'acq.flight'], 'acq.flight'],
    ['FLIGHT', ['flight'], 'flight'],
    ['to', ['from', 'of'], undefined],
    ['a', ['b'], 'b'],
    ['something', ['else'], undefined],
    ['x', [], undefined],
  ];
  test.each(cases)('of %s among %j is %s', (name, candidates, expected) => {
    expect(nearest(name, candidates)).toBe(expected);
  });
});
