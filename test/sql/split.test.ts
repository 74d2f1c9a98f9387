import { describe, expect, test } from 'vitest';
import { parse, parseOne, refusal } from './parse.ts';

describe('splitting', () => {
  const cases: [string, string, string[]][] = [
    ['one statement without a semicolon', 'select 1', ['select 1']],
    ['two statements', 'select 1; select 2;\n', ['select 1', 'select 2']],
    ['empty statements', ';; \n;select 1;; -- done\n', ['select 1']],
    ['nothing but comments', '-- nothing\n/* here */', []],
    ['an empty text', '', []],
    [
      'semicolons in strings and comments',
      'select \';\' /* ; */, $$;$$ -- ;\n, ";"; select 2',
      ['select \';\' /* ; */, $$;$$ -- ;\n, ";"', 'select 2'],
    ],
    ['comments before a statement, which may be hints', '/*+ SeqScan(t) */ select 1;', ['/*+ SeqScan(t) */ select 1']],
    ['a do block', 'do $$ begin perform 1; end $$; select 2', ['do $$ begin perform 1; end $$', 'select 2']],
    [
      'a routine with an SQL body',
      'create or replace function f() returns int begin atomic; select case when 1 = 1 then 2 end; select 3; end; select 4',
      [
        'create or replace function f() returns int begin atomic; select case when 1 = 1 then 2 end; select 3; end',
        'select 4',
      ],
    ],
    [
      'a routine whose body has columns named after keywords',
      'create procedure p() begin atomic select x.end, 1 as case; select 2; end; select 3',
      ['create procedure p() begin atomic select x.end, 1 as case; select 2; end', 'select 3'],
    ],
    [
      'a routine with a string body',
      "create function f() returns int language sql as 'select 1; select 2'; select 3",
      ["create function f() returns int language sql as 'select 1; select 2'", 'select 3'],
    ],
    [
      'a rule with several actions',
      'create rule r as on insert to t do also (insert into a values (1); delete from b); select 1',
      ['create rule r as on insert to t do also (insert into a values (1); delete from b)', 'select 1'],
    ],
  ];
  test.each(cases)('handles %s', (_what, text, expected) => {
    expect(parse(text).map((statement) => statement.text)).toEqual(expected);
  });

  const verbs: [string, string][] = [
    ['INSERT into t values (1)', 'insert'],
    ['/* c */ with a as (select 1) select 2', 'with'],
    ['((select 1) union (select 2))', 'select'],
    ['"odd"', ''],
  ];
  test.each(verbs)('takes the first keyword as the verb: %s', (text, verb) => {
    expect(parseOne(text).verb).toBe(verb);
  });

  test('places a statement at its first code', () => {
    expect(parseOne('-- about\n\n  select 1')).toMatchObject({ line: 3, column: 3, text: '-- about\n\n  select 1' });
  });

  test('gives offsets in the statement and lines in the file', () => {
    const [, second] = parse('select 1;\nselect :a,\n  {{ t }}');
    expect(second).toMatchObject({
      parameters: [{ name: 'a', start: 7, end: 9, line: 2, column: 8 }],
      braces: [{ table: 't', start: 13, end: 20, line: 3, column: 3 }],
    });
  });

  test('points at a bracket that is open where the statement ends', () => {
    expect(refusal('select (a,\n (b[1); select 2')).toMatchObject({ where: 'load.sql:2:4' });
    expect(refusal('select f(1')).toMatchObject({ where: 'load.sql:1:9', next: 'Close it with ).' });
  });
});
