/** No connection is to be had: the server gives no more, or other loads of the worker have them all. */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { setLanesUpdate } from '../../src/workflows/message-definitions.ts';
import { someServers } from '../every-server.ts';
import { expectCancelled, expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import { asleep } from './moments.ts';
import type { ServerWords } from './server-words.ts';
import { openTestClient, type TestClient } from './test-client.ts';
import { ALL, idsOf, startThree, THREE_LOADS } from './three-loads.ts';
import { ended, until } from './world.ts';

const some = async (world: World): Promise<boolean> =>
  Number(await world.value(`select count(*) from waybill.chunk where state = 'done'`)) > 2;

/** An account that may have so many connections at once, and all of Waybill's rights here. */
interface Account {
  make(role: string, connections: number): string;
  limit(role: string, connections: number): string;
  /** Its connections, in the column `id`. */
  connected(role: string): string;
  drop(role: string): string;
}

const ACCOUNT: Record<ServerWords['family'], Account> = {
  postgres: {
    make: (role, connections) => `
      create role ${role} login password 'secret' connection limit ${connections};
      do $$ begin execute format('grant create on database %I to ${role}', current_database()); end $$;
      grant all on schema acq, core, kept to ${role};
      alter table acq.orders owner to ${role}; alter table core.orders owner to ${role}`,
    limit: (role, connections) => `alter role ${role} connection limit ${connections}`,
    connected: (role) => `select pid as id from pg_stat_activity where usename = '${role}'`,
    drop: (role) => `drop role if exists ${role}`,
  },
  mysql: {
    make: (role, connections) => `
      create user ${role} identified by 'secret' with max_user_connections ${connections};
      grant all on *.* to ${role}`,
    limit: (role, connections) => `alter user ${role} with max_user_connections ${connections}`,
    connected: (role) => `select id from information_schema.processlist where user = '${role}'`,
    drop: (role) => `drop user if exists ${role}`,
  },
};

describe.each(someServers(import.meta.url))(
  'where $name gives the role no more connections',
  { timeout: 180_000 },
  (server) => {
    let world: World;
    let role: string;
    let account: Account;
    /** The one connection that the role has while it is shut out: no limit of 0 means none on MySQL and MariaDB. */
    let own: TestClient | undefined;
    afterEach(async () => {
      await own?.end();
      own = undefined;
      await world.close();
      // The world's database, and with it all that the role owned, is gone; the role belongs to the server.
      const superuser = await World.create(server, { files: {} });
      await superuser.warehouse.query(account.drop(role));
      await superuser.close();
    });

    /** A worker whose role may have as many connections at once. */
    async function workAs(connections: number): Promise<void> {
      role = `t_${process.pid}_${randomBytes(5).toString('hex')}`;
      account = ACCOUNT[world.words.family];
      await world.warehouse.query(account.make(role, connections));
      await world.worker({ env: { ...world.env, WAREHOUSE_URL: asRole() } });
    }

    function asRole(): string {
      const url = new URL(world.env['WAREHOUSE_URL']!);
      url.username = role;
      url.password = 'secret';
      return url.href;
    }

    /** All at once: lanes, control connections, whatever comes. */
    async function shut(): Promise<void> {
      own = await openTestClient(asRole(), world.names);
      const [{ id }] = (await own.query<{ id: string }>(world.words.self)).rows as [{ id: string }];
      await world.warehouse.query(account.limit(role, 1));
      await world.end(`select id from (${account.connected(role)}) r where id <> ${id}`);
    }
    async function open(): Promise<void> {
      await own?.end();
      own = undefined;
      await world.warehouse.query(account.limit(role, 20));
    }
    const connected = async (): Promise<number> => (await world.count(account.connected(role))) - (own ? 1 : 0);
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

    test('for a while: a load goes on where it was when it gets some again, and no attempt is lost by the wait', async () => {
      world = await World.create(server, ORDERS(2000, { byKey: true, sql: SLOW_SQL(0.2) }));
      await workAs(20);
      const handle = await world.start('core.order');
      await until(() => some(world));
      await shut();
      await until(async () => (await connected()) === 0);
      const done = await world.value(`select count(*) from waybill.chunk where state = 'done'`);
      await sleep(8000);
      expect(await world.value(`select count(*) from waybill.chunk where state = 'done'`)).toBe(done);
      await open();
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 2000, chunks: 20 } });
      await expectWhole(world);
      expect(await world.value('select max(attempts) from waybill.chunk')).toBeLessThan(3);
    });

    test('for a while, just as a load is cancelled: it is fenced and rolled back when it gets some again', async () => {
      world = await World.create(server, ORDERS(2000, { byKey: true, sql: SLOW_SQL(0.2) }));
      await workAs(20);
      const handle = await world.start('core.order');
      await until(() => some(world));
      await shut();
      await handle.cancel();
      await sleep(8000);
      expect(await world.states('core.order')).toEqual(['running']);
      await open();
      await expectCancelled(world, handle, 2000);
    });

    test('than lanes and control take: a fence gets in all the same', async () => {
      world = await World.create(server, ORDERS(2000, { byKey: true, lanes: 4, sql: SLOW_SQL(120) }));
      await workAs(6);
      const handle = await world.start('core.order');
      await until(async () => (await connected()) === 6 && (await asleep(world)) === 4, 90);
      const began = Date.now();
      await handle.cancel();
      expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
      expect(Date.now() - began).toBeLessThan(40_000); // a chunk would take two minutes
      expect(await world.states('core.order')).toEqual(['cancelled']);
    });

    test('than some of the lanes want: the others do their work', async () => {
      world = await World.create(server, ORDERS(2000, { byKey: true, lanes: 8, sql: SLOW_SQL(0.1) }));
      await workAs(5);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000, chunks: 20 } });
      await expectWhole(world);
      expect(await world.value('select max(attempts) from waybill.chunk')).toBe(0);
    });
  },
);

