/** Statements behind `use x`, on real servers: with their tables named they do elsewhere what they do in x. */
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { convertPreSteps } from '../../src/import/pupdate/pre-steps.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../mysql-servers.ts';

const at = { file: 'one.json', line: 1, column: 1 };
const TABLES = ['t', 'a', 'b', '`order`'];

describeOn(await mysqlServers(), 'a statement behind `use` on $name', (server) => {
  let sql: Connection;
  let foreign: string;
  let mine: string;

  beforeAll(async () => {
    [{ name: foreign }, { name: mine }] = await Promise.all([freshMysqlDatabase(server), freshMysqlDatabase(server)]);
    sql = await createConnection({ uri: server.url, multipleStatements: true });
  });
  afterAll(() => sql.end());

  /** Tables of the same names, other rows in each database. */
  async function create(database: string, first: number): Promise<void> {
    await sql.query(`drop database ${database}; create database ${database}; use ${database}`);
    for (const table of TABLES) {
      await sql.query(`create table ${table} (id int primary key, n int, key by_n (n));
        insert into ${table} values (${first}, 1), (${first + 1}, 2), (${first + 2}, 3)`);
    }
  }

  /** All that is in a database: its tables, what they are and their rows. */
  async function state(database: string): Promise<unknown> {
    await sql.query(`use ${database}`);
    const [names] = await sql.query<RowDataPacket[]>({ sql: 'show full tables', rowsAsArray: true });
    const found: unknown[] = [];
    for (const [name, kind] of names as unknown as [string, string][]) {
      const [shown] = await sql.query<RowDataPacket[]>({ sql: `show create table \`${name}\``, rowsAsArray: true });
      const [rows] = await sql.query(`select * from \`${name}\``);
      found.push([name, kind, String(shown[0]![1]).replaceAll(`\`${database}\`.`, ''), rows]);
    }
    return found;
  }

  test.each([
    'drop table if exists t',
    'drop table t, a restrict',
    'drop temporary table if exists nothing; drop table `t`',
    '/*!40000 drop table if exists t */',
    'truncate t',
    'truncate table t',
    'create table if not exists u (id int primary key, m int references a (id) on delete cascade on update no action, check (m < 5))',
    "create table u (id int, n int as (truncate(id, 0)), c varchar(9), check (c like 'x%')) engine=innodb, comment='u' partition by list (id) (partition p values in (1))",
    'create table u like t',
    'create table if not exists u (like t)',
    'create table u as select t.id, a.n from t join a using (id)',
    'create table u with c as (select * from t) select c.id from c, a where a.id = c.id',
    'create or replace view v as select t.id from t left join a on a.id = t.id',
    'create view v (id) as select id from t; alter view v as select n as id from a',
    'create view v as select 1 as one; drop view if exists w, v',
    'create index i on t (n, id)',
    'create unique index i using btree on t (n)',
    'drop index by_n on t',
    'alter table t add m int, modify n bigint, algorithm=copy',
    'alter table t rename column n to m, rename index by_n to by_m',
    'alter table t rename to u',
    'alter table t rename u',
    'alter table t add constraint f foreign key (n) references a (id) on delete cascade, drop primary key, add primary key (id, n)',
    'rename table t to u',
    'rename table t to u, a to t, u to a',
    'insert into t (id, n) select 9, max(id) from a',
    'insert ignore into t select * from a on duplicate key update n = values(n)',
    'insert t select id + 9, n from a where id in (select n from b)',
    'replace into t values (1, 7), (2, 8)',
    'update t set n = 7',
    'update t x join a using (id) set x.n = a.n + 5',
    'update t, a set t.n = 9 where a.id = t.id',
    'delete from t where n > (select min(truncate(n, 0)) from a)',
    'delete quick from t',
    'delete t from t join a on a.id = t.id where a.n > 1',
    'delete t.*, a from t join a on a.id = t.id',
    'delete x from t x join a on a.id = x.id',
    'delete from t using t join a using (id)',
    'delete from x, a using t as x join a on a.id = x.id',
    'with recursive c (i) as (select 1 union all select i + 1 from c where i < 3) select i from c',
    "insert into `order` select id + 50, length(convert(n using utf8mb4)) from t where extract(day from '2020-02-03') = 3",
    'create database if not exists nowhere_else; drop database nowhere_else',
    'analyze table t, a; optimize table t',
  ])('%s', async (statement) => {
    await create(mine, 100);
    await create(foreign, 1);
    const before = await state(mine);
    await sql.query(`use ${foreign}; ${statement}`);
    const expected = await state(foreign);

    await create(foreign, 1);
    const pieces = [`use ${foreign}`, statement, `use ${mine}`].map((text) => ({ text, at }));
    const steps = convertPreSteps(pieces, { at, database: mine, timeZone: 'default', settings: [] }, () => {});
    expect(steps.database).toBe(mine);
    await sql.query(`use ${mine}`);
    for (const step of steps.before) await sql.query(step as string);
    expect(await state(foreign), JSON.stringify(steps.before)).toEqual(expected);
    expect(await state(mine)).toEqual(before);
  });
});
