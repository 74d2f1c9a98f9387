import { afterEach, describe, expect, test } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { servers } from '../servers.ts';
import { expectWhole, ORDERS, World } from './orders.ts';
import type { WorldOptions } from './world.ts';

/** Batches fail their check until `core.switch` says otherwise; `outputs` in the place of the one. */
function switched(outputs: string, more: string, own?: WorldOptions['own']): WorldOptions {
  const options = ORDERS(300, { yaml: 'checks: [ { name: no, sql: select ok from core.switch, expect: 1 } ]' });
  const file = 'loads/core/order.yaml';
  return {
    files: {
      ...options.files,
      [file]: options.files[file]!.replace('outputs: [ core.orders ]', `outputs: ${outputs}`),
    },
    warehouse: `${options.warehouse!} create table core.switch (ok int); insert into core.switch values (0); ${more}`,
    ...(own && { own }),
  };
}

const LOG = 'create table core.order_log (id bigint, batch_id bigint not null);';
/** A trigger that writes a line into the other table for each row that goes. */
const LOGGED = {
  postgres: `
    create function core.log_order() returns trigger language plpgsql as
      'begin insert into core.order_log values (old.id, old.batch_id); return null; end';
    create trigger logged after delete on core.orders for each row execute function core.log_order();`,
  mysql: `
    create trigger core.logged after delete on core.orders for each row
      insert into core.order_log values (old.id, old.batch_id);`,
};
/** And one that puts the row back for each line. */
const UNLOGGED = {
  postgres: `
    create function core.unlog_order() returns trigger language plpgsql as
      'begin insert into core.orders values (old.id, ''again'', 0, old.batch_id); return null; end';
    create trigger unlogged after delete on core.order_log for each row execute function core.unlog_order();`,
  mysql: `
    create trigger core.unlogged after delete on core.order_log for each row
      insert into core.orders values (old.id, 'again', 0, old.batch_id);`,
};

const NEXT =
  'drop or disable the trigger, or have it write no rows with the batch_id of those that are deleted; then start the load ' +
  'again: it finishes the roll back first';

describe.each(oneOfEachFamily(import.meta.url))('a roll back on $name, of outputs', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('of which a delete trigger writes into another: none of its rows is left in any', async () => {
    world = await World.create(server, switched('[ core.orders, core.order_log ]', LOG, LOGGED));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.value('select count(*) from core.order_log')).toBe('0');
  });

  test('of which each has a trigger that writes into the other: says so and stops; the next start finishes it', async () => {
    const both = { postgres: LOGGED.postgres + UNLOGGED.postgres, mysql: LOGGED.mysql + UNLOGGED.mysql };
    world = await World.create(server, switched('[ core.orders, core.order_log ]', LOG, both));
    await world.worker();
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({ ok: false, type: 'CheckFailed', next: NEXT });
    expect(!failed.ok && failed.message).toMatch(
      /and the roll back is not finished: rows of batch 1 come into core\.\w+ as often as they are deleted: a trigger writes them, it seems$/,
    );
    expect(await world.states('core.order')).toEqual(['rolling_back']);
    const on =
      world.words.family === 'postgres' ? 'drop trigger unlogged on core.order_log' : 'drop trigger core.unlogged';
    await world.warehouse.query(`${on}; update core.switch set ok = 1`);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
    expect(await world.value('select count(*) from core.order_log')).toBe('0');
    await expectWhole(world);
  });
});

// MySQL and MariaDB let no trigger write into its own table, and have none for a statement.
describe.each(servers)('a roll back on $name, of an output', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let world: World;
  afterEach(() => world.close());

  const TOMBSTONE = `
    create function core.bury() returns trigger language plpgsql as
      'begin insert into core.orders values (-abs(old.id), ''gone'', 0, old.batch_id); return null; end';`;

  it('whose trigger writes a row of the batch for each that goes, once: takes those, too', async () => {
    const buried = `${TOMBSTONE}
      create trigger bury after delete on core.orders for each row when (old.id > 0) execute function core.bury();`;
    world = await World.create(server, switched('[ core.orders ]', buried));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
  });

  it('whose trigger writes one for each that goes, for ever: says so and stops; the next start finishes it', async () => {
    const buried = `${TOMBSTONE} create trigger bury after delete on core.orders for each row execute function core.bury();`;
    world = await World.create(server, switched('[ core.orders ]', buried));
    await world.worker();
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({ ok: false, type: 'CheckFailed', next: NEXT });
    expect(!failed.ok && failed.message).toMatch(
      /and the roll back is not finished: rows of batch 1 come into core\.orders as often as they are deleted: a trigger writes them, it seems$/,
    );
    expect(await world.states('core.order')).toEqual(['rolling_back']);
    await world.warehouse.query('drop trigger bury on core.orders; update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
    await expectWhole(world);
  });

  it('that is partitioned, and sums up what its own statements insert and delete: the sums are right again', async () => {
    world = await World.create(
      server,
      switched(
        '[ core.orders ]',
        `drop table core.orders;
        create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null)
          partition by range (id);
        create table core.few partition of core.orders for values from (1) to (9);
        create table core.many partition of core.orders default;
        create table core.tally (n bigint); insert into core.tally values (0);
        create function core.sum_up() returns trigger language plpgsql as
          'begin update core.tally set n = n + case when tg_op = ''INSERT'' then 1 else -1 end * (select count(*) from changed);
           return null; end';
        create trigger more after insert on core.orders referencing new table as changed
          for each statement execute function core.sum_up();
        create trigger fewer after delete on core.orders referencing old table as changed
          for each statement execute function core.sum_up();
        insert into core.orders values (3, 'older', 1, 0), (1000, 'older', 1, 0);`,
      ),
    );
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.rows('select id::int, batch_id from core.orders order by id')).toEqual([
      { id: 3, batch_id: '0' },
      { id: 1000, batch_id: '0' },
    ]);
    expect(await world.value('select n from core.tally')).toBe('2');
  });
});
