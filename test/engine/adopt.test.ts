/** Cut-over: another tool left its unfinished snapshot behind. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { servers } from '../servers.ts';
import { batches, BREAKABLE, exists, land, mend } from './breakable-orders.ts';
import { expectWhole, ORDERS, World } from './orders.ts';

vi.setConfig({ testTimeout: 180_000 });

/** What the seed documents' tool does: renames the landing table, makes another of its name; then it was switched off. */
const CUT_OVER = `
  alter table acq.orders rename to orders_processing;
  create table acq.orders (like acq.orders_processing including all);`;

describe.each(servers)('a snapshot of another tool on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('is refused, naming it, until --adopt takes it over; what landed since waits for the next load', async () => {
    world = await World.create(server, ORDERS(500));
    // The other tool had loaded ten of them, under an id of its own, and those rows are its business.
    await world.warehouse.query(`${CUT_OVER} insert into core.orders select 0, 'older', 0, 7000`);
    await land(world, 9001);
    await world.worker();
    for (const force of [false, true]) {
      const refused = await world.run({ load: 'core.order', force });
      expect(refused).toMatchObject({
        ok: false,
        type: 'Refused',
        message: 'acq.orders_processing exists, but no batch of core.order made it',
        where: 'load core.order, input acq.orders',
      });
      expect(!refused.ok && refused.next).toMatch(/waybill run core.order --adopt/);
    }
    expect(await world.states('core.order')).toEqual([]);
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('500');

    expect(await world.run({ load: 'core.order', adopt: true, requestedBy: 'mary' })).toMatchObject({
      ok: true,
      result: { rowsWritten: 500, batch: { batchId: '7001' } },
    });
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    expect(await world.value('select count(*) from acq.orders')).toBe('1');
    expect(await world.rows('select table_name, adopted from waybill.snapshot')).toEqual([
      { table_name: 'acq.orders', adopted: true },
    ]);
    expect(await world.rows(`select requested_by, reason from waybill.event where what = 'adopted'`)).toEqual([
      { requested_by: 'mary', reason: 'acq.orders_processing' },
    ]);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await world.warehouse.query('delete from core.orders where batch_id = 7000');
    await expectWhole(world);
  });

  test('is the load’s own once adopted: when that batch fails, a plain start takes it again', async () => {
    world = await World.create(server, BREAKABLE(500, { broken: 450 }));
    await world.warehouse.query(CUT_OVER);
    await world.worker();
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('500');
    await mend(world);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
    await expectWhole(world);
    expect(await batches(world)).toMatchObject([{ state: 'failed' }, { state: 'published', reprocess_of: '1' }]);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
  });

  test('of one of two inputs: the other gets a snapshot of its own, and a failure in between changes nothing', async () => {
    const orders = ORDERS(300, { yaml: 'before: "select 1 / ok from core.switch"' });
    world = await World.create(server, {
      files: {
        ...orders.files,
        'loads/core/order.yaml': orders.files['loads/core/order.yaml']!.replace(
          'external: true }',
          'external: true }, { table: acq.refunds, external: true }',
        ).replace(
          'outputs: [ core.orders ]',
          `  - { name: refunds, sql: "insert into core.refunds select r.id, :batch_id from {{ acq.refunds }} r" }
outputs: [ core.orders, core.refunds ]`,
        ),
      },
      warehouse: `${orders.warehouse} ${CUT_OVER}
        create table core.switch (ok int); insert into core.switch values (0);
        create table acq.refunds (id bigint primary key); insert into acq.refunds values (1), (2);
        create table core.refunds (id bigint, batch_id bigint);`,
    });
    await world.worker();
    // Fails before the second table's snapshot is taken.
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({ ok: false, type: 'Database' });
    expect(await exists(world, 'acq.refunds_processing')).toBe(false);
    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 302 } });
    await expectWhole(world);
    expect(await world.rows('select id, batch_id from core.refunds order by 1')).toEqual([
      { id: '1', batch_id: '2' },
      { id: '2', batch_id: '2' },
    ]);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    expect(await exists(world, 'acq.refunds_processing')).toBe(false);
  });

  test('that is no ordinary table, or whose landing table is missing, is refused: it would be dropped unread', async () => {
    world = await World.create(server, ORDERS(100));
    await world.worker();
    const adopt = () => world.run({ load: 'core.order', adopt: true });

    await world.warehouse.query(`create table acq.orders_processing (like acq.orders) partition by range (id);
      create table acq.all_orders partition of acq.orders_processing default;
      insert into acq.orders_processing select id + 1000, customer, amount from acq.orders`);
    expect(await adopt()).toMatchObject({
      ok: false,
      type: 'Refused',
      message: 'acq.orders_processing is a partitioned table, which cannot be adopted as a snapshot',
    });
    await world.warehouse.query(`drop table acq.orders_processing;
                                 create view acq.orders_processing as select * from kept.orders`);
    expect(await adopt()).toMatchObject({
      ok: false,
      type: 'Refused',
      message: 'acq.orders_processing is a view, which cannot be adopted as a snapshot',
    });
    await world.warehouse.query(`drop view acq.orders_processing;
                                 alter table acq.orders rename to orders_processing`);
    expect(await adopt()).toMatchObject({
      ok: false,
      type: 'Refused',
      message: 'acq.orders_processing is there, but acq.orders is not: the tool that renamed it stopped half-way',
    });
    expect(await world.states('core.order')).toEqual([]);

    await world.warehouse.query('create table acq.orders (like acq.orders_processing including all)');
    expect(await adopt()).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectWhole(world);
  });

  test('is not needed for --adopt to be harmless', async () => {
    world = await World.create(server, ORDERS(100));
    await world.worker();
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({
      ok: true,
      result: { rowsWritten: 100 },
    });
    await expectWhole(world);
    expect(await world.rows('select adopted from waybill.snapshot')).toEqual([{ adopted: false }]);
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({
      ok: true,
      result: { status: 'nothing' },
    });
  });
});
