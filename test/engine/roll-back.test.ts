import { afterEach, describe, expect, test } from 'vitest';
import { servers } from '../servers.ts';
import { ORDERS, World } from './orders.ts';
import { ended, until } from './world.ts';

/** Rows that fill a page by four, so that a few thousand are several transactions of a roll back; the batch fails its check. */
const WIDE_ORDERS = ORDERS(6_000, {
  rows: 2_000,
  lanes: 1,
  sql: `
delete from core.orders where batch_id = 0;
insert into core.orders (id, customer, amount, batch_id)
select o.id, repeat('x', 1900), o.amount * 2, :batch_id from {{ acq.orders }} o`,
  yaml: 'checks: [ { name: never, sql: "select 1", expect: 0 } ]',
});

describe.each(servers)('a roll back on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('takes a row, too, that somebody moves meanwhile to a page that it is through with', async () => {
    world = await World.create(server, WIDE_ORDERS);
    const { warehouse } = world;
    // 100 pages that the batch itself empties: an update finds room there once they were vacuumed.
    await warehouse.query(`
      drop index core.orders_by_batch; -- nothing leads to its rows: it goes over the table as a whole
      alter table core.orders set (autovacuum_enabled = off);
      insert into core.orders select g, repeat('x', 1900), g, 0 from generate_series(1, 400) g;
      create function core.wait() returns trigger language plpgsql as
        'begin if exists (select from waybill.batch where state = ''rolling_back'') then
           perform pg_advisory_xact_lock_shared(42); end if; return null; end';
      create trigger wait after delete on core.orders for each statement execute function core.wait();
      select pg_advisory_lock(42)`);
    await world.worker();
    const handle = await world.start('core.order');
    const waiting = `select count(*) from pg_locks where not granted and locktype = 'advisory'
                     and database = (select oid from pg_database where datname = current_database())`;
    await until(async () => (await world.value(waiting)) === '1');
    expect(await world.value('select count(*) from waybill.batch where state = $1', ['rolling_back'])).toBe('1');
    await warehouse.query('vacuum core.orders');
    const moved = await world.rows<{ page: number }>(`
      update core.orders set amount = 0 where id > 5900 and id <= 5950 returning (ctid::text::point)[0]::int as page`);
    expect(moved.filter(({ page }) => page < 100).length).toBeGreaterThan(0);
    await warehouse.query('select pg_advisory_unlock(42)');
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.states('core.order')).toEqual(['failed']);
  });
});
