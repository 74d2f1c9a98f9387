/** Bad rows of a load with date settings of its own: bounds that one transaction writes into the ledger are read by another. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { expectSame } from './orders.ts';
import { World } from './world.ts';

const ROWS = 30_000; // enough that a range is halved more than once
const BAD = 'id in (17001, 17002, 22000, 29999)';
const WAYS = { session_params: "session_params: { DateStyle: 'SQL, DMY' }", SQL: "set local datestyle = 'SQL, DMY'" };

describe.each(oneOf(servers, import.meta.url))('bad rows found by dates, on $name', { timeout: 120_000 }, (server) => {
  test.for(Object.entries(WAYS))('are alone in the ledger, whatever style %s sets', async ([name, text]) => {
    const [yaml, setting] = name === 'SQL' ? ['', `${text}; `] : [text, ''];
    const world = await World.create(server, {
      files: {
        'loads/core/order.yaml': `
kind: core
connection: warehouse
lanes: 1
inputs: [ { table: acq.orders, external: true } ]
stages:
  - name: orders
    chunk: { input: acq.orders, rows: 100000, key: day }
    sql: "${setting}insert into core.orders select o.id, o.day, o.amount, :batch_id from (select pg_sleep(0.2)) pause, {{ acq.orders }} o"
outputs: [ core.orders ]
on_bad_row: quarantine
${yaml}`,
      },
      warehouse: `
        create schema acq; create schema core; create schema kept;
        create table kept.orders as select g as id, date '2000-01-01' + g as day, 5 as amount from generate_series(1, ${ROWS}) g;
        create table acq.orders as select id, day, case when ${BAD} then -1 else amount end as amount from kept.orders;
        create table core.orders (id int, day date, amount int check (amount >= 0), batch_id bigint not null);`,
    });
    onTestFinished(() => world.close());
    // So long that the first half is done in it and the second one cut, and so short that the rest is left to the ledger.
    await world.worker({ searchMs: 500 });
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: ROWS - 4 } });
    await expectSame(world, `select id, day from kept.orders where not ${BAD}`, 'select id, day from core.orders', [
      'id',
    ]);
    const bounds = await world.rows<{ bound: string }>(
      'select distinct range_from as bound from waybill.chunk where range_from is not null',
    );
    expect(bounds.length).toBeGreaterThan(0);
    expect(bounds.filter(({ bound }) => !/^\["\d{4}-\d\d-\d\d"\]$/.test(bound))).toEqual([]);
    expect(await world.value('select count(*) from waybill.rejected_row')).toBe('4');
  });
});
