import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection, type Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { OpenTransaction } from '../../../src/database/cursor-dialect.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import type { MysqlSession } from '../../../src/database/mysql/session.ts';
import { freePort } from '../../../src/dev/free-port.ts';
import { startMysql, type MysqlServer } from '../../../src/dev/mysql-server.ts';
import { describeOn, ownServers } from '../../mysql-servers.ts';

/** A member of a group keeps these from its start on; it needs no second member. */
const ofGroup = (port: number): Record<string, string> => ({
  'server-id': '1',
  'skip-log-bin': 'OFF',
  'log-bin': 'binlog',
  'gtid-mode': 'ON',
  'enforce-gtid-consistency': 'ON',
  'plugin-load-add': 'group_replication.so',
  'group-replication-group-name': 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa',
  'group-replication-start-on-boot': 'OFF',
  'group-replication-bootstrap-group': 'ON',
  'group-replication-local-address': `127.0.0.1:${port}`,
});

describeOn(await ownServers(), 'a source whose rows come from other servers, on a $name of its own', ({ flavour }) => {
  let server: MysqlServer;
  let database: MysqlDatabase;
  let session: MysqlSession | undefined;
  let admin: Connection;
  const isMysql = flavour === 'MySQL';

  beforeAll(async () => {
    // Without performance_schema there is only the list of statements that an emoji keeps from being read.
    const settings: Record<string, string> = isMysql
      ? { ...ofGroup(await freePort()), 'performance-schema': 'OFF', 'event-scheduler': 'ON' }
      : {};
    server = await startMysql({ flavour, settings });
    admin = await client('');
    await admin.query('create database s');
    await admin.query('create table s.item (id int auto_increment primary key)');
    const url = server.url('s');
    database = new MysqlDatabase({ name: 's', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
  });
  afterEach(() => session?.close());
  afterAll(async () => {
    await database.close();
    admin.destroy();
    await server.stop();
  });

  async function client(schema = 's'): Promise<Connection> {
    return createConnection(server.url(schema).replace('mariadb:', 'mysql:'));
  }
  async function isStandby(): Promise<boolean> {
    session = await database.openSession('waybill read item');
    await session.begin({ readOnly: true });
    return database.dialect.isStandby(session);
  }

  if (isMysql) {
    const look = async (of?: OpenTransaction[]) => {
      const own = await database.openSession('waybill read item');
      try {
        return await database.dialect.openTransactions(own, of);
      } finally {
        await own.close();
      }
    };

    test('is the primary of a group: the threads of the group are no statements, an event that waits for a table is one', async () => {
      await admin.query('start group_replication');
      expect(await isStandby()).toBe(false);
      expect(await look()).toEqual([]);
      const locker = await client();
      await locker.query('lock tables item write');
      await admin.query('create event s.late on schedule at now() do insert into s.item () values ()');
      await expect.poll(() => look(), { timeout: 5_000 }).toMatchObject([{ what: 'statement' }]);
      locker.destroy();
      await expect.poll(() => look()).toEqual([]);
    });

    test('whose statements cannot be listed either, without performance_schema and with an emoji: who is open is waited for later', async () => {
      const [writer, smiler] = [await client(), await client()];
      await writer.query('begin');
      await writer.query('insert into item () values ()');
      await admin.query("select get_lock('smile', 0)");
      const smile = smiler.query("select '\u{1F600}', get_lock('smile', 60)");
      await expect.poll(() => look(), { timeout: 5_000 }).toMatchObject([{ what: 'unlisted', connectionId: '0' }]);
      const open = await look();
      expect(await isStandby()).toBe(false);
      await session!.commit();
      expect(await look(open)).toEqual(open);
      await admin.query("select release_lock('smile')");
      await smile;
      expect(await look(open)).toMatchObject([{ what: 'transaction', connectionId: String(writer.threadId) }]);
      for (const one of [writer, smiler]) one.destroy();
    });

    test('is the secondary of a group, whose transactions are open on the primary: a standby', async () => {
      await admin.query('set global super_read_only = on'); // as a group does
      expect(await isStandby()).toBe(true);
      await admin.query('set global super_read_only = off');
      await admin.query('set global read_only = off');
    });
  }

  test('is read only by choice, and no standby', async () => {
    await admin.query('set global read_only = on');
    expect(await isStandby()).toBe(false);
    await admin.query('set global read_only = off');
  });

  if (!isMysql) {
    test('is a replica by a connection that has a name, running or not: a standby', async () => {
      await admin.query("change master 'branch' to master_host = 'nowhere'");
      expect(await isStandby()).toBe(true);
      await admin.query("reset slave 'branch' all");
    });

    test('shares the files of another server, as InnoDB being read only tells: a standby', async () => {
      const dataDirectory = await mkdtemp(join(tmpdir(), 'waybill-shared-'));
      await (await startMysql({ flavour, dataDirectory })).stop();
      const reader = await startMysql({ flavour, dataDirectory, settings: { 'innodb-read-only': 'ON' } });
      const url = reader.url();
      const other = new MysqlDatabase({ name: 'r', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
      session = await other.openSession('waybill read item');
      try {
        expect(await other.dialect.isStandby(session)).toBe(true);
      } finally {
        await session.close();
        await other.close();
        await reader.stop();
        await rm(dataDirectory, { recursive: true });
      }
    });
  }
});
