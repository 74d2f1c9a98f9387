import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { processingName } from '../../src/sql/processing-name.ts';
import { formatTableName, nearest, normalizeTableName, parseTableName } from '../../src/sql/names.ts';
import { mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import { dialects } from './parse.ts';

describe("PostgreSQL's table names", () => {
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
});

describe("MySQL's table names", () => {
  const read: [string, string | undefined, string, string][] = [
    ['flight', undefined, 'flight', 'flight'],
    [' Acq . FLIGHT ', 'Acq', 'FLIGHT', 'Acq.FLIGHT'],
    ['`acq`.`flight`', 'acq', 'flight', 'acq.flight'],
    ['acq.`a.b`', 'acq', 'a.b', 'acq.`a.b`'],
    ['`say ``x```', undefined, 'say `x`', '`say ``x```'],
    ['acq.2024_flights', 'acq', '2024_flights', 'acq.`2024_flights`'],
    ['acq.1e5', 'acq', '1e5', 'acq.`1e5`'],
    ['acq.Order', 'acq', 'Order', 'acq.Order'],
    ['Order', undefined, 'Order', '`Order`'],
    ['größe', undefined, 'größe', '`größe`'],
    ['`$a`', undefined, '$a', '`$a`'],
    [`\`${'ä'.repeat(64)}\``, undefined, 'ä'.repeat(64), `\`${'ä'.repeat(64)}\``],
  ];
  test.each(read)('%s is read and written in one way', (text, schema, name, canonical) => {
    expect(parseTableName(text, mysqlSql)).toEqual({ schema, name });
    expect(normalizeTableName(text, mysqlSql)).toBe(canonical);
  });

  const nonsense = ['', 'a.', '.a', 'a b', 'a.b.c', "'a'", '"a"', '`a', '``', 'a;b', 'a--b', 'a#b'];
  test.each(nonsense)('%j is refused', (text) => {
    expect(() => parseTableName(text, mysqlSql)).toThrow(
      expect.objectContaining({
        name: 'ConfigurationError',
        next: expect.stringContaining('database.table') as string,
      }),
    );
  });

  test('of more letters than the server keeps are refused, however many bytes they have', () => {
    expect(() => parseTableName('ä'.repeat(65), mysqlSql)).toThrow(/longer than 64 characters/);
  });
});

test.each(dialects)('any name of $title survives being written and read', (dialect) => {
  const part = fc.string({
    minLength: 1,
    maxLength: 15,
    unit: fc.constantFrom('a', 'B', '"', '`', '.', ' ', '$', '1', 'é', '}'),
  });
  fc.assert(
    fc.property(fc.option(part, { nil: undefined }), part, (schema, name) => {
      const written = formatTableName({ schema, name }, dialect);
      expect(parseTableName(written, dialect)).toEqual({ schema, name });
      expect(parseTableName(processingName(written), dialect)).toEqual({ schema, name: `${name}_processing` });
    }),
  );
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
