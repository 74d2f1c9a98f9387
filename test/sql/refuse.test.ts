import { describe, expect, test } from 'vitest';
import { postgresSql } from '../../src/sql/postgres.ts';
import { parse, parseOne, refusal } from './parse.ts';

const refused: [string, string[], RegExp][] = [
  [
    'transaction control',
    [
      'begin',
      'BEGIN isolation level serializable',
      'start transaction',
      'commit',
      'commit and chain',
      'end',
      'rollback',
      'rollback to a',
      'abort',
      'savepoint a',
      'release a',
    ],
    /one transaction/,
  ],
  ['two-phase commit', ["prepare transaction 'a'", "commit prepared 'a'", "rollback prepared 'a'"], /two-phase/],
  [
    'other isolation',
    [
      'set transaction isolation level serializable',
      'set local transaction_isolation = serializable',
      'set session characteristics as transaction read only',
      'set default_transaction_isolation = serializable',
    ],
    /READ COMMITTED/,
  ],
  [
    'other roles',
    [
      'set role x',
      'set local role x',
      'set session session authorization x',
      'set session authorization x',
      'set local session_authorization = x',
      'reset role',
      'set local "role" = x',
    ],
    /role/,
  ],
  [
    'rows that a policy hides',
    ['set local row_security = on', 'SET row_security TO on', 'set local "row_security" = on'],
    /without a word/,
  ],
  ['triggers switched off', ["set local session_replication_role = 'replica'"], /protect the snapshot/],
  ['other ways to read SQL', ['set local standard_conforming_strings = off', "set names 'latin1'"], /reads the text/],
  [
    'other tables behind the same names',
    [
      'set local search_path = mart',
      'SET LOCAL search_path TO mart, public',
      "set local schema 'mart'",
      'set local "search_path" = mart',
      'set local "Search_Path" to mart',
      'set local U&"search\\005fpath" = mart',
    ],
    /no roll back/,
  ],
  [
    'settings that outlive the transaction',
    ['set work_mem = 1000', "set session time zone 'utc'", 'reset all'],
    /outlive/,
  ],
  ['session state', ['discard all', 'deallocate all', 'prepare a as select 1', 'execute a'], /pooled/],
  [
    'data beside the SQL',
    ['copy t (a, b) from stdin', 'COPY (select 1) TO STDOUT', "copy t from stdin;\n1\tO'Brien\n\\.\n"],
    /own connection/,
  ],
  [
    'what cannot run in a transaction',
    [
      'vacuum t',
      'create database d',
      'drop tablespace t',
      "alter system set work_mem = '1MB'",
      'alter database d set tablespace t',
    ],
    /inside a transaction/,
  ],
  [
    'concurrently',
    [
      'create index concurrently on t (a)',
      'create unique index concurrently i on t (a)',
      'drop index concurrently i',
      'reindex (concurrently) table t',
      'reindex table concurrently t',
      'alter table a detach partition b concurrently',
    ],
    /concurrently/,
  ],
  [
    'many tables at once',
    ['reindex schema s', 'reindex (verbose) database d', 'cluster', 'cluster verbose'],
    /many tables/,
  ],
];

