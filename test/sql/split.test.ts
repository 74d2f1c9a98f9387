import { describe, expect, test } from 'vitest';
import { mysqlSql } from '../../src/sql/mysql.ts';
import { dialects, parse, parseOne, refusal } from './parse.ts';

describe.each(dialects)('splitting the SQL of $title', (dialect) => {
  const quoted = dialect.quoteName(';');
  const cases: [string, string, string[]][] = [
    ['one statement without a semicolon', 'select 1', ['select 1']],
    ['two statements', 'select 1; select 2;\n', ['select 1', 'select 2']],
    ['empty statements', ';; \n;select 1;; -- done\n', ['select 1']],
    ['nothing but comments', '-- nothing\n/* here */', []],
    ['an empty text', '', []],
    [
      'semicolons in strings, comments and names',
      `select ';' /* ; */ -- ;\n, ${quoted}; select 2`,
      [`select ';' /* ; */ -- ;\n, ${quoted}`, 'select 2'],
    ],
    ['comments before a statement, which may be hints', '/*+ SeqScan(t) */ select 1;', ['/*+ SeqScan(t) */ select 1']],
  ];
  test.each(cases)('handles %s', (_what, text, expected) => {
    expect(parse(text, dialect).map((statement) => statement.text)).toEqual(expected);
  });

  const verbs: [string, string][] = [
    ['INSERT into t values (1)', 'insert'],
    ['/* c */ with a as (select 1) select 2', 'with'],
    ['((select 1) union (select 2))', 'select'],
  ];
  test.each(verbs)('takes the first keyword as the verb: %s', (text, verb) => {
    expect(parseOne(text, dialect).verb).toBe(verb);
  });

  test('places a statement at its first code', () => {
    const text = '-- about\n\n  select 1';
    expect(parseOne(text, dialect)).toMatchObject({ line: 3, column: 3, text });
  });

  test('gives offsets in the statement and lines in the file', () => {
    const [, second] = parse('select 1;\nselect :a,\n  {{ t }}', dialect);
    expect(second).toMatchObject({
      parameters: [{ name: 'a', start: 7, end: 9, line: 2, column: 8 }],
      braces: [{ table: 't', start: 13, end: 20, line: 3, column: 3 }],
    });
  });

  test('points at a bracket that is open where the statement ends', () => {
    expect(refusal('select (a,\n (b; select 2', dialect)).toMatchObject({ where: 'load.sql:2:2' });
    expect(refusal('select f(1', dialect)).toMatchObject({ where: 'load.sql:1:9', next: 'Close it with ).' });
  });
});

describe("splitting PostgreSQL's", () => {
  const cases: [string, string, string[]][] = [
    ['semicolons in dollar quotes', 'select $$;$$; select 2', ['select $$;$$', 'select 2']],
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

  test('points at a body that is open where the text ends', () => {
    const text = 'select 1; create function f() returns int\nbegin atomic; select 1;';
    expect(refusal(text)).toMatchObject({ where: 'load.sql:2:7', next: 'Close it with end.' });
  });

  test('gives no verb to what begins with none, and points at square brackets', () => {
    expect(parseOne('"odd"').verb).toBe('');
    expect(refusal('select (a,\n (b[1); select 2')).toMatchObject({ where: 'load.sql:2:4' });
  });
});

describe("splitting MySQL's routines, which only steps hold", () => {
  const cases: [string, string][] = [
    ['a body', 'create procedure p() begin select 1; select 2; end'],
    ['bodies in the body', 'create procedure p() begin declare a int; begin select 1; end; select 2; end'],
    ['an if', 'create procedure p() begin if 1 then select 1; else select 2; end if; select 3; end'],
    ['loops', 'create procedure p() begin l: loop leave l; end loop l; while 0 do select 1; end while; end'],
    ['a repeat', 'create procedure p() begin repeat set @a = 1; until 1 end repeat; select 1; end'],
    ['a case that is a value', "create procedure p() begin select case when 1 then 'a' else 'b' end; select 1; end"],
    ['a case of statements', 'create procedure p() begin case 1 when 1 then select 1; end case; select 2; end'],
    ['a trigger', 'create trigger g before insert on t for each row begin set new.a = 1; set new.b = 2; end'],
    ['an event', 'create event e on schedule every 1 day do begin delete from t; select 1; end'],
    ['a definer', "create definer = 'a'@'%' function f() returns int begin declare b int; return b; end"],
    ['a definer without quotes', 'create or replace definer = root@localhost procedure p() begin select 1; end'],
    ['an if as the last word', 'create procedure p() begin if 1 then select 1; end if; end'],
  ];
  test.each(cases)('keeps %s whole', (_what, text) => {
    expect(parse(`${text}; select 2`, mysqlSql, 'step').map((statement) => statement.text)).toEqual([text, 'select 2']);
  });

  test('points at a body that is open where the text ends', () => {
    const text = 'create procedure p()\nbegin if 1 then select 1; end if;';
    expect(refusal(text, mysqlSql, 'step')).toMatchObject({ where: 'load.sql:2:1', next: 'Close it with end.' });
  });
});
