import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { startMysql, type MysqlServer } from '../../../src/dev/mysql-server.ts';
import { describeOn, mysqlServers } from '../../mysql-servers.ts';

describeOn(await mysqlServers(), 'the clock of a server with a time zone of its own on $name', ({ flavour }) => {
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
});
