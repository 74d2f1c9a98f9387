import { describe, expect, test } from 'vitest';
import { parse, refusal } from './parse.ts';

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
      'reset role',
    ],
    /role/,
  ],
  ['other ways to read SQL', ['set local standard_conforming_strings = off', "set names 'latin1'"], /reads the text/],
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
    'copy "from stdin" to \'/data/x\'',
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
    "copy (select :x) to '/data/x'",
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
