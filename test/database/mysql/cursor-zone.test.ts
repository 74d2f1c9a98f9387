import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { startMysql, type MysqlServer } from '../../../src/dev/mysql-server.ts';
import { describeOn, ownServers } from '../../mysql-servers.ts';

describeOn(await ownServers(), 'the clock of a server with a time zone of its own on $name', ({ flavour }) => {
  let own: MysqlServer;
  let database: MysqlDatabase;
  beforeAll(async () => {
    own = await startMysql({ flavour, settings: { 'default-time-zone': '-05:00' } });
    const url = own.url('mysql').replace('mariadb:', 'mysql:');
    database = new MysqlDatabase({ name: 's', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
  });
  afterAll(async () => {
    await database.close();
    await own.stop();
  });

  test.each(['datetime(6)', 'timestamp(6)', 'date'])('ends a window of %s where its writers are', async (type) => {
    const writer = await createConnection(own.url('mysql').replace('mariadb:', 'mysql:'));
    const session = await database.openSession('waybill read item');
    try {
      await writer.query('drop table if exists item');
      await writer.query(`create table item (at ${type} null)`);
      const column = (await database.dialect.describeTable(database, 'item'))!.columns[0]!;
      const end = async (lagMs: number) =>
        database.dialect.windowEnd(session, 'item', column, 'time', { lagMs, until: null });
      const [before, now] = [await end(86_400_000), await end(0)];
      await writer.query('insert into item values (now(6))'); // in the zone that every session has by default
      const { rows } = await session.query<{ at: string }>({
        strings: ['select cast(at as char) as at from item'],
        values: [],
      });
      expect(rows[0]!.at >= now!).toBe(true);
      expect(rows[0]!.at > before!).toBe(true);
      if (type !== 'date') expect(Date.parse(`${rows[0]!.at}Z`) - Date.parse(`${now!}Z`)).toBeLessThan(60_000);
    } finally {
      await session.close();
      await writer.end();
    }
  });

  test('ends a window of a zone whose clock will go back for some weeks where it will be then', async () => {
    const writer = await createConnection(own.url('mysql').replace('mariadb:', 'mysql:'));
    // An hour ahead of UTC, but for five weeks from two months on: as in Morocco at the end of November.
    await writer.query("insert into mysql.time_zone (time_zone_id, use_leap_seconds) values (9999, 'N')");
    await writer.query("insert into mysql.time_zone_name (name, time_zone_id) values ('Test/Weeks', 9999)");
    await writer.query(
      `insert into mysql.time_zone_transition_type values (9999, 0, 3600, 0, 'A'), (9999, 1, 0, 1, 'B')`,
    );
    await writer.query(`insert into mysql.time_zone_transition values (9999, 0, 0),
      (9999, unix_timestamp() + 60 * 86400, 1), (9999, unix_timestamp() + 95 * 86400, 0)`);
    await writer.query("set global time_zone = 'Test/Weeks'");
    const session = await database.openSession('waybill read item');
    try {
      await writer.query('create table weeks (at datetime(6) null)');
      const [column] = (await database.dialect.describeTable(database, 'weeks'))!.columns;
      const end = await database.dialect.windowEnd(session, 'weeks', column!, 'time', { lagMs: 0, until: null });
      const [rows] = await writer.query<RowDataPacket[]>('select cast(utc_timestamp(6) as char) as utc');
      const ahead = Date.parse(`${end}Z`) - Date.parse(`${(rows[0] as { utc: string }).utc}Z`);
      expect(ahead).toBeLessThanOrEqual(0);
      expect(ahead).toBeGreaterThan(-1_800_000);
    } finally {
      await writer.query("set global time_zone = '-05:00'");
      await session.close();
      await writer.end();
    }
  });

  test.each([
    { type: 'timestamp(6)', begins: '2026-01-01 07:00' }, // an instant, and the value is of UTC
    { type: 'datetime(6)', begins: '2026-01-01 12:00' },
  ])('takes a value of $type that a person wrote for the time that it is to a session in UTC', async (one) => {
    const writer = await createConnection(own.url('mysql').replace('mariadb:', 'mysql:'));
    const session = await database.openSession('waybill read since');
    try {
      await writer.query('drop table if exists since');
      await writer.query(`create table since (at ${one.type} null)`);
      await writer.query(`insert into since values ('${one.begins}'), ('${one.begins}' - interval 1 microsecond)`);
      const { dialect } = database;
      const column = (await dialect.describeTable(database, 'since'))!.columns[0]!;
      const from = await dialect.cursorValue(session, column, '2026-01-01 12:00');
      const where = dialect.windowCondition(column, { from, to: null }, (value) => `'${String(value)}'`);
      const { rows } = await session.query({ strings: [`select count(*) as n from since where ${where}`], values: [] });
      expect(rows).toEqual([{ n: '1' }]);
    } finally {
      await session.close();
      await writer.end();
    }
  });
});
