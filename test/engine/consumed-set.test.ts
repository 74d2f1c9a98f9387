/** A services load takes every published batch once: a set, however its own batches fail, and whatever is retracted. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { someServers } from '../every-server.ts';
import { land } from './breakable-orders.ts';
import { holdLatch, LATCHES, WAIT, waitsAtLatch } from './latch.ts';
import { expectSame, ORDERS, World } from './orders.ts';
import type { WorldOptions } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** core.order, and services.total that sums each of its batches by customer; it fails while core.switch says so. */
function TOTALS(n: number): WorldOptions {
  const orders = ORDERS(n);
  return {
    files: {
      ...orders.files,
      'loads/services/total.yaml': `
kind: services
connection: warehouse
consumes: [ core.order ]
stages:
  - name: totals
    sql: |
      insert into services.totals (customer, order_batch, n, amount, batch_id)
      select o.customer, o.batch_id, count(*), sum(o.amount) / (select ok from core.switch), :batch_id
      from {{ core.orders }} o group by o.customer, o.batch_id
outputs: [ services.totals ]
`,
    },
    warehouse: `${orders.warehouse}
      create schema services; ${LATCHES}
      create table services.totals (customer text, order_batch bigint, n bigint, amount numeric(20, 2), batch_id bigint);
      create table core.switch (ok int); insert into core.switch values (0);`,
  };
}

/** The totals are those of the published orders, each batch once, whoever brought it. */
async function expectTotals(world: World): Promise<void> {
  await expectSame(
    world,
    'select customer, batch_id as order_batch, count(*) as n, sum(amount) as amount from core.orders group by customer, batch_id',
    'select customer, order_batch, n, amount from services.totals',
    ['customer', 'order_batch', 'n', 'amount'],
  );
}

/** Which batches of core.order each batch of services.total consumes. */
async function consumed(world: World): Promise<Record<string, string[]>> {
  const sets: Record<string, string[]> = {};
  for (const { batch_id: batch, producer_batch_id: producer } of await world.rows<Record<string, string>>(
    `select batch_id, producer_batch_id from waybill.batch_input where via = 'consumes' order by batch_id, producer_batch_id`,
  )) {
    (sets[batch!] ??= []).push(producer!);
  }
  return sets;
}

/** As `waybill retract` will leave a batch. */
const retract = (world: World, batch: number) =>
  world.warehouse.query(`delete from core.orders where batch_id = ${batch};
                         update waybill.batch set state = 'retracted' where batch_id = ${batch}`);

describe.each(someServers(import.meta.url))('a services load on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('that failed takes the same set again, less what was retracted; what was published since waits', async () => {
    world = await World.create(server, TOTALS(200));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    for (const id of [9001, 9002]) {
      await land(world, id);
      expect(await world.run('core.order')).toMatchObject({ ok: true });
    }
    expect(await world.run('services.total')).toMatchObject({ ok: false, type: 'Database' }); // batch 4: 1, 2, 3
    await land(world, 9003);
    expect(await world.run('core.order')).toMatchObject({ ok: true }); // batch 5
    expect(await world.run('services.total')).toMatchObject({ ok: false }); // batch 6
    await retract(world, 2);
    expect(await world.value('select count(*) from services.totals')).toBe('0');
    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run('services.total')).toMatchObject({ ok: true, result: { batch: { batchId: '7' } } });
    expect(await world.run('services.total')).toMatchObject({ ok: true, result: { batch: { batchId: '8' } } });
    expect(await world.run('services.total')).toMatchObject({
      ok: true,
      result: { status: 'nothing', reason: 'every published batch of core.order has been consumed' },
    });
    await expectTotals(world);
    expect(await consumed(world)).toEqual({ 4: ['1', '2', '3'], 6: ['1', '2', '3'], 7: ['1', '3'], 8: ['5'] });
    expect(
      await world.rows(
        `select batch_id, reprocess_of from waybill.batch where load_name = 'services.total' order by 1`,
      ),
    ).toEqual([
      { batch_id: '4', reprocess_of: null },
      { batch_id: '6', reprocess_of: '4' },
      { batch_id: '7', reprocess_of: '6' },
      { batch_id: '8', reprocess_of: null },
    ]);
  });

  test('whose whole set was retracted goes on with what is published now, or has nothing to do', async () => {
    world = await World.create(server, TOTALS(50));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.run('services.total')).toMatchObject({ ok: false });
    await retract(world, 1);
    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run('services.total')).toMatchObject({ ok: true, result: { status: 'nothing' } });
    await land(world, 9001);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.run('services.total')).toMatchObject({ ok: true, result: { status: 'finished' } });
    await expectTotals(world);
  });

  test('finds batches that were published out of order: an older one that comes later is not passed over', async () => {
    world = await World.create(server, TOTALS(50));
    await world.warehouse.query('update core.switch set ok = 1');
    await world.worker();
    for (const id of [9001, 9002, 9003]) {
      await land(world, id);
      expect(await world.run('core.order')).toMatchObject({ ok: true });
    }
    await world.warehouse.query(`update waybill.batch set state = 'running' where batch_id = 2`);
    expect(await world.run('services.total')).toMatchObject({ ok: true });
    await world.warehouse.query(`update waybill.batch set state = 'published' where batch_id = 2`);
    expect(await world.run('services.total')).toMatchObject({ ok: true });
    await expectTotals(world);
    expect(await consumed(world)).toEqual({ 4: ['1', '3'], 5: ['2'] });
  });

  test('is not published when what it consumed was retracted under it', async () => {
    const options = TOTALS(50);
    world = await World.create(server, {
      ...options,
      files: {
        ...options.files,
        'loads/services/total.yaml': `${options.files['loads/services/total.yaml']!}
before: "${WAIT(1)}"`,
      },
    });
    await world.warehouse.query('update core.switch set ok = 1');
    const letGo = await holdLatch(world, 1);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    const totals = world.run('services.total');
    await waitsAtLatch(world);
    await retract(world, 1);
    await letGo();
    const failed = await totals;
    expect(failed).toMatchObject({ ok: false, type: 'LoadFailed' });
    expect(!failed.ok && failed.message).toBe('what this batch was made from is no longer published: core.order 1');
    expect(await world.states('services.total')).toEqual(['failed']);
    await expectTotals(world);
  });
});
