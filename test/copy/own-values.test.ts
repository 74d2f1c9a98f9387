import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { landingColumn } from '../../src/copy/landing-columns.ts';
import type { ColumnFacts } from '../../src/database/dialect.ts';
import { everyServer } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { servers } from '../servers.ts';
import { Ends, isMysql } from './ends.ts';

/** A value of a type, and what becomes of it in another one: its text there, or undefined where the server refuses it aloud. */
type Case = [from: string, value: string, into: string, expected: string | undefined];

const POSTGRES: Case[] = [
  ['numeric(12,4)', '1.5', 'integer', undefined],
  ['numeric(12,4)', '12345678', 'bigint', undefined], // COPY writes 12345678.0000
  ['numeric', '12345678', 'bigint', '12345678'],
  ['double precision', '2.5', 'smallint', undefined],
  ['double precision', '1.2345678901234567', 'numeric', '1.2345678901234567'],
  ['real', '0.12345678', 'numeric', '0.12345678'],
  ['interval', '1 day 02:00:00', 'time', undefined],
  ['interval', '02:00:00', 'time', '02:00:00'],
  ['bigint', '32768', 'smallint', undefined],
  ['integer', '7', 'bigint', '7'],
  ['text', '7', 'integer', '7'],
  ['text', '1.5', 'integer', undefined],
  ['text', 'longer than that', 'varchar(5)', undefined],
  ['text', 'five5     ', 'varchar(5)', undefined],
  ['text', 'happy', 'mood', 'happy'],
  ['text', 'HAPPY', 'mood', undefined],
  ['text', 'longer than that', 'short', undefined],
  ['text', 'five5', 'short', 'five5'],
  ['text', 'five5     ', 'short', undefined],
  ['code', 'five5     ', 'varchar(5)', undefined],
  ['code', 'five5', 'varchar(5)', 'five5'],
  ['citext', 'five5     ', 'short', undefined],
  ['citext', 'Five5', 'varchar(5)', 'Five5'],
  ['json', '7         ', 'varchar(5)', undefined],
  ['double precision', '2.5', 'whole', undefined],
  ['char(5)', 'ab', 'text', 'ab   '],
  ['boolean', 'true', 'text', 't'],
  ['boolean', 'true', 'integer', undefined],
  ['integer', '1', 'boolean', 'true'],
  ['json', '{"b":1,"a":2}', 'jsonb', '{"a": 2, "b": 1}'],
  ['pair', '(,)', 'text', '(,)'],
  ['pair', '(1,x)', 'pair', '(1,x)'],
];

const MYSQL: Case[] = [
  ['varchar(20)', "'2'", "enum('1','3','2')", '2'],
  ['varchar(20)', "'2'", "enum('sad','happy')", undefined],
  ['varchar(20)', "'HAPPY'", "enum('sad','happy')", undefined],
  ['varchar(20)', "'happy'", "enum('sad','happy')", 'happy'],
  ['varchar(20) character set latin1', "'süß'", "enum('sauer','süß')", 'süß'],
  ["enum('2','1')", "'2'", "enum('1','2')", '2'],
  ["enum('2','1')", "'1'", 'varchar(5)', '1'],
  ["set('b','c')", "'b,c'", "set('a','b','c')", 'b,c'],
  ['float', '0.1', 'varchar(40)', '0.10000000149011612'],
  ['double', '1.2345678901234567', 'varchar(40)', '1.2345678901234567'],
  ['double', '1.23456789', 'varchar(5)', undefined],
  ['bit(10)', "b'1010'", 'varchar(20)', '0000001010'],
  ['bit(10)', "b'1010'", 'int', '10'],
  ['int', '70000', 'smallint', undefined],
  ['varchar(20)', "'longer than that'", 'varchar(5)', undefined],
  ['varchar(20)', "'five5     '", 'varchar(5)', undefined],
  ['timestamp(6)', "'2026-03-29 01:30:00.123456'", 'datetime(6)', '2026-03-29 01:30:00.123456'],
  ['varbinary(4)', "x'6869'", 'blob', 'hi'],
  ['varbinary(4)', "x'6869'", 'text', '\\x6869'],
  ['text', "concat('end', repeat(' ', 300))", 'tinytext', undefined],
  ['timestamp null', "'2026-03-29 01:30:00'", 'timestamp null', '2026-03-29 01:30:00'],
];