describe('SQL that the engine must not send', () => {
  const each = refused.flatMap(([what, texts, why]) => texts.map((text) => [what, text, why] as const));
  test.each(each)('%s: %s', (_what, text, why) => {
    const error = refusal(`select 1;\n  /* c */ ${text}`);
    expect(error.message).toMatch(why);
    expect(error.message).toMatch(/cannot stand in a load's SQL/);
    expect(error.where).toBe('load.sql:2:11');
    expect(error.next).toMatch(/\.$/);
  });
});

describe('a file of the server', () => {
  test.each([
    "copy t to '/x'",
    'COPY "to" /* c */ TO\n$$/x$$',
    "copy acq . t (a, b) to E'/x' with (format csv)",
    "copy binary t to '/x'",
    "copy (select a from t where b in ('from', 'to')) to program 'gzip > /x' (format csv)",
  ])('is written by no stage and no check, for nothing takes it back; a step may: %s', (text) => {
    const error = refusal(`select 1;\n  ${text}`);
    expect(error.message).toMatch(/^"copy … to" cannot stand in a stage or a check: no roll back takes back the file/);
    expect(error.where).toBe('load.sql:2:3');
    expect(error.next).toMatch(/method: query and output: FILE\. Or put it under before: or after:/);
    expect(parseOne(text, postgresSql, 'step').commitsByItself).toBe(false);
  });

  test('takes no values in a step either', () => {
    const error = refusal("copy (select :x) to '/data/x'", postgresSql, 'step');
    expect(error.message).toMatch(/^:x cannot be used here: PostgreSQL binds no values in "copy" statements$/);
  });
});

describe('a setting that a function changes', () => {
  test.each([
    ["select set_config('search_path', 'mart', true)", /no roll back/],
    ["select pg_catalog . set_config ('Search_Path', 'mart', false)", /no roll back/],
    ['select "set_config"(\'search_path\', :x, true)', /no roll back/],
    ["insert into t select a from {{ s }} where set_config('search_path', b, true) is not null", /no roll back/],
    ["select set_config('role', 'x', true)", /lose its own ledger/],
    ["select set_config('session_authorization', 'x', true)", /lose its own ledger/],
    ["select set_config('row_security', 'on', true)", /without a word/],
    ["select set_config('session_replication_role', 'replica', true)", /protect the snapshot/],
    ["select set_config('transaction_isolation', 'serializable', true)", /READ COMMITTED/],
  ])('is refused as SET is: %s', (text, why) => {
    const error = refusal(text);
    expect(error.message).toMatch(/^"set_config\('\w+'\)" cannot stand in a load's SQL: /);
    expect(error.message).toMatch(why);
    expect(error.where).toBe(`load.sql:1:${text.indexOf('set_config') - (text.includes('"') ? 1 : 0) + 1}`);
    expect(error.next).toMatch(/\.$/);
  });

  test.each(['name', "'search' || '_path'", ':x', "E'search_path'", "'search_path'::text", '$$search_path$$'])(
    'is refused where its name is not written out: %s',
    (name) => {
      const error = refusal(`select set_config(${name}, v, true) from s`);
      expect(error.message).toMatch(/^which setting "set_config" changes here is seen by the server alone/);
      expect(error.next).toBe("Write its name as a plain string: set_config('work_mem', …).");
    },
  );

  test.each([
    "select set_config('work_mem', '1GB', true)",
    "select set_config('app.day', :x, false)",
    'select app.set_config(name, :x) from s',
    'select set_config from s',
    "select 'set_config(x)'",
  ])('may be changed where SET may change it: %s', (text) => {
    expect(parse(text)).toHaveLength(1);
  });
});

describe('the view of all settings', () => {
  test.each([
    "update pg_settings set setting = 'mart' where name = 'search_path'",
    `update only "pg_catalog"."pg_settings" as s set setting = 'mart' where name = 'search_path'`,
    "with a as (update pg_catalog.pg_settings set setting = 'x' returning 1) select * from a",
  ])('cannot be written to: %s', (text) => {
    const error = refusal(text);
    expect(error.message).toMatch(/^"pg_settings" cannot be written to in a load's SQL: /);
    expect(error.next).toMatch(/session_params/);
  });

  test.each([
    "insert into t select setting from pg_settings where name = 'work_mem'",
    'update app.pg_settings set a = 1',
    'update t set pg_settings = 1',
    'set local "work_mem" = 1000',
  ])('may be read, and another of its name written to: %s', (text) => {
    expect(parse(text)).toHaveLength(1);
  });
});

describe('SQL that may stand', () => {
  const allowed = [
    'set local work_mem = 1000',
    'set constraints all deferred',
    'lock table t in share mode',
    'call p(:a)',
    'do $$ begin commit; end $$',
    'listen x',
    "notify x, 'y'",
    'analyze t',
    'truncate t',
    'reindex table t',
    'cluster t using i',
    'refresh materialized view concurrently m',
    "copy t from '/data/a from stdin.csv'",
    "copy t from '/data/a' where a similar to '/x' or substring(b from 'to') = ''",
    'copy "to" (a, b) from program \'cat /data/a\'',
    "comment on column t.a is $$copy t to '/x'$$",
    'create index on concurrently_made (a)',
    'create table t (a int, "commit" text)',
    'select begin from rollback',
    'explain select :a',
    'create table t as select :a',
    'create temp table t on commit drop as (with x as (select :a) select * from x)',
    'create unlogged table t as table {{ x }}',
    'declare c cursor for select :a',
    '(select :a)',
    'values (:a)',
    'merge into t using {{ x }} s on s.a = t.a when matched then update set b = :b',
  ];
  test.each(allowed)('%s', (text) => {
    expect(parse(text)).toHaveLength(1);
  });
});

describe('a value that nothing would bind', () => {
  const utility = [
    'create table t (a int default :x)',
    "create table t (a int, b int generated always as (a + :x) stored, c text default ' as select ')",
    'create view v as select :x',
    'create materialized view v as select :x',
    'create function f() returns int begin atomic select :x; end',
    'alter table t alter a set default :x',
    'truncate :x',
    'set local work_mem = :x',
    'comment on table t is :x',
    'notify c, :x',
  ];
  test.each(utility)('is refused: %s', (text) => {
    const error = refusal(text);
    expect(error.message).toMatch(/^:x cannot be used here: PostgreSQL binds no values in "\w+" statements$/);
    expect(error.where).toBe(`load.sql:1:${text.indexOf(':x') + 1}`);
  });

  test('so is a brace', () => {
    expect(refusal('create view v as select * from {{ t }} t').message).toMatch(/^\{\{ t \}\} cannot be used here/);
  });
});
