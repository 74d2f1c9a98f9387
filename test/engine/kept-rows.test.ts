import { afterEach, describe, expect, test } from 'vitest';
import { servers } from '../servers.ts';
import { ORDERS, World } from './orders.ts';

/** Orders come from the source; those of odd ids are kept for the next load. */
const KEEPING = (insert: string, external: boolean) => {
  const orders = ORDERS(0);
  return {
    ...orders,
    files: {
      'loads/acquisition/order.yaml':
        'kind: acquisition\nconnection: warehouse\nfrom: { connection: source, table: public.orders }\nto: acq.orders\n',
      'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ ${external ? '{ table: acq.orders, external: true }' : 'acq.orders'} ]
stages:
  - { name: orders, chunk: { input: acq.orders, rows: 10 }, sql: order.sql }
outputs: [ core.orders ]
checks: [ { name: wanted, sql: "select wanted from core.settings", expect: 1 } ]`,
      'loads/core/order.sql': `${insert};
        insert into core.orders (id, customer, amount, batch_id)
        select o.id, o.customer, o.amount, :batch_id from {{ acq.orders }} o where o.id % 2 = 0`,
    },
    source: `create table orders (id bigint primary key, customer text not null, amount numeric(12,2));
             insert into orders select g, 'c', g from generate_series(1, 100) g;`,
    warehouse: `
      create schema acq; create schema core; create sequence acq.n;
      create table acq.orders (id bigint, customer text not null, amount numeric(12,2), batch_id bigint, ngdw_id bigint default nextval('acq.n'));
      create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null);
      create table core.settings (wanted int); insert into core.settings values (0);`,
  };
};
const KEEP = `insert into acq.orders (id, customer, amount, batch_id)
  select k.id, k.customer, k.amount, :batch_id from {{ acq.orders }} k where k.id % 2 = 1`;

describe.each(servers)('rows that a core load keeps for the next one on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('are there once, also when the batch that kept them was rolled back', async () => {
    world = await World.create(server, KEEPING(KEEP, false));
    await world.worker();
    expect(await world.run('acquisition.order')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.value('select count(*) from acq.orders')).toBe('0');
    await world.warehouse.query('update core.settings set wanted = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(
      await world.rows('select count(*), count(distinct id), min(batch_id), max(batch_id) from acq.orders'),
    ).toEqual([{ count: '50', min: '3', max: '3' }]);
    expect(await world.value('select count(*) from core.orders')).toBe('50');
  });

  test('are refused where they could not be taken back', async () => {
    world = await World.create(server, KEEPING(KEEP.replace(':batch_id', 'k.batch_id'), false));
    await world.worker();
    await world.run('acquisition.order');
    const ended = await world.run('core.order');
    expect(ended).toMatchObject({ ok: false });
    expect(!ended.ok && ended.message).toMatch(/batch/);
    expect(await world.states('core.order')).toEqual([]);
  });
});