describe.each(everyServer)('values within one database of $name', (server) => {
  let ends: Ends;
  const cases = isMysql(server) ? MYSQL : POSTGRES;

  beforeAll(async () => {
    ends = await Ends.create(server);
    if (isMysql(server)) return;
    await ends.sql('target', `create type mood as enum ('sad', 'happy')`);
    await ends.sql('target', 'create type pair as (a int, b text)');
    await ends.sql('target', 'create domain short as varchar(5)');
    await ends.sql('target', 'create domain whole as integer');
    await ends.sql('target', 'create domain code as text');
    await ends.sql('target', 'create extension citext');
  });
  afterAll(() => ends.close());

  async function columnOf(table: string): Promise<ColumnFacts> {
    const facts = await ends.target.dialect.describeTable(ends.target, table);
    return facts!.columns[0]!;
  }

  test.each(cases)('%s %s into %s', async (from, value, into, expected) => {
    const { target } = ends;
    for (const [table, type] of [
      ['s', from],
      ['t', into],
    ]) {
      await ends.sql('target', `drop table if exists ${table}`);
      await ends.sql('target', `create table ${table} (v ${type})`);
    }
    await ends.sql('target', `insert into s values (${isMysql(server) ? value : `'${value}'`}), (null)`);
    const way = landingColumn(target.dialect, target.dialect, await columnOf('s'), await columnOf('t'), undefined);
    const session = await ends.begin('target');
    try {
      const inserted = target.dialect.insertRows(session, 't', [way.into.name], `select ${way.own} from s`);
      if (expected === undefined) await expect(inserted).rejects.toThrow();
      else {
        expect(await inserted).toEqual({ read: 2, written: 2 });
        const text = isMysql(server) ? 'select cast(v as char) as v from t' : 'select v::text as v from t';
        const { rows } = await session.query<{ v: string | null }>({ strings: [text], values: [] });
        expect(rows.map(({ v }) => v)).toEqual([expected, null]);
      }
    } finally {
      await session.rollback();
      await session.close();
    }
  });
});

test.each(servers)('a row that a trigger of a partition drops is counted as read alone, on $name', async (server) => {
  const ends = await Ends.create(server);
  const sql = (text: string) => ends.sql('target', text);
  try {
    await sql('create table s (v int)');
    await sql('insert into s select generate_series(1, 10)');
    await sql('create table t (v int) partition by range (v)');
    await sql('create table part partition of t for values from (0) to (100) partition by range (v)');
    await sql('create table leaf partition of part for values from (0) to (100)');
    await sql(`create function drops() returns trigger language plpgsql as
      $$ begin return case when new.v <> 5 then new end; end $$`);
    await sql('create trigger drops before insert on leaf for each row execute function drops()');
    const session = await ends.begin('target');
    expect(await ends.target.dialect.insertRows(session, 't', ['v'], 'select v from s')).toEqual({
      read: 10,
      written: 9,
    });
    await session.rollback();
  } finally {
    await ends.close();
  }
});

test.each(servers)('an identity column takes the numbers of the source on $name, with triggers too', async (server) => {
  const ends = await Ends.create(server);
  const sql = (text: string) => ends.sql('target', text);
  try {
    await sql('create table s (v bigint)');
    await sql('insert into s values (70), (80)');
    await sql('create function keeps() returns trigger language plpgsql as $$ begin return new; end $$');
    for (const generated of ['always', 'by default']) {
      await sql('drop table if exists t');
      await sql(`create table t (v bigint generated ${generated} as identity)`);
      for (const triggers of [false, true]) {
        if (triggers) await sql('create trigger keeps before insert on t for each row execute function keeps()');
        const session = await ends.begin('target');
        const counts = await ends.target.dialect.insertRows(session, 't', ['v'], 'select v from s');
        expect(counts, generated).toEqual({ read: 2, written: 2 });
        const { rows } = await session.query({ strings: ['select v::int from t order by v'], values: [] });
        expect(rows, generated).toEqual([{ v: 70 }, { v: 80 }]);
        await session.rollback();
        await session.close();
      }
    }
  } finally {
    await ends.close();
  }
});

