import { describe, expect, test } from 'vitest';
import { mariadbSql, mysqlSql } from '../../src/sql/mysql.ts';
import { COMMITTING, HARMLESS, NEVER } from './mysql-statements.ts';
import { parse, parseOne, refusal } from './parse.ts';

describe.each([mysqlSql, mariadbSql])('in the SQL of $title', (dialect) => {
  const never = NEVER.flatMap(([what, texts, why]) => texts.map((text) => [what, text, why] as const));
  test.each(never)('%s may not stand anywhere: %s', (_what, text, why) => {
    for (const place of ['batch', 'step'] as const) {
      const error = refusal(`select 1;\n  /* c */ ${text}`, dialect, place);
      expect(error.message).toMatch(why);
      expect(error.message).toMatch(/cannot stand in a load's SQL/);
      expect(error.where).toMatch(/^load\.sql:2:(11|20)$/);
      expect(error.next).toMatch(/[.…]$/);
    }
  });

  const committing = COMMITTING.flatMap(([what, texts]) => texts.map((text) => [what, text] as const));
  test.each(committing)('%s may stand in steps, and says that it commits by itself: %s', (_what, text) => {
    const error = refusal(`select 1;\n  /* c */ ${text}`, dialect);
    expect(error.message).toMatch(/cannot stand in a stage or a check: it commits by itself/);
    expect(error.where).toMatch(/^load\.sql:2:(11|20)$/);
    expect(error.next).toMatch(/before: or after:/);
    expect(parseOne(text, dialect, 'step').commitsByItself).toBe(true);
  });

  test.each(HARMLESS)('may stand: %s', (text) => {
    expect(parseOne(text, dialect).commitsByItself).toBe(false);
    expect(parseOne(text, dialect, 'step').commitsByItself).toBe(false);
  });

  test.each([
    'trigger g before insert on t for each row if new.a is null then set new.a = 1; end if',
    'procedure p() while @a > 0 do set @a = @a - 1; end while',
  ])('begin and end are the remedy for a body without them: create %s', (body) => {
    const { message, next } = refusal(`create ${body}`, dialect, 'step');
    expect(message).toMatch(/it is a part of a routine whose body was cut at `;`$/);
    expect(next).toBe('Put the body of the routine or trigger between begin and end.');
  });

  test('what can be rolled back is the remedy for TRUNCATE', () => {
    expect(refusal('truncate t', dialect).next).toMatch(/^Write "delete from"/);
  });

  const binding = [
    'select :a',
    '((select :a) union (select 1))',
    'with x as (select :a) select * from x',
    'values row(:a)',
    'table t limit :a',
    'insert into t values (:a)',
    'replace into t set a = :a',
    'update t set a = :a',
    'delete from t where a = :a',
    'do :a',
    'set @a = :a',
    'explain select :a',
    'show tables where :a = 1',
    'create temporary table c as select :a as a',
    'create temporary table c (a int) select :a as a',
    'create temporary table c as (values row(:a))',
    'create or replace temporary table c as with x as (select :a as a) select * from x',
  ];
  test.each(binding)('values can be bound: %s', (text) => {
    expect(parse(text, dialect)).toHaveLength(1);
  });

  const utility = [
    'create table c (a int default :x)',
    'create table c (a int default :x) with system versioning',
    'create table c (a int) partition by range (a) (partition p values less than (:x))',
    'create temporary table c (a int default :x)',
    'create view c as select :x',
    'create procedure p() select :x',
    'create procedure p() begin select :x; end',
    'create trigger tg before insert on t for each row set new.a = :x',
    'alter table t alter a set default :x',
    'truncate :x',
    "load data infile '/x' into table t set a = :x",
    "signal sqlstate '45000' set message_text = :x",
    'show tables like :x',
  ];
  test.each(utility)('values that nothing would bind are refused: %s', (text) => {
    const error = refusal(text, dialect, 'step');
    expect(error.message).toMatch(new RegExp(`^:x cannot be used here: ${dialect.title} binds no values in "\\w+"`));
    expect(error.where).toBe(`load.sql:1:${text.indexOf(':x') + 1}`);
  });

  const targets = [
    'insert into {{ t }} select 1',
    'insert ignore into {{ t }} select 1',
    'insert low_priority {{ t }} select 1',
    'replace {{ t }} select 1',
    'update {{ t }} f set a = 1',
    'update low_priority ignore {{ t }} set a = 1',
    'delete from {{ t }}',
    'delete quick from {{ t }}',
  ];
  test.each(targets)('rows to read cannot be written to: %s', (text) => {
    expect(refusal(text, dialect).message).toMatch(/cannot be written to$/);
  });

  const read = [
    'update {{ t }} f join u on u.a = f.a set u.b = f.b',
    'update u join {{ t }} f on u.a = f.a set u.b = f.b',
    'delete u from u join {{ t }} f on u.a = f.a',
    'insert into u (a) select a from {{ t }} f on duplicate key update b = 1',
    'select a from {{ t }} f for update',
  ];
  test.each(read)('rows can be read by statements that write: %s', (text) => {
    expect(parseOne(text, dialect).braces).toMatchObject([{ table: 't' }]);
  });
});
