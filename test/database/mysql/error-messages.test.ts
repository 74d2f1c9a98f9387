import { afterAll, beforeAll, expect, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { classify } from '../../../src/database/mysql/errors.ts';
import { describeOn, mysqlServers } from '../../mysql-servers.ts';
import { failureIn, openFailing, SECRET } from './failing.ts';

describeOn(await mysqlServers(), 'messages of errors of $name', (server) => {
  let database: MysqlDatabase;
  beforeAll(async () => (database = await openFailing(server)));
  afterAll(() => database.close());
  const failureOf = (...texts: string[]) => failureIn(database, ...texts);

  test.each([
    [`insert into t values (2, '${SECRET}', 1, null)`, '1062', /^duplicate key \(key '(t\.)?mail'\) \(error 1062\)$/],
    [`insert into t values ('${SECRET}', 'a', 1, null)`, '1366', /^invalid value \(column .*id['`]\) \(error 1366\)$/],
    [
      `insert into t values ('for column ''${SECRET}'' at row 1', 'a', 1, null)`,
      '1366',
      /^invalid value \(column ('id'|`\w+`\.`t`\.`id`)\) \(error 1366\)$/,
    ],
    [`insert into t values (3, 'b', 1, '${SECRET}')`, '1292', /^invalid value \(column .*d['`]\) \(error 1292\)$/],
    [`insert into t values (3, 'b', 300, null)`, '1264', /^Out of range value for column 'n' at row 1 \(error 1264\)$/],
    [`insert into t values (3, repeat('${SECRET}', 5), 1, null)`, '1406', /^Data too long for column 'mail'/],
    [`insert into child values (1, 99)`, '1452', /to_t/],
    [`insert into t values (null, 'b', 1, null)`, '1048', /^Column 'id' cannot be null/],
    [`select raised('${SECRET}')`, '1644', /^the SQL raised an exception of its own; its text stands in the ledger/],
    ['select * fro t', '1064', /syntax/],
    ['select nothing from t', '1054', /nothing/],
  ])('are permanent, and say no value of a row: %s', async (text, code, safe) => {
    const facts = await failureOf(text);
    expect(facts).toMatchObject({ kind: 'permanent', code, retryAfterSeconds: 0 });
    expect(facts.safeMessage).toMatch(safe);
    expect(facts.safeMessage).not.toContain('mary');
    expect(facts.message).toContain(`(error ${code})`);
  });

  // What is wrong with the statement, not with its rows; the secret stands in the rows, and in the statement wherever a value can.
  const STRUCTURE: { code: number; only?: 'MySQL' | 'MariaDB'; texts: string[] }[] = [
    { code: 1056, texts: ['select mail, sum(n) as s from t group by s'] },
    { code: 1093, only: 'MySQL', texts: [`delete from t where id in (select id from t where mail = '${SECRET}')`] },
    { code: 1110, texts: [`insert into t (id, mail, mail) values (3, '${SECRET}', '${SECRET}')`] },
    { code: 1111, texts: [`select '${SECRET}' from t where sum(n) > 1`] },
    { code: 1115, texts: ['select convert(mail using nothing) from t'] },
    {
      ...{ code: 1137, only: 'MySQL' },
      texts: ['create temporary table tt (mail varchar(30))', `select '${SECRET}' from tt a join tt b using (mail)`],
    },
    { code: 1140, only: 'MySQL', texts: [`select '${SECRET}', mail, sum(n) from t`] },
    { code: 1176, texts: [`select * from t use index (nothing) where mail = '${SECRET}'`] },
    { code: 1191, texts: [`select * from t where match (mail) against ('${SECRET}')`] },
    { code: 1193, texts: [`select @@nothing, '${SECRET}'`] },
    { code: 1221, texts: [`select all distinct '${SECRET}' from t`] },
    { code: 1221, only: 'MySQL', texts: [`update t, child set t.mail = '${SECRET}' order by t.id`] },
    { code: 1248, only: 'MySQL', texts: [`select * from (select '${SECRET}' from t)`] },
    { code: 1253, texts: [`select _utf8mb4'${SECRET}' collate latin1_bin`] },
    { code: 1267, texts: [`select * from mixed where a = b and a = '${SECRET}'`] },
    { code: 1271, texts: [`select * from mixed where '${SECRET}' in (a, b, c)`] },
    { code: 1273, texts: [`select '${SECRET}' collate nothing`] },
    { code: 1288, texts: [`update (select * from t) x set x.mail = '${SECRET}'`] },
    { code: 1318, texts: [`select raised('${SECRET}', mail) from t`] },
    { code: 1353, only: 'MySQL', texts: [`with c (a, b) as (select '${SECRET}') select * from c`] },
    { code: 1442, texts: ['insert into t select 9, concat(mail, 9), deletes(mail), null from t where id = 1'] },
    { code: 1582, texts: [`select ifnull('${SECRET}')`] },
    { code: 1747, texts: [`select * from t partition (p) where mail = '${SECRET}'`] },
    { code: 3065, only: 'MySQL', texts: ['select distinct mail from t order by n'] },
    { code: 3143, only: 'MySQL', texts: ["select json_extract('{}', concat('$.', mail)) from t"] },
    { code: 3143, only: 'MySQL', texts: [`select json_extract('{}', '${SECRET}')`] },
    { code: 3573, only: 'MySQL', texts: ['with recursive c as (select mail from c) select * from c'] },
    { code: 3579, only: 'MySQL', texts: [`select sum(n) over w, '${SECRET}' from t`] },
    { code: 3586, only: 'MySQL', texts: ['select sum(n) over (rows between current row and 1 preceding) from t'] },
    { code: 3593, only: 'MySQL', texts: ['select mail from t where row_number() over (order by mail) = 1'] },
    {
      ...{ code: 3636, only: 'MySQL' },
      texts: [`with recursive c as (select '${SECRET}' as a union all select a from c) select * from c`],
    },
    {
      code: 3667,
      only: 'MySQL',
      texts: [`select * from json_table('["${SECRET}"]', '$[*]' columns (a int path '$'))`],
    },
    { code: 4002, only: 'MariaDB', texts: [`with c (a, b) as (select '${SECRET}') select * from c`] },
    { code: 4004, only: 'MariaDB', texts: [`with c as (select '${SECRET}'), c as (select 2) select * from c`] },
    { code: 4005, only: 'MariaDB', texts: ['with recursive c as (select mail from c) select * from c'] },
    { code: 4009, only: 'MariaDB', texts: [`select sum(n) over w, '${SECRET}' from t`] },
    { code: 4014, only: 'MariaDB', texts: ['select sum(n) over (rows between current row and 1 preceding) from t'] },
    { code: 4015, only: 'MariaDB', texts: ['select mail from t where row_number() over (order by mail) = 1'] },
    { code: 4078, only: 'MariaDB', texts: [`select mail from t where id = (select id, '${SECRET}' from t)`] },
    { code: 4091, only: 'MariaDB', texts: [`select nextval(nothing), '${SECRET}'`] },
    {
      ...{ code: 4177, only: 'MariaDB' },
      texts: [`select * from json_table('["${SECRET}"]', '$[*]' columns (a int path '$'))`],
    },
  ];
  test.each(STRUCTURE.filter(({ only }) => only === undefined || only === server.flavour))(
    'of the structure of a statement are said whole: $code, $texts',
    async ({ code, texts }) => {
      const facts = await failureOf(...texts);
      expect(facts).toMatchObject({ kind: 'permanent', code: String(code), safeMessage: facts.message });
      expect(facts.message).not.toMatch(/mary|example/);
    },
  );

  test('name a type that the server does not know', async () => {
    const facts = await failureOf('create table typed (v vectors)');
    expect(facts).toMatchObject({ kind: 'permanent', safeMessage: expect.stringContaining("'vectors") as string });
    if (server.flavour === 'MariaDB') expect(facts.next).toContain('from.sql');
  });

  test('name the check that a row breaks', async () => {
    const facts = await failureOf(`insert into t values (4, '${SECRET}2', 0, null)`);
    expect(facts).toMatchObject({ kind: 'permanent', code: server.flavour === 'MySQL' ? '3819' : '4025' });
    expect(facts.safeMessage).toContain('positive');
  });

  test('say what is missing, and what is forbidden', async () => {
    expect(await failureOf('select * from nowhere')).toMatchObject({ kind: 'permanent', because: 'missing' });
    expect(await failureOf('select * from no_database.t')).toMatchObject({ kind: 'permanent', because: 'missing' });
    const user = `u_${process.pid}`;
    await database.query({ strings: [`create user ${user} identified by 'secret'`], values: [] });
    const url = Object.assign(new URL(server.url), { username: user, password: 'secret', pathname: '/' });
    const theirs = new MysqlDatabase({
      ...{ name: 'w', url: url.href, scheme: 'mysql', maxConnections: 4, controlSchema: 'waybill' },
    });
    try {
      for (const text of ['select * from mysql.db', 'create database not_theirs', 'set global max_connections = 99']) {
        const error = await theirs.query({ strings: [text], values: [] }).catch((failure: unknown) => failure);
        expect(classify(error), text).toMatchObject({ kind: 'permanent', because: 'forbidden' });
      }
    } finally {
      await theirs.close();
      await database.query({ strings: [`drop user ${user}`], values: [] });
    }
  });
});