describeOn(await mysqlServers(), 'NULL where it may not be on $name', (server) => {
  let ends: Ends;
  beforeAll(async () => {
    ends = await Ends.create(server);
    for (const side of ['source', 'target'] as const) {
      await ends.sql(side, 'create table s (v int null, at timestamp null, n int null)');
      await ends.sql(side, "insert into s values (1, '2026-03-29 01:30:00', 1)");
    }
    await ends.sql(
      'target',
      'create table t (v int auto_increment primary key, at timestamp(6) not null, n int not null)',
    );
    await ends.sql(
      'target',
      'create table numbered (v int, at timestamp null, n int, ngdw_id bigint auto_increment primary key)',
    );
  });
  afterAll(() => ends.close());

  /** Rows of `s` into `t` or another table, by a copy or within the database. */
  async function insert(own: boolean, table = 't', more = ''): Promise<unknown> {
    const { source, target } = ends;
    const [from, into] = await Promise.all([
      source.dialect.describeTable(source, 's'),
      target.dialect.describeTable(target, table),
    ]);
    const ways = from!.columns.map((column, i) =>
      landingColumn(target.dialect, target.dialect, column, into!.columns[i]!, undefined),
    );
    const session = await ends.begin('target');
    const reader = await ends.begin('source');
    try {
      if (own) {
        const select = `select ${ways.map((way) => way.own).join(', ')} from s`;
        await target.dialect.insertRows(
          session,
          table,
          ways.map((way) => way.into.name),
          select,
        );
      } else {
        const select = `select ${ways.map((way) => way.select).join(', ')} from s`;
        await ends.copy(reader, session, { select, columns: ways.map((way) => way.into), table });
      }
      const { rows } = await session.query({
        strings: [`select v, cast(at as char) as at, n${more} from ${table} order by n`],
        values: [],
      });
      return rows;
    } catch (error) {
      return target.dialect.classify(error).because;
    } finally {
      for (const used of [reader, session]) {
        await used.rollback();
        await used.close();
      }
    }
  }

  test.each([false, true])(
    'is an error of its row, and becomes no time of now and no next number: within %s',
    async (own) => {
      expect(await insert(own)).toEqual([{ v: 1, at: '2026-03-29 01:30:00.000000', n: 1 }]);
      for (const column of ['v', 'at', 'n']) {
        for (const side of ['source', 'target'] as const) {
          await ends.sql(side, `update s set v = 1, at = '2026-03-29 01:30:00', n = 1`);
          await ends.sql(side, `update s set ${column} = null`);
        }
        expect(await insert(own), column).toBe('data');
      }
      for (const side of ['source', 'target'] as const) {
        await ends.sql(side, `update s set v = 1, at = '2026-03-29 01:30:00', n = 1`);
      }
    },
  );

  test.each([false, true])('0 stays 0 beside it, and what is not given is numbered: within %s', async (own) => {
    const at = '2026-03-29 01:30:00';
    for (const side of ['source', 'target'] as const) {
      await ends.sql(side, 'delete from s');
      await ends.sql(side, `insert into s values (0, '${at}', 0), (7, '${at}', 1)`);
    }
    expect(await insert(own)).toEqual([
      { v: 0, at: `${at}.000000`, n: 0 },
      { v: 7, at: `${at}.000000`, n: 1 },
    ]);
    expect(await insert(own, 'numbered', ', ngdw_id > 0 as numbered')).toEqual([
      { v: 0, at, n: 0, numbered: true },
      { v: 7, at, n: 1, numbered: true },
    ]);
    for (const side of ['source', 'target'] as const) await ends.sql(side, 'delete from s where v = 7');
  });
});
