import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { landingColumn } from '../../src/copy/landing-columns.ts';
import type { ColumnFacts } from '../../src/database/dialect.ts';
import { everyServer } from '../every-server.ts';
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
