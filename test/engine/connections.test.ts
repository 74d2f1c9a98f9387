/** No connection is to be had: the server gives no more, or other loads of the worker have them all. */
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { setLanesUpdate } from '../../src/workflows/messages.ts';
import { servers } from '../servers.ts';
import { expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import { asleep } from './moments.ts';
import { ended, until, type WorldOptions } from './world.ts';

const some = async (world: World): Promise<boolean> =>
  Number(await world.value(`select count(*) from waybill.chunk where state = 'done'`)) > 2;

describe.each(servers)('where $name gives the role no more connections', { timeout: 180_000 }, (server) => {
  let world: World;
  let role: string;
  afterEach(async () => {
    await world.close();
    // The world's database, and with it all that the role owned, is gone; the role belongs to the server.
    const superuser = await World.create(server, { files: {} });
    await superuser.warehouse.query(`drop role if exists ${role}`);
    await superuser.close();
  });

  /** A worker whose role may have as many connections at once. */
  async function workAs(connections: number): Promise<void> {
    role = `t_${process.pid}_${randomBytes(5).toString('hex')}`;
    await world.warehouse.query(`
      create role ${role} login password 'secret' connection limit ${connections};
      do $$ begin execute format('grant create on database %I to ${role}', current_database()); end $$;
      grant all on schema acq, core, kept to ${role};
      alter table acq.orders owner to ${role}; alter table core.orders owner to ${role}`);
    const url = new URL(world.env['WAREHOUSE_URL']!);
    url.username = role;
    url.password = 'secret';
    await world.worker({ env: { ...world.env, WAREHOUSE_URL: url.href } });
  }

  /** All at once: lanes, control connections, whatever comes. */
  async function shut(): Promise<void> {
    await world.warehouse.query(`alter role ${role} connection limit 0`);
    await world.warehouse.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [role]);
  }
  const open = (): Promise<unknown> => world.warehouse.query(`alter role ${role} connection limit 20`);
  const connected = async (): Promise<number> =>
    Number(await world.value('select count(*) from pg_stat_activity where usename = $1', [role]));
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
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
    expect(await world.states('core.order')).toEqual(['cancelled']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
    await expectWhole(world);
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
});

/** Three loads like `ORDERS`, and a worker with one connection for all their lanes. */
function THREE_LOADS(): WorldOptions {
  const loads = ['a', 'b', 'c'];
  return {
    files: {
      'waybill.yaml': `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 3 } }
defaults: { lanes: 1 }`,
      ...Object.fromEntries(
        loads.map((load) => [
          `loads/core/${load}.yaml`,
          `
kind: core
connection: warehouse
inputs: [ { table: acq.${load}, external: true } ]
stages:
  - name: all
    sql: |
      select pg_sleep(pause) from core.pause where load = '${load}';
      insert into core.${load} select o.id, :batch_id from {{ acq.${load} }} o
    chunk: { input: acq.${load}, rows: 100, key: id }
outputs: [ core.${load} ]`,
        ]),
      ),
    },
    warehouse: `
      create schema acq; create schema core;
      create table core.pause (load text, pause float8);
      ${loads
        .map(
          (load) => `
      insert into core.pause values ('${load}', 0.1);
      create table acq.${load} (id bigint primary key);
      create table core.${load} (id bigint, batch_id bigint not null);
      insert into acq.${load} select generate_series(1, 1000);`,
        )
        .join('')}`,
  };
}

describe.each(servers)('several loads that share one connection to $name', { timeout: 180_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const ids = (load: string): Promise<unknown> =>
    world.rows(`select count(*), count(distinct id), min(id), max(id) from core.${load}`);
  const ALL = [{ count: '1000', min: '1', max: '1000' }];

  test('all come to their end, however many lanes they are told to have', async () => {
    world = await World.create(server, THREE_LOADS());
    await world.worker();
    const handles = await Promise.all(['core.a', 'core.b', 'core.c'].map((load) => world.start(load)));
    await handles[1]!.executeUpdate(setLanesUpdate, { args: [8] });
    let most = 0;
    const lanes = `select count(*) from pg_stat_activity
                   where datname = current_database() and application_name like 'waybill % lane %'`;
    await until(async () => {
      most = Math.max(most, Number(await world.value(lanes)));
      return (await world.value(`select count(*) from waybill.batch where state = 'published'`)) === '3';
    }, 120);
    expect(most).toBe(1);
    for (const handle of handles) expect(await ended(handle)).toMatchObject({ ok: true, result: { chunks: 10 } });
    for (const load of ['a', 'b', 'c']) expect(await ids(load)).toMatchObject(ALL);
  });

  test('do not keep a fence out: one that has the connection and one that waits for it are cancelled at once', async () => {
    world = await World.create(server, THREE_LOADS());
    await world.worker();
    await world.warehouse.query('update core.pause set pause = 1.5');
    const names = ['a', 'b', 'c'];
    const handles = await Promise.all(names.map((load) => world.start(`core.${load}`)));
    await until(
      async () => (await world.value('select count(*) from waybill.stage where planned_chunks > 0')) === '3',
      90,
    );
    // Whoever has the connection next keeps it for two minutes.
    await world.warehouse.query('update core.pause set pause = 120');
    const holder = await until(async () => {
      const load = await world.value(`
        select b.load_name from waybill.batch b, pg_stat_activity a
        where a.datname = current_database() and a.application_name = 'waybill ' || b.batch_id || ' all lane 1'
          and a.wait_event = 'PgSleep' and a.query_start < clock_timestamp() - interval '3 seconds'`);
      return (load as string | undefined)?.slice('core.'.length);
    }, 90);
    await world.warehouse.query('update core.pause set pause = 0');
    const [waiting, third] = names.filter((load) => load !== holder);
    const handle = (load: string | undefined) => handles[names.indexOf(load!)]!;

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
      expect(await world.value(`select count(*) from core.${load}`)).toBe('0');
      expect(await world.run(`core.${load}`)).toMatchObject({ ok: true, result: { chunks: 10 } });
      expect(await ids(load)).toMatchObject(ALL);
    }
  });
});
