import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database, TableIdentity } from '../../../src/database/dialect.ts';
import { sql } from '../../../src/database/sql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';
import { openLedger } from '../ledger-on.ts';

describeOn(await mysqlServers(), 'which table an output is, on $name', (server) => {
  let schema: string;
  let database: Database;
  /** Of an account without PROCESS. */
  let poor: Database;

  const say = async (...texts: string[]): Promise<void> => {
    for (const text of texts) await database.query({ strings: [text], values: [] });
  };
  const identity = async (table: string, reader = database): Promise<TableIdentity> =>
    (await reader.dialect.outputIdentity(reader, table))!;
  const holds = async (table: string, known: TableIdentity): Promise<boolean> => {
    const { rows } = await database.query<{ yes: boolean }>(
      sql`select ${database.dialect.isOutput(table, known)} as yes`,
    );
    return rows[0]!.yes;
  };
  /** The condition and what is found say the same. */
  const isStill = async (table: string, known: TableIdentity): Promise<boolean> => {
    const same = database.dialect.isSameOutput(await identity(table), known);
    expect(await holds(table, known)).toBe(same);
    return same;
  };

  beforeAll(async () => {
    const { name, url } = await freshMysqlDatabase(server);
    schema = name;
    database = openLedger(url, `${schema}_waybill`);
    await say(
      `create database \`${schema} ü-%\``,
      `create user ${schema} identified by 'Secret-1'`,
      `grant all on ${schema}.* to ${schema}`,
    );
    const account = new URL(url);
    Object.assign(account, { username: schema, password: 'Secret-1' });
    poor = openLedger(account.href, `${schema}_waybill`);
  });
  afterAll(async () => {
    await poor.close();
    await say(`drop user ${schema}`, `drop database \`${schema} ü-%\``);
    await database.close();
  });
  beforeEach(() =>
    say(
      'drop table if exists t, `T`, tt, parts',
      'create table t (id int primary key, n int)',
      'create table `T` (id int)',
      'create table tt (id int)',
      `create table parts (id int) partition by range (id)
         (partition p0 values less than (10), partition p1 values less than maxvalue)`,
    ),
  );

  test('is told by TRUNCATE, which leaves its time as it is', async () => {
    for (const table of ['t', `${schema}.t`, 'T', 'parts']) {
      const known = await identity(table);
      expect(await isStill(table, known)).toBe(true);
      await say(`truncate ${table}`);
      expect(await isStill(table, known)).toBe(false);
    }
    const known = await identity('parts');
    await say('alter table parts truncate partition p0');
    expect(await isStill('parts', known)).toBe(false);
  });

  test('is told whatever characters are in its name, and in that of its database', async () => {
    for (const name of ['a b', 'naïve', '%_', '日本', 'a#p#b', "it's", 'a*/b', 'a``b']) {
      const table = `\`${schema} ü-%\`.\`${name}\``;
      await say(`create table ${table} (id int)`);
      const known = await identity(table);
      expect(await isStill(table, known)).toBe(true);
      await say(`truncate ${table}`);
      expect(await isStill(table, known)).toBe(false);
    }
  });

  test('is not told by what happens to its rows, or to tables of similar names', async () => {
    const known = await identity('t');
    await say('insert into t values (1, 1)', 'delete from t', 'analyze table t', 'truncate tt', 'truncate T');
    await say('truncate parts', 'create trigger t_made before insert on t for each row set new.n = 1');
    expect(await isStill('t', known)).toBe(true);
  });

  test('is as far as an account without PROCESS learns it: not by TRUNCATE', async () => {
    const known = await identity('t', poor);
    await say('truncate t');
    expect(poor.dialect.isSameOutput(await identity('t', poor), known)).toBe(true);
    // As a batch from before there was more has it in the ledger, too.
    expect(await isStill('t', known)).toBe(true);
    expect(poor.dialect.isSameOutput(await identity('t', poor), await identity('t'))).toBe(true);
    await say('drop table t', 'do sleep(1.1)', 'create table t (id int)');
    expect(await isStill('t', known)).toBe(false);
  });
});
