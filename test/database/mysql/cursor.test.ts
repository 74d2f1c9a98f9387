import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ColumnFacts, Session } from '../../../src/database/dialect.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { composed, raw, sql } from '../../../src/database/sql.ts';
import { mysqlSql } from '../../../src/sql/mysql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';

describeOn(await mysqlServers(), 'a cursor on $name', (server) => {
  let database: MysqlDatabase;
  let session: Session;
  let tables = 0;

  beforeAll(async () => {
    const { url } = await freshMysqlDatabase(server);
    database = new MysqlDatabase({ name: 's', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
    session = await database.openSession('waybill read item');
  });
  afterAll(async () => {
    await session.close();
    await database.close();
  });

  const say = (text: string) => session.query<Record<string, string>>({ strings: [text], values: [] });
  /** A new table with this column `c`, which holds these values. */
  async function holding(type: string, ...values: string[]): Promise<{ table: string; column: ColumnFacts }> {
    const table = `c${(tables += 1)}`;
    await say(`create table ${table} (n int primary key auto_increment, c ${type} null)`);
    for (const value of values) await say(`insert into ${table} (c) values (${value})`);
    const facts = await database.dialect.describeTable(database, table);
    return { table, column: facts!.columns.find(({ name }) => name === 'c')! };
  }
  const { dialect } = new MysqlDatabase({
    name: 's',
    url: 'mysql://localhost/x',
    scheme: 'mysql',
    maxConnections: 1,
    controlSchema: 'waybill',
  });
  async function within(table: string, column: ColumnFacts, from: string | null, to: string | null): Promise<string[]> {
    const where = composed(mysqlSql, (bind) => dialect.windowCondition(column, { from, to }, bind));
    const { rows } = await session.query<{ n: string }>(sql`select n from ${raw(table)} where ${where} order by n`);
    return rows.map(({ n }) => String(n));
  }

  test.each([
    ['bigint unsigned', '18446744073709551615', '18446744073709551616', '18446744073709551614'],
    ['bigint', '9223372036854775807', '9223372036854775808', '-9223372036854775808'],
    ['smallint', '32767', '32768', '1'],
    ['decimal(20,3)', '99999999999999999.999', '100000000000000000.000', '0.001'],
    ['decimal(10,0)', '9999999999', '10000000000', '-1'],
  ])('of %s ends one step behind the greatest, and takes all rows below', async (type, greatest, end, other) => {
    const { table, column } = await holding(type, greatest, other);
    expect(dialect.cursorKind(column)).toBe('number');
    const limits = { lagMs: 0, until: null };
    expect(await dialect.windowEnd(session, table, column, 'number', limits)).toBe(end);
    expect(await within(table, column, null, end)).toEqual(['1', '2']);
    expect(await within(table, column, greatest, end)).toEqual(['1']);
    expect(await within(table, column, null, greatest)).toEqual(['2']);
    expect(await dialect.windowEnd(session, table, column, 'number', { lagMs: 0, until: other })).toBe(other);
    await say(`delete from ${table}`);
    expect(await dialect.windowEnd(session, table, column, 'number', limits)).toBe(null);
  });

  test.each(['varchar(9)', 'double', 'float', 'time', 'year', 'json', 'bit(8)', "enum('a')"])(
    'cannot be of %s',
    async (type) => expect(dialect.cursorKind((await holding(type)).column)).toBe(undefined),
  );

  test.each([
    ['datetime', 'current_timestamp', 19],
    ['datetime(1)', 'current_timestamp(1)', 21],
    ['datetime(6)', 'current_timestamp(6)', 26],
    ['timestamp', 'current_timestamp', 19],
    ['timestamp(3)', 'current_timestamp(3)', 23],
    ['date', 'current_date', 10],
  ])('of %s ends no later than what a row gets that is inserted next', async (type, now, length) => {
    const { table, column } = await holding(type);
    expect(dialect.cursorKind(column)).toBe('time');
    for (let i = 0; i < 20; i += 1) {
      const end = await dialect.windowEnd(session, table, column, 'time', { lagMs: 0, until: null });
      expect(end).toHaveLength(length);
      await say(`insert into ${table} (c) values (${now})`);
      expect(await within(table, column, end, null)).toContain(String(i + 1));
    }
    const end = await dialect.windowEnd(session, table, column, 'time', { lagMs: 86_400_000, until: null });
    expect(await within(table, column, null, end)).toEqual([]);
    const until = type === 'date' ? '2001-01-01' : '2001-01-01 00:00:00';
    expect(await dialect.windowEnd(session, table, column, 'time', { lagMs: 0, until })).toContain(until);
  });

  test.each([
    ['bigint', '12', '12'],
    ['decimal(10,2)', '1.50', '1.50'],
    ['datetime(3)', '2024-03-31', '2024-03-31 00:00:00.000000'],
    ['timestamp', '2024-03-31T01:30:00Z', '2024-03-31 01:30:00.000000'],
    ['date', '2024-03-31', '2024-03-31'],
  ])('of %s takes %s as a start', async (type, written, value) => {
    expect(await dialect.cursorValue(session, (await holding(type)).column, written)).toBe(value);
  });
  test.each([
    ['bigint', 'twelve'],
    ['bigint', '12 dozen'],
    ['datetime', '2024-02-30'],
    ['date', 'yesterday'],
    ['timestamp', '10:00'],
  ])('of %s refuses %s as a start', async (type, written) => {
    const refused = dialect.cursorValue(session, (await holding(type)).column, written);
    await expect(refused).rejects.toThrow(written);
  });

  test('has its values put into its own order, equal ones together', async () => {
    const order = async (type: string, values: string[]) =>
      (await dialect.inCursorOrder(session, (await holding(type)).column, values)).map((group) => group.sort());
    expect(await order('bigint', ['10', '9', '10.0', '-1'])).toEqual([['-1'], ['9'], ['10', '10.0']]);
    expect(await order('bigint unsigned', ['18446744073709551616', '18446744073709551615'])).toEqual([
      ['18446744073709551615'],
      ['18446744073709551616'],
    ]);
    expect(await order('datetime(3)', ['2024-01-01 00:00:00.000', '2023-12-31 23:59:59.999', '2024-01-01'])).toEqual([
      ['2023-12-31 23:59:59.999'],
      ['2024-01-01', '2024-01-01 00:00:00.000'],
    ]);
  });

  test('that the server numbers goes on behind what was read, or says how to', async () => {
    const table = `c${(tables += 1)}`;
    await say(`create table ${table} (id bigint unsigned auto_increment primary key, x int) auto_increment = 7`);
    const [id, x] = (await database.dialect.describeTable(database, table))!.columns;
    const next = async () => BigInt((await dialect.numberingsOf(session, table, id!))[0]!.last!) + 1n;
    expect(await next()).toBe(7n);
    await say(`insert into ${table} (x) values (1), (2)`);
    expect(await next()).toBe(9n);
    await say(`truncate table ${table}`);
    await say(`insert into ${table} (x) values (1)`);
    const [numbering] = await dialect.numberingsOf(session, table, id!);
    expect(numbering).toMatchObject({ name: `AUTO_INCREMENT of ${table}`, step: '1', last: '1' });
    expect(numbering!.ahead).toBe(undefined);
    await say(numbering!.restartWith('9'));
    expect(await next()).toBe(9n);
    expect(await dialect.numberingsOf(session, table, x!)).toEqual([]);
  });

  test('lets the server say what it has against a statement, and where', async () => {
    const { table } = await holding('int');
    const complaint = (text: string) => dialect.checkStatement(database, text);
    expect(await complaint(`insert into ${table} (c) select ? from ${table} where c > ?`)).toBe(undefined);
    expect((await say(`select n from ${table}`)).rows).toEqual([]);
    expect(await complaint(`select x from ${table}`)).toMatchObject({ missing: true });
    expect(await complaint('select n from nowhere')).toMatchObject({ missing: true });
    const wrong = `select '🙂',\n  (select c frm ${table}) as n\nfrom ${table}`;
    const found = await complaint(wrong);
    expect(found).toMatchObject({ missing: false });
    expect([...wrong].slice(found!.position! - 1).join('')).toBe(`${table}) as n\nfrom ${table}`);
    const unfinished = `select n from ${table} where`;
    expect((await complaint(unfinished))!.position).toBe([...unfinished].length + 1);
    const long = `select n from ${table} wehre ${'c is null and '.repeat(20)} true`;
    expect([...long].slice((await complaint(long))!.position! - 1).join('')).toMatch(/^c is null/);
  });
});
