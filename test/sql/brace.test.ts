import { describe, expect, test } from 'vitest';
import { mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import { dialects, parseOne, refusal } from './parse.ts';

describe.each(dialects)('a brace in the SQL of $title', (dialect) => {
  const q = (name: string) => dialect.quoteName(name);
  const odd = `${q('a')}.${q('my `quoted" table')}`;
  const bars = `acq.${q('a }} | b')}`;
  const read: [string, string, string, boolean][] = [
    ['a table', '{{t}}', 't', false],
    ['a table with its schema', '{{ acq.flight }}', 'acq.flight', false],
    ['line breaks', '{{\n  acq\n . flight\n}}', 'acq.flight', false],
    ['quoted names', `{{ ${odd} }}`, `a.${q('my `quoted" table')}`, false],
    ['quotes that are not needed', `{{ ${q('acq')}.${q('flight')} }}`, 'acq.flight', false],
    ['closing braces inside of a quoted name', `{{ ${bars} }}`, bars, false],
    ['the filter all', '{{ acq.flight | all }}', 'acq.flight', true],
    ['the filter without spaces', '{{acq.flight|all}}', 'acq.flight', true],
  ];
  test.each(read)('may hold %s', (_what, brace, table, all) => {
    const statement = parseOne(`select * from ${brace} f`, dialect);
    expect(statement.braces).toMatchObject([{ table, all, start: 14, end: 14 + brace.length, line: 1, column: 15 }]);
  });

  const literal = ["'{{ t }}'", q('{{ t }}'), '/* {{ t }} */ 1', '1 -- {{ t'];
  test.each(literal)('is plain text in %s', (text) => {
    expect(parseOne(`select ${text}`, dialect).braces).toEqual([]);
  });

  const malformed: [string, string, RegExp, RegExp][] = [
    ['without a table', '{{ }}', /a table name is missing/, /Write/],
    ['with three parts', '{{ a.b.c }}', /3 parts/, /Write/],
    ['with an alias', '{{ acq.flight f }}', /is not the name of a table/, /Write/],
    ['with a call', "{{ ref('x') }}", /is not the name of a table/, /Write/],
    ['with a near filter', '{{ t | al }}', /unknown filter "al"/, /Did you mean "\| all"\?/],
    ['with another filter', '{{ t | published }}', /unknown filter "published"/, /Write/],
    ['with nothing after the dot', '{{ acq. }}', /after the dot/, /Write/],
    ['that another one interrupts', '{{ acq.flight from {{ x }}', /never closed/, /Write/],
    ['with a name too long for the server', `{{ ${'a'.repeat(65)} }}`, /longer than 6[34] (bytes|characters)/, /Write/],
  ];
  test.each(malformed)('%s is refused where it starts', (_what, brace, message, next) => {
    const error = refusal(`select *\nfrom ${brace} f`, dialect);
    expect(error.where).toBe('load.sql:2:6');
    expect(error.message).toMatch(message);
    expect(error.next).toMatch(next);
  });

  const targets = [
    'insert into {{ acq.flight }} select 1',
    'update {{ acq.flight }} set a = 1',
    'delete from {{ acq.flight }}',
    'insert into /* c */ {{ acq.flight }} select 1',
  ];
  test.each(targets)('cannot be written to: %s', (text) => {
    expect(refusal(text, dialect)).toMatchObject({
      message: '{{ acq.flight }} stands for rows to read and cannot be written to',
      next: 'Write the plain name: acq.flight.',
    });
  });

  test('may be read by statements that write', () => {
    const text = 'delete from a where exists (select 1 from {{ t }} f join {{ u }} u on f.a = u.a for update)';
    expect(parseOne(text, dialect).braces.map(({ table }) => table)).toEqual(['t', 'u']);
  });
});

describe('a brace in one dialect', () => {
  test('folds case where the server does', () => {
    expect(parseOne('select * from {{ Acq.FLIGHT }} f', postgresSql).braces).toMatchObject([{ table: 'acq.flight' }]);
    expect(parseOne('select * from {{ Acq.FLIGHT }} f', mysqlSql).braces).toMatchObject([{ table: 'Acq.FLIGHT' }]);
  });

  test('is plain text in dollar quotes', () => {
    expect(parseOne('select $${{ t }}$$', postgresSql).braces).toEqual([]);
  });

  const targets = [
    'update only {{ acq.flight }} set a = 1',
    'merge into {{ acq.flight }} using x on true when matched then delete',
    'with a as (select 1) insert into /* c */ {{ acq.flight }} select 1',
  ];
  test.each(targets)('cannot be written to by PostgreSQL either: %s', (text) => {
    expect(refusal(text).message).toMatch(/cannot be written to$/);
  });

  test('may be read by what PostgreSQL alone can say', () => {
    const text = 'delete from a using {{ t }} f where a.k = f.k and exists (select from {{ u }} u for update)';
    expect(parseOne(text).braces.map(({ table }) => table)).toEqual(['t', 'u']);
  });
});
