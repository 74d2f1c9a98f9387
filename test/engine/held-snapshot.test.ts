/** DESIGN §3, "Restart rules": what somebody did to the snapshot of a batch while that was held, and what `run --resume` makes of it. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { servers } from '../servers.ts';
import { BREAKABLE, done, mend } from './breakable-orders.ts';
import { expectWhole, ORDERS, SLOW_SQL, World, type OrdersOptions } from './orders.ts';
import { ended, until, type WorldOptions } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const HOLD = 'on_failure: hold';
const RESUME = { load: 'core.order', resume: true };
const START_ANEW =
  'start it without --resume: what it did is rolled back, and done anew over the same snapshot. waybill run core.order';
const RUN_RESUME =
  'waybill run core.order --resume goes on in this batch, by the SQL that it has, once the cause is gone; without --resume it starts anew';

const SQL = `
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2 / (case when o.id = (select broken from core.settings) then 0 else 1 end), :batch_id
from {{ acq.orders }} o`;

/** Every third row of the landing table is dead, so that a rewrite moves the others. */
const gappy = (options: WorldOptions): WorldOptions => ({
  ...options,
  warehouse: `${options.warehouse} delete from acq.orders where id % 3 = 0; delete from kept.orders where id % 3 = 0;`,
});

/** What the ledger has of the chunks. */
const chunks = (world: World) =>
  world.rows<{ state: string }>(
    'select n, state, attempts, finished_at from waybill.chunk where batch_id = 1 order by n',
  );

async function held(server: Parameters<typeof World.create>[0], options: OrdersOptions & { broken: number }) {
  const world = await World.create(server, gappy(BREAKABLE(3000, { sql: SQL, ...options, lanes: 1, yaml: HOLD })));
  await world.worker();
  expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database', next: RUN_RESUME });
  expect(await world.states('core.order')).toEqual(['held']);
  await mend(world);
  return world;
}

// Pages are PostgreSQL's; where keys cut it a rewrite changes nothing.
describe.each(servers)('a snapshot that VACUUM FULL has rewritten while its batch was held, on $name', (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let world: World;
  afterEach(() => world.close());

  it('is gone on with where keys cut it: what is done stays done', async () => {
    world = await held(server, { broken: 1550 });
    const before = (await chunks(world)).filter(({ state }) => state === 'done');
    expect(before.length).toBeGreaterThan(5);
    await world.warehouse.query('vacuum full acq.orders_processing');
    expect(await world.run(RESUME)).toMatchObject({ ok: true, result: { batch: { batchId: '1' }, rowsWritten: 2000 } });
    await expectWhole(world);
    expect((await chunks(world)).slice(0, before.length)).toEqual(before);
  });

  it('is gone on with where pages cut it and none of them is done', async () => {
    world = await held(server, { byKey: false, broken: 1 });
    expect(await done(world)).toBe(0);
    await world.warehouse.query('vacuum full acq.orders_processing');
    expect(await world.run(RESUME)).toMatchObject({ ok: true, result: { batch: { batchId: '1' }, rowsWritten: 2000 } });
    await expectWhole(world);
  });

  it('is refused at the start where some of its pages are done, and a plain start does it anew', async () => {
    world = await held(server, { byKey: false, broken: 1550 });
    expect(await done(world)).toBeGreaterThan(1);
    const before = await chunks(world);
    await world.warehouse.query('vacuum full acq.orders_processing');
    expect(await world.run(RESUME)).toMatchObject({
      ok: false,
      type: 'Refused',
      message:
        'batch 1 cannot be resumed: acq.orders_processing was rewritten (VACUUM FULL, CLUSTER) when stage orders had read ' +
        'a part of it by its pages, and its rows are not where they were',
      where: 'load core.order, batch 1',
      next: START_ANEW,
    });
    expect(await world.states('core.order')).toEqual(['held']);
    expect(await chunks(world)).toEqual(before);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
  });

  it('in the middle of a load: nobody is told to resume what cannot be resumed', async () => {
    world = await World.create(server, gappy(ORDERS(3000, { sql: SLOW_SQL(0.1), lanes: 1, yaml: HOLD })));
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 1, 90);
    await world.warehouse.query('vacuum full acq.orders_processing');
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Database', next: START_ANEW });
    expect(await world.states('core.order')).toEqual(['held']);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
    await expectWhole(world);
  });
});

describe.each(oneOfEachFamily(import.meta.url))('the snapshot of a held batch on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  const EMPTY = {
    postgres: `begin; alter table acq.orders_processing disable trigger all; truncate acq.orders_processing;
               commit`,
    mysql: 'truncate acq.orders_processing',
  };

  test('that is gone, or is another table, is refused at the start; put back, the batch goes on', async () => {
    world = await held(server, { broken: 1550 });
    const before = await chunks(world);
    const refused = async (message: string) => {
      expect(await world.run(RESUME)).toMatchObject({
        ok: false,
        type: 'Refused',
        message: `batch 1 cannot be resumed: acq.orders_processing${message}`,
        where: 'load core.order, batch 1',
        next: expect.stringMatching(/ and resume; or start it without --resume, which rolls the batch back/) as string,
      });
      expect(await world.states('core.order')).toEqual(['held']);
    };
    await world.warehouse.query('alter table acq.orders_processing rename to orders_aside');
    await refused(', its snapshot, is gone');
    await world.warehouse.query('create table acq.orders_processing as table kept.orders');
    await refused(' is not the table that it took as its snapshot');
    await world.warehouse.query(
      'drop table acq.orders_processing; alter table acq.orders_aside rename to orders_processing',
    );
    expect(await chunks(world)).toEqual(before);
    expect(await world.run(RESUME)).toMatchObject({ ok: true, result: { batch: { batchId: '1' }, rowsWritten: 2000 } });
    await expectWhole(world);
  });

  test('that was emptied is refused at the start', async () => {
    world = await held(server, { broken: 1550 });
    const before = await chunks(world);
    await world.warehouse.query(EMPTY[world.words.family]);
    expect(await world.run(RESUME)).toMatchObject({
      ok: false,
      type: 'Refused',
      message:
        'batch 1 cannot be resumed: acq.orders_processing, its snapshot, was rewritten since, and holds no row: ' +
        'it looks as if somebody had emptied it',
    });
    expect(await world.states('core.order')).toEqual(['held']);
    expect(await chunks(world)).toEqual(before);
  });
});
