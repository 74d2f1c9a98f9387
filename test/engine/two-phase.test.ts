/** A transaction that was prepared for two-phase commit has no connection any more, and may commit at any time. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BatchView } from '../../src/client/views.ts';
import { document, waybill } from '../cli/command-line.ts';
import { inTurns } from '../every-server.ts';
import { describeOn, ownServers } from '../mysql-servers.ts';
import { servers } from '../servers.ts';
import { chunks, COLUMNS, expectAcquired, ITEM, ITEMS, PLAIN_SOURCE, settling } from './items.ts';
import { expectWhole, ORDERS } from './orders.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import { ended, until, World } from './world.ts';

describe.each(servers)('a prepared transaction on $name', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let own: OwnServer;
  let world: World;
  beforeEach(async () => {
    own = await startOwnServer(server, { max_prepared_transactions: '5' });
  });
  afterEach(async () => {
    await world.close();
    await own.remove();
  });

  it('that has rows of a window is waited for, also when it is prepared only meanwhile', async () => {
    world = await World.create(own, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.worker();
    const [first, second] = [await world.another('source'), await world.another('source')];
    await first.query(`begin; insert into item (name) values ('first'); prepare transaction 'first'`);
    await second.query(`begin; insert into item (name) values ('second')`);
    await world.source.query(`insert into item (name) values ('early')`);
    const handle = await world.start(ITEM);
    await settling(handle);
    await second.query(`prepare transaction 'second'`);
    await pause(700);
    expect((await chunks(world)).all).toBe(0);
    await first.query(`commit prepared 'first'`);
    await pause(700);
    expect((await chunks(world)).all).toBe(0);
    await second.query(`commit prepared 'second'`);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 13 } });
    await expectAcquired(world);
  });

  it('that began after the window was set is not waited for; one that had written nothing by then is', async () => {
    world = await World.create(own, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.worker({ settleLimitMs: 10_000 });
    const [early, late] = [await world.another('source'), await world.another('source')];
    const given = await early.query<{ id: string }>(`select nextval('item_id_seq') as id`);
    await early.query('begin; select count(*) from item');
    await world.source.query(`insert into item (name) values ('behind')`);
    const handle = await world.start(ITEM);
    await settling(handle);
    await early.query(`insert into item (id, name) values (${given.rows[0]!.id}, 'early'); prepare transaction 'job'`);
    await pause(700);
    expect((await chunks(world)).all).toBe(0);
    await late.query(`begin; insert into item (name) values ('late'); prepare transaction 'later'`);
    // Writers give the same names again and again.
    await early.query(`commit prepared 'job'`);
    await early.query(`begin; insert into item (name) values ('late'); prepare transaction 'job'`);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 12 } });
    await early.query(`commit prepared 'job'`);
    await early.query(`commit prepared 'later'`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    await expectAcquired(world);
  });

  it('that stays fails the load after a while, by its name', async () => {
    world = await World.create(own, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.worker({ settleLimitMs: 1_500 });
    await world.source.query(`begin; insert into item (name) values ('late'); prepare transaction 'monthly close'`);
    const failed = await world.run(ITEM);
    expect(failed).toMatchObject({ ok: false, type: 'LoadFailed' });
    expect(!failed.ok && failed.message).toMatch(
      /^1 transaction on source stayed open for 1.5 s, .*: prepared transaction monthly close \(\w+, open \d+ s\)$/,
    );
    await world.source.query(`commit prepared 'monthly close'`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 11 } });
    await expectAcquired(world);
  });

  it('that has written to an input holds its snapshot back, and is named; its rows are in it', async () => {
    world = await World.create(own, ORDERS(50));
    await world.worker();
    await world.warehouse.query(`
      begin; insert into acq.orders values (51, 'late', 1); prepare transaction 'monthly close'`);
    const handle = await world.start('core.order');
    const waits = async () => {
      const [view] = document(await waybill(world, 'status', '--json')) as BatchView[];
      return view?.waiting;
    };
    expect(await until(waits, 60)).toMatch(
      /^waits for acq.orders, in use by prepared transaction monthly close \(\w+, query \d+ s\)$/,
    );
    expect(await world.exists('acq.orders_processing')).toBe(false);
    await world.warehouse.query(`insert into kept.orders values (51, 'late', 1)`);
    await world.warehouse.query(`commit prepared 'monthly close'`);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 51 } });
    await expectWhole(world);
  });
});

// On a server of its own: what is prepared there may be the one that any other test waits for.
describeOn(await ownServers(), 'an XA transaction on $name', (server) => {
  let own: OwnServer;
  let world: World;
  beforeEach(async () => {
    own = await startOwnServer(server);
  }, 120_000);
  afterEach(async () => {
    await world.close();
    await own.remove();
  });

  test(
    'that is prepared, and has written to an input, is named with what ends it; its rows are in the snapshot',
    { timeout: 120_000 },
    async () => {
      world = await World.create(own, ORDERS(50));
      await world.worker();
      const month = await world.another('warehouse');
      await month.query(
        `xa start 'month'; insert into acq.orders values (51, 'late', 1); xa end 'month'; xa prepare 'month'`,
      );
      const handle = await world.start('core.order');
      const waits = async (prepared: RegExp) =>
        until(async () => {
          const [view] = document(await waybill(world, 'status', '--json')) as BatchView[];
          return prepared.exec(view?.waiting ?? '')?.[0];
        });
      const named =
        /^waits for acq.orders, in use by .*prepared transaction 'month' \((perhaps; )?XA COMMIT or XA ROLLBACK 'month' ends it\)$/;
      await waits(named);
      await month.end(); // with the connection goes nothing of it
      await waits(named);
      expect(await world.exists('acq.orders_processing')).toBe(false);
      await world.warehouse.query(`insert into kept.orders values (51, 'late', 1)`);
      await world.warehouse.query(`xa commit 'month'`);
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 51 } });
      await expectWhole(world);
    },
  );
});
