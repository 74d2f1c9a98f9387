/** How many bad rows a batch bears, and how far a range of days or times is halved. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { readRecording } from '../crash/recording.ts';
import { someServers } from '../every-server.ts';
import { expectWhole, ORDERS, PLAIN_SQL } from './orders.ts';
import { TASK } from './vehicles.ts';
import { World } from './world.ts';

/** Orders of these ids cannot be processed. */
const WITHOUT = (bad: string): string =>
  PLAIN_SQL.replace('o.amount * 2', `o.amount * 2 / (case when ${bad} then 0 else 1 end)`);
const limited = (share: string): string => `on_bad_row: quarantine\nmax_rejected: ${share}`;

describe.each(someServers(import.meta.url))('bad rows, counted on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const rejected = (): Promise<unknown> => world.value('select count(*) from waybill.rejected_row');

  test('a share is looked at once more than 100 are rejected, before all is read', async () => {
    // 40 customers of 26 orders each, which share their fate.
    const bad = `('c10', 'c11', 'c12', 'c13', 'c14')`;
    const orders = (share: string) =>
      ORDERS(1040, { byKey: true, lanes: 1, sql: WITHOUT(`o.customer in ${bad}`), yaml: limited(share) });
    const file = 'loads/core/order.yaml';
    const yaml = (share: string): string => orders(share).files[file]!.replace('key: id', 'key: customer');
    world = await World.create(server, orders('5%'));
    for (const table of ['acq.orders', 'kept.orders']) {
      await world.warehouse.query(`update ${table} set customer = concat('c', 10 + id % 40)`);
    }
    await world.write(file, yaml('5%'));
    await world.worker();
    // They all are in the first chunks. It is more than 5 % of all, but not than 12.5 %, even if the others have none.
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      message: expect.stringMatching(/104 rows were rejected of \d{3}, more than max_rejected \(5%\)/) as string,
      next: expect.stringMatching(/^waybill show 1 has the rows; mend them, or raise max_rejected/) as string,
    });
    expect(await rejected()).toBe('104');

    await world.write(file, yaml('12.5%'));
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 910 } });
    await expectWhole(world, `(select * from kept.orders where customer not in ${bad}) good`);
  });

  test('a share is one of all rows, in however small pieces a search has left the others', async () => {
    const orders = { rows: 8000, byKey: true, lanes: 1, sql: WITHOUT('o.id <= 400'), yaml: limited('10%') };
    world = await World.create(server, ORDERS(8000, orders));
    // Some hundred rows, by then the next pieces are a few rows each.
    await world.worker({ searchMs: 300 });
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 7600 } });
    expect(await rejected()).toBe('400');
    await expectWhole(world, '(select * from kept.orders where id > 400) good');
  });

  test('rows to come are counted chunk by chunk, and no further than it takes to know that a share is not too large', async () => {
    const bad = WITHOUT('o.id <= 150 or (o.id > 5000 and o.id <= 5210)');
    world = await World.create(
      server,
      ORDERS(10_000, { rows: 1000, byKey: true, lanes: 1, sql: bad, yaml: limited('5%') }),
    );
    const recording = join(world.directory, 'statements');
    await world.workerProcess({ WAYBILL_RECORD_TO: recording });
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 9640 } });
    const sent = (await readRecording(recording)).map(({ whole }) => whole.replaceAll(/[`"]/g, ''));
    const isCount = (whole: string): boolean => whole.startsWith('select count(*) as n from');
    // The last one alone has no end.
    expect(sent.filter((whole) => isCount(whole) && !whole.includes('id <'))).toEqual([]);
    // One chunk and then two more, each time: the second time chunks are done that the first did not come to.
    const questions = [...sent.keys()].filter((i) => /^\s*select n, .* as rows_read/s.test(sent[i]!));
    const counted = questions.map((i) => sent.slice(i + 1).findIndex((whole) => !isCount(whole)));
    expect(counted).toEqual([2, 2]);
  });

  test('a share of consumed rows is one of those that this batch consumes', async () => {
    const orders = ORDERS(300);
    const services = (share: string): string => `
kind: services
connection: warehouse
consumes: [ core.order ]
stages:
  - name: amounts
    chunk: { input: core.orders, rows: 50 }
    sql: |
      insert into services.amount (id, amount, batch_id)
      select o.id, o.amount / (case when o.id % 70 = 0 then 0 else 1 end), :batch_id from {{ core.orders }} o
outputs: [ services.amount ]
${limited(share)}`;
    world = await World.create(server, {
      files: { ...orders.files, 'loads/services/amount.yaml': services('1%') },
      warehouse: `${orders.warehouse} create schema services;
        alter table core.orders add primary key (batch_id, id);
        create table services.amount (id bigint, amount numeric(20, 4), batch_id bigint not null);`,
    });
    // Older than Waybill, and nobody's business.
    await world.warehouse.query(`insert into core.orders (id, batch_id) select g, 0 from generate_series(1, 500) g`);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    expect(await world.run('services.amount')).toMatchObject({
      ok: false,
      message: expect.stringContaining('4 rows were rejected of 300, more than max_rejected (1%)') as string,
    });
    await world.write('loads/services/amount.yaml', services('2%'));
    expect(await world.run('services.amount')).toMatchObject({ ok: true, result: { rowsWritten: 296 } });
    expect(await world.value(`select rows_read from waybill.batch where batch_id = 3`)).toBe('300');
  });

  const task = (range: string, column: string): string => `
kind: task
connection: warehouse
range: ${range}
sql: |
  update core.log set seen = seen + 1 / (case when n = 5 then 0 else 1 end) where ${column} >= :from and ${column} < :to
on_bad_row: quarantine`;

  test.each([
    ['a day', 'day', 'date', '{ min: 2001-01-30, max: 2001-03-01, step: 1 month }', '2001-02-28', '2001-03-01'],
    [
      'a time, to the microsecond',
      'at',
      'timestamp(6)',
      '{ min: 2001-01-30 10:00:00, max: 2001-01-30 19:00:00, step: 2h }',
      '2001-01-30 11:59:59.999999',
      '2001-01-30 12:00:00',
    ],
  ])('%s that cannot be done stands alone, and all others are done', async (_, column, type, range, bad, end) => {
    const day = column === 'day';
    const values = day
      ? ['2001-01-30', '2001-01-31', '2001-02-01', '2001-02-27', bad, end]
      : ['2001-01-30 10:00:00', '2001-01-30 10:30:00', '2001-01-30 11:59:59', '2001-01-30 11:59:59.999998', bad, end];
    world = await World.create(server, {
      files: { 'loads/task/vehicle.yaml': task(range, column) },
      warehouse: `create schema core;
        create table core.log (n int primary key, ${column} ${type} not null, seen int not null default 0);
        insert into core.log (n, ${column}) values ${values.map((value, i) => `(${i + 1}, '${value}')`).join(', ')};`,
    });
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    expect(await world.rows('select n, seen from core.log where seen <> 1')).toEqual([{ n: 5, seen: 0 }]);
    const rows = await world.rows<{ row_key: string }>('select row_key from waybill.rejected_row');
    expect(rows.map((row) => JSON.parse(row.row_key) as unknown)).toEqual([{ from: bad, to: end }]);
  });
});
