import { afterAll, beforeAll, expect, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { quoteName, quoteTable, quoteText } from '../../../src/database/mysql/names.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { mysqlSql } from '../../../src/sql/mysql.ts';
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

  test('of columns that fold to one text are one to the server, and letters of most languages do', async () => {
    const isOne = async (names: string[]): Promise<boolean> => {
      const columns = names.map((name) => `${quoteName(name)} int`).join(', ');
      try {
        await database.query(sql`create temporary table of_names (${raw(columns)})`);
      } catch (error) {
        expect(error).toMatchObject({ errno: 1060 });
        return true;
      }
      await database.query(sql`drop temporary table of_names`);
      return false;
    };
    const foldColumn = (name: string): string => mysqlSql.foldColumn(name);
    const apart: string[] = [];
    let folded = 0;
    for (let code = 1; code < 0xd800; code += 1) {
      const letter = String.fromCharCode(code);
      const small = foldColumn(letter);
      if (small === letter) continue;
      folded += 1;
      if (!(await isOne([letter, small]))) apart.push(letter);
    }
    expect(apart).toEqual([]);
    expect(folded).toBeGreaterThan(200);
    // As the servers have it: no letter is one with two, or with one that only looks like it.
    for (const [one, other] of ['aä', 'sß', 'σς', 'iı']) {
      expect(await isOne([one!, other!]), `${one} ${other}`).toBe(foldColumn(one!) === foldColumn(other!));
    }
    expect(foldColumn('Straße ÄÉ ОРЁЛ ΑΣ')).toBe('straße äé орёл ασ');
  });

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