describe.each(someServers(import.meta.url))(
  'several loads that share one connection to $name',
  { timeout: 180_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    const ids = (load: string): Promise<unknown> => idsOf(world, load);

    test('all come to their end, however many lanes they are told to have', async () => {
      world = await World.create(server, THREE_LOADS());
      await world.worker();
      const handles = await Promise.all(['core.a', 'core.b', 'core.c'].map((load) => world.start(load)));
      await handles[1]!.executeUpdate(setLanesUpdate, { args: [8] });
      let most = 0;
      await until(async () => {
        most = Math.max(most, await world.count(world.words.lanes));
        return (await world.value(`select count(*) from waybill.batch where state = 'published'`)) === '3';
      }, 120);
      expect(most).toBe(1);
      for (const handle of handles) expect(await ended(handle)).toMatchObject({ ok: true, result: { chunks: 10 } });
      for (const load of ['a', 'b', 'c']) expect(await ids(load)).toMatchObject(ALL);
    });

    test('are not kept by a start that waits for a table which somebody has to himself', async () => {
      world = await World.create(server, THREE_LOADS());
      await world.worker();
      const holder = await world.another('warehouse');
      const [hold, letGo] =
        world.words.family === 'postgres'
          ? ['begin; lock table acq.a', 'commit']
          : ['lock tables acq.a write', 'unlock tables'];
      await holder.query(hold);
      const waiting = await world.start('core.a');
      await pause(2_000);
      expect(await world.run('core.b')).toMatchObject({ ok: true, result: { chunks: 10 } });
      await holder.query(letGo);
      expect(await ended(waiting)).toMatchObject({ ok: true, result: { chunks: 10 } });
      for (const load of ['a', 'b']) expect(await ids(load)).toMatchObject(ALL);
    });

    test('are not kept by a drop that waits for whoever reads the snapshot', async () => {
      world = await World.create(server, THREE_LOADS());
      await world.worker();
      const reader = await world.another('warehouse');
      await world.warehouse.query('update core.pause set pause = 1');
      const dropping = await world.start('core.a');
      await until(async () =>
        (await world.value('select count(*) from waybill.snapshot')) === '1' ? true : undefined,
      );
      await reader.query('begin');
      await reader.query('select count(*) from acq.a_processing');
      await world.warehouse.query('update core.pause set pause = 0');
      await until(async () => ((await world.states('core.a'))[0] === 'published' ? true : undefined), 90);
      await pause(1_000);
      expect(await world.run('core.b')).toMatchObject({ ok: true, result: { chunks: 10 } });
      await reader.query('commit');
      expect(await ended(dropping)).toMatchObject({ ok: true, result: { chunks: 10 } });
      for (const load of ['a', 'b']) expect(await ids(load)).toMatchObject(ALL);
    });

    test('do not keep a fence out: one that has the connection and one that waits for it are cancelled at once', async () => {
      world = await World.create(server, THREE_LOADS());
      await world.worker();
      const { handle, holder, waiting, third } = await startThree(world);

      const began = Date.now();
      await handle(waiting).cancel();
      await handle(holder).cancel();
      expect(await ended(handle(holder))).toMatchObject({ ok: false, type: 'Canceled' });
      expect(await ended(handle(waiting))).toMatchObject({ ok: false, type: 'Canceled' });
      expect(await ended(handle(third))).toMatchObject({ ok: true });
      expect(Date.now() - began).toBeLessThan(60_000); // the holder's chunk would take two minutes
      expect(await ids(third!)).toMatchObject(ALL);
      for (const load of [holder, waiting!]) {
        expect(await world.states(`core.${load}`)).toEqual(['cancelled']);
        expect(await world.value(`select count(*) from core.${load}_ids`)).toBe('0');
        expect(await world.run(`core.${load}`)).toMatchObject({ ok: true, result: { chunks: 10 } });
        expect(await ids(load)).toMatchObject(ALL);
      }
    });
  },
);
