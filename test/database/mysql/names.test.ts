import { afterAll, beforeAll, expect, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { quoteName, quoteTable, quoteText } from '../../../src/database/mysql/names.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';

describeOn(await mysqlServers(), 'names on $name', (server) => {
  let database: MysqlDatabase;
  let schema: string;

  beforeAll(async () => {
    const fresh = await freshMysqlDatabase(server);
    schema = fresh.name;
    database = new MysqlDatabase({
      ...{ name: 'w', url: fresh.url, scheme: 'mysql', maxConnections: 4, controlSchema: 'control`s' },
    });
  });
  afterAll(() => database.close());

  test.each(['t', 'T', 'select', 'a`b', "it's", 'Grüße', 'two words', 'a'.repeat(64)])(
    'are quoted so that the server takes exactly them: %s',
    async (name) => {
      const table = raw(quoteTable(`${schema}.\`${name.replaceAll('`', '``')}\``));
      await database.query(sql`create table ${table} (${raw(quoteName(name))} int)`);
      const { rows } = await database.query(sql`
        select table_name as t, column_name as c from information_schema.columns
        where table_schema = ${schema}`);
      expect(rows).toEqual([{ t: name, c: name }]);
      await database.query(sql`drop table ${table}`);
    },
  );

  test('longer than the server keeps are refused', () => {
    expect(() => quoteTable('a'.repeat(65))).toThrow(/longer than 64 characters/);
  });

  test('of control tables are qualified', () => {
    expect(database.ledger('batch').text).toBe('`control``s`.batch');
  });

  test.each(["it's", '\\', "\\' or 1=1 -- ", 'a\nb', '%_'])(
    'and texts are constants that mean themselves: %j',
    async (text) => {
      const { rows } = await database.query<{ text: string }>(sql`select ${raw(quoteText(text))} as text`);
      expect(rows).toEqual([{ text }]);
    },
  );
});
