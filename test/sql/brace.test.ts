import { describe, expect, test } from 'vitest';
import { parseOne, refusal } from './parse.ts';

const read: [string, string, string, boolean][] = [
  ['a table', '{{t}}', 't', false],
  ['a table with its schema', '{{ acq.flight }}', 'acq.flight', false],
  ['capitals', '{{ Acq.FLIGHT }}', 'acq.flight', false],
  ['line breaks', '{{\n  acq\n . flight\n}}', 'acq.flight', false],
  ['quoted names', '{{ "Acq"."my "" table" }}', '"Acq"."my "" table"', false],
  ['quotes that are not needed', '{{ "acq"."flight" }}', 'acq.flight', false],
  ['closing braces inside of a quoted name', '{{ acq."a }} | b" }}', 'acq."a }} | b"', false],
  ['the filter all', '{{ acq.flight | all }}', 'acq.flight', true],
  ['the filter without spaces', '{{acq.flight|all}}', 'acq.flight', true],
];

describe('a brace', () => {
  test.each(read)('may hold %s', (_what, brace, table, all) => {
    const statement = parseOne(`select * from ${brace} f`);
    expect(statement.braces).toMatchObject([{ table, all, start: 14, end: 14 + brace.length, line: 1, column: 15 }]);
  });

  const literal = ["'{{ t }}'", '$${{ t }}$$', '"{{ t }}"', '/* {{ t }} */ 1', '1 -- {{ t'];
  test.each(literal)('is plain text in %s', (text) => {
    expect(parseOne(`select ${text}`).braces).toEqual([]);
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
    ['with a name that the server would cut', `{{ ${'a'.repeat(64)} }}`, /longer than 63 bytes/, /Write/],
  ];
  test.each(malformed)('%s is refused where it starts', (_what, brace, message, next) => {
    const error = refusal(`select *\nfrom ${brace} f`);
    expect(error.where).toBe('load.sql:2:6');
    expect(error.message).toMatch(message);
    expect(error.next).toMatch(next);
  });

  const targets = [
    'insert into {{ acq.flight }} select 1',
    'update {{ acq.flight }} set a = 1',
    'update only {{ acq.flight }} set a = 1',
    'delete from {{ acq.flight }}',
    'merge into {{ acq.flight }} using x on true when matched then delete',
    'with a as (select 1) insert into /* c */ {{ acq.flight }} select 1',
  ];
  test.each(targets)('cannot be written to: %s', (text) => {
    expect(refusal(text)).toMatchObject({
      message: '{{ acq.flight }} stands for rows to read and cannot be written to',
      next: 'Write the plain name: acq.flight.',
    });
  });

  test('may be read by statements that write', () => {
    const text = 'delete from a using {{ t }} f where a.k = f.k and exists (select from {{ u }} u for update)';
    expect(parseOne(text).braces.map(({ table }) => table)).toEqual(['t', 'u']);
  });
});
