import { afterEach, describe, expect } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { exists } from './breakable-orders.ts';
import { comingAgain, expectWhole, ORDERS, PLAIN_SQL, World } from './orders.ts';
import { until } from './world.ts';

describe.each(oneOfEachFamily(import.meta.url))('a core load on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('takes a snapshot, processes it in chunks, publishes, and leaves the landing table empty', async () => {
    world = await World.create(server, ORDERS(5000, { rows: 250 }));
    await world.worker();
    const ended = await world.run('core.order');
    expect(ended).toMatchObject({ ok: true, result: { status: 'finished', rowsWritten: 5000 } });
    await expectWhole(world);
    expect(await world.value('select count(*) from acq.orders')).toBe('0');
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    expect(await world.rows('select state, rows_read, rows_written from waybill.batch')).toEqual([
      { state: 'published', rows_read: '5000', rows_written: '5000' },
    ]);
    expect(await world.value(`select count(*) > 10 from waybill.chunk where state = 'done'`)).toBe(true);
    expect(await world.value(`select count(*) from waybill.chunk where state <> 'done'`)).toBe('0');
    expect(await world.value('select count(distinct batch_id) from core.orders')).toBe('1');
  });

  it('has nothing to do when its landing tables are empty, and opens no batch', async () => {
    world = await World.create(server, ORDERS(0));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({
      ok: true,
      result: { status: 'nothing', reason: 'no rows in acq.orders' },
    });
    expect(await world.states('core.order')).toEqual([]);
  });

  it('starts above the batch ids that an earlier tool left in its outputs', async () => {
    world = await World.create(server, ORDERS(10));
    await world.warehouse.query(`insert into core.orders select -1, 'old', 0, 7000`);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '7001' } } });
  });

  it('reads several inputs, runs stages in order, writes several outputs with one batch id', async () => {
    const orders = ORDERS(500);
    world = await World.create(server, {
      ...orders,
      files: {
        ...orders.files,
        'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true }, { table: acq.customers, external: true } ]
stages:
  - name: customers
    sql: "insert into core.customers select c.name, c.city, :batch_id from {{ acq.customers }} c"
  - name: orders
    chunk: { input: acq.orders, rows: 100 }
    sql: |
      insert into core.orders (id, customer, amount, batch_id)
      select o.id, c.city, o.amount * 2, :batch_id from {{ acq.orders }} o
      join {{ core.customers }} c on c.name = o.customer
outputs: [ core.orders, core.customers ]
checks:
  - { name: all there, sql: "select count(*) from core.orders where batch_id = :batch_id", expect: 500 }
  - { name: rich, sql: "select max(amount) from {{ core.orders }} x", expect: "> 1000000", severity: warn }
  - { name: exact, sql: select 9007199254740993, expect: "9007199254740992", severity: warn }
  - { name: long, sql: "select repeat('é', 70000)", expect: 0, severity: warn }
`,
      },
      warehouse: `${orders.warehouse}
        create table acq.customers (name text primary key, city varchar(20));
        insert into acq.customers select concat('customer ', g), concat('city ', g % 7) from generate_series(0, 96) g;
        create table core.customers (name varchar(200), city varchar(20), batch_id bigint);`,
    });
    await world.worker();
    const ended = await world.run('core.order');
    expect(ended).toMatchObject({ ok: true, result: { rowsWritten: 597 } });
    expect(ended.ok && ended.result.warnings).toEqual([
      '"rich" found 333.34, expected > 1000000',
      '"exact" found 9007199254740993, expected 9007199254740992',
      `"long" found ${'é'.repeat(1000)}… (70000 characters), expected 0`,
    ]);
    expect(await world.value(`select actual from waybill.check_result where name = 'long'`)).toMatch(
      /^é{1000}… \(70000 characters\)$/,
    );
    expect(
      await world.value(`select count(*) from core.orders o join core.customers c on c.batch_id = o.batch_id
                              and c.city = o.customer and c.name = concat('customer ', o.id % 97)`),
    ).toBe('500');
    expect(await exists(world, 'acq.customers_processing')).toBe(false);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    expect(await world.value('select rows_read from waybill.batch')).toBe('597');
  });

  it('rolls back, when chunk 37 of 60 cannot be done, and the next batch takes the same snapshot', async () => {
    const sql = `
      insert into core.orders (id, customer, amount, batch_id)
      select o.id, o.customer, o.amount * 2 / (case when o.id = (select broken from core.settings) then 0 else 1 end), :batch_id
      from {{ acq.orders }} o`;
    const orders = ORDERS(6000, { rows: 100, byKey: true, sql });
    world = await World.create(server, {
      ...orders,
      warehouse: `${orders.warehouse} create table core.settings (broken bigint); insert into core.settings values (3650);`,
    });
    await world.worker();
    const first = await world.run('core.order');
    expect(first).toMatchObject({ ok: false, type: 'Database' });
    expect(!first.ok && first.message).toBe(`chunk 37 of 60: ${world.words.divisionByZero}`);
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('6000');
    expect(await world.value(`select state from waybill.chunk where n = 37`)).toBe('failed');

    // New rows arrive meanwhile: they are the next load's business.
    await world.warehouse.query(`insert into acq.orders values (9001, 'late', 1)`);
    await world.warehouse.query('update core.settings set broken = 0');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 6000 } });
    await expectWhole(world);
    expect(await world.rows('select batch_id, state, reprocess_of from waybill.batch order by batch_id')).toEqual([
      { batch_id: '1', state: 'failed', reprocess_of: null },
      { batch_id: '2', state: 'published', reprocess_of: '1' },
    ]);
    expect(await world.value('select count(*) from acq.orders')).toBe('1');
    await world.warehouse.query(`insert into kept.orders values (9001, 'late', 1)`);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await expectWhole(world);
  });

  it('rolls back when a blocking check fails, and says what was found', async () => {
    world = await World.create(
      server,
      ORDERS(300, {
        yaml: `checks: [ { name: enough, sql: "select count(*) from core.orders where batch_id = :batch_id", expect: ">1000" } ]`,
      }),
    );
    await world.worker();
    const ended = await world.run('core.order');
    expect(ended).toMatchObject({
      ok: false,
      type: 'CheckFailed',
      message: 'check failed: "enough" found 300, expected >1000',
    });
    expect(await world.rows('select state, error_class from waybill.batch')).toEqual([
      { state: 'failed', error_class: 'check' },
    ]);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('300');
    expect(await world.rows('select name, actual, passed from waybill.check_result')).toEqual([
      { name: 'enough', actual: '300', passed: false },
    ]);
  });

  it('tries a chunk again after a transient error, not before its time, up to max_attempts', async () => {
    // Fails twice, then not for long.
    const again = comingAgain('n <= 2 or n > 3');
    const sql = `select core.come_again(); ${PLAIN_SQL}`;
    const orders = ORDERS(50, { sql, yaml: 'max_attempts: 3' });
    world = await World.create(server, { ...orders, own: again });
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
    const [chunk] = await world.rows<{ attempts: number; not_before: Date; started_at: Date }>(
      'select attempts, not_before, started_at from waybill.chunk',
    );
    expect(chunk!.attempts).toBe(2);
    expect(Number(chunk!.started_at)).toBeGreaterThanOrEqual(Number(chunk!.not_before));

    await world.warehouse.query('truncate table core.orders; insert into acq.orders table kept.orders');
    const failed = await world.run('core.order');
    expect(!failed.ok && failed.message).toBe(`chunk 1 of 1: ${world.words.comesAgain.inHistory} (3 attempts)`);
    expect(await world.value(`select error from waybill.batch where state = 'failed'`)).toBe(
      `stage orders, chunk 1 of 1: ${world.words.comesAgain.inLedger} (3 attempts)`,
    );
  });

  it('refuses a start while the load runs, and runs once when two start at once', async () => {
    world = await World.create(server, ORDERS(400, { sql: undefined }));
    await world.worker();
    const starts = await Promise.allSettled([world.start('core.order'), world.start('core.order')]);
    expect(starts.filter((start) => start.status === 'fulfilled')).toHaveLength(1);
    await until(async () => (await world.states('core.order'))[0] === 'published');
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['published']);
  });
});
