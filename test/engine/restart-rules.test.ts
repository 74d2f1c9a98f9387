/** DESIGN §3, "Restart rules", row by row. What is held has a file of its own: held.test.ts. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, vi } from 'vitest';
import type { BatchView } from '../../src/client/views.ts';
import { forceReloadUpdate, progressQuery } from '../../src/workflows/message-definitions.ts';
import { document, spawnWaybill, waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { activitiesOf, OPEN_ORDER } from './activities.ts';
import { batches, BREAKABLE, done, exists, land, mend } from './breakable-orders.ts';
import { expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import type { TestClient } from './test-client.ts';
import { ended, until } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Starts the load, and terminates its workflow when some chunks are done and some are not. */
async function terminateHalfWay(world: World): Promise<void> {
  const handle = await world.start('core.order');
  await until(async () => (await done(world)) > 2, 90);
  await handle.terminate('the test');
}

/** As if the history were lost, or the batch ran on another Temporal server. */
const forgetWorkflow = (world: World) =>
  world.warehouse.query(`update waybill.batch set workflow_id = 'load/elsewhere',
                         first_run_id = '00000000-0000-0000-0000-000000000000'`);

/** The batch has its snapshot, whole: nothing more is done to the table. */
const snapshotTaken = async (world: World): Promise<boolean> =>
  (await world.value('select count(*) from waybill.snapshot')) === '1';

/** A table that the ledger takes for the snapshot of batch 1, which is published. */
const UNDROPPED = {
  postgres: `create table acq.orders_processing as table kept.orders;
    update waybill.snapshot set dropped_at = null, relation_id = 'acq.orders_processing'::regclass::oid::bigint`,
  mysql: `create table acq.orders_processing comment = 'waybill snapshot 77' as table kept.orders;
    update waybill.snapshot set dropped_at = null, relation_id = 77`,
};

/** No row goes out of core.orders. */
const KEEP = {
  postgres: {
    begin: `create function core.keep() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$;
            create trigger keep before delete on core.orders for each row execute function core.keep()`,
    end: 'drop trigger keep on core.orders',
  },
  mysql: {
    begin: `create trigger core.keep before delete on core.orders for each row
            signal sqlstate '45000' set message_text = 'not now'`,
    end: 'drop trigger core.keep',
  },
};

/** No batch is fenced. */
const STAY = {
  postgres: {
    begin: `create function core.stay() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$;
            create trigger stay before update on waybill.batch for each row
            when (new.state = 'rolling_back') execute function core.stay()`,
    end: 'drop trigger stay on waybill.batch',
  },
  mysql: {
    begin: `create trigger waybill.stay before update on waybill.batch for each row
            if new.state = 'rolling_back' then signal sqlstate '45000' set message_text = 'not now'; end if`,
    end: 'drop trigger waybill.stay',
  },
};

describe.each(oneOfEachFamily(import.meta.url))('the next start on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  describe('finds nothing unfinished', () => {
    it('and takes a new snapshot into a new batch, or has nothing to do and opens none', async () => {
      world = await World.create(server, ORDERS(300));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '1' } } });
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { status: 'nothing' } });
      await land(world, 9001);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { status: 'nothing' } });
      await expectWhole(world);
      expect(await batches(world)).toEqual([
        { batch_id: '1', state: 'published', reprocess_of: null, error_class: null },
        { batch_id: '2', state: 'published', reprocess_of: null, error_class: null },
      ]);
    });

    it('and is refused when it should resume', async () => {
      world = await World.create(server, ORDERS(30));
      await world.worker();
      const refused = await world.run({ load: 'core.order', resume: true });
      expect(refused).toMatchObject({ ok: false, type: 'Refused', message: 'core.order has no held batch to resume' });
      expect(await batches(world)).toEqual([]);
      expect(await world.value('select count(*) from acq.orders')).toBe('30');
    });
  });

  describe('finds a published batch whose snapshot is still there', () => {
    it('drops it, runs `after`, goes on, and never processes it again', async () => {
      world = await World.create(
        server,
        ORDERS(400, { sql: SLOW_SQL(0.3), yaml: 'after: "insert into core.finished values (:batch_id)"' }),
      );
      await world.warehouse.query('create table core.finished (batch_id bigint)');
      const reader = await world.another('warehouse');
      const worker = await world.workerProcess();
      const handle = await world.start('core.order');
      await until(() => snapshotTaken(world), 90);
      await reader.query('begin; select count(*) from acq.orders_processing'); // the drop cannot get past it
      await until(async () => (await world.states('core.order'))[0] === 'published', 90);
      worker.kill('SIGKILL');
      await handle.terminate('the test');
      await reader.end();
      expect(await world.value('select count(*) from acq.orders_processing')).toBe('400');
      expect(await world.value('select count(*) from core.finished')).toBe('0');

      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { status: 'nothing' } });
      expect(await exists(world, 'acq.orders_processing')).toBe(false);
      expect(await world.rows('select batch_id from core.finished')).toEqual([{ batch_id: '1' }]);
      await land(world, 9001);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectWhole(world);
      expect(await world.rows('select batch_id from core.finished')).toEqual([{ batch_id: '1' }, { batch_id: '2' }]);
      expect(await world.states('core.order')).toEqual(['published', 'published']);
    });

    it('goes on in the same start with what has landed since', async () => {
      world = await World.create(server, ORDERS(50));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true });
      // The state that such a crash leaves, made by hand: the ledger says "not dropped", the table stands.
      await world.warehouse.query(UNDROPPED[world.words.family]);
      await land(world, 9001);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await exists(world, 'acq.orders_processing')).toBe(false);
      await expectWhole(world);
    });

    it('leaves a table alone that took the snapshot’s name since', async () => {
      world = await World.create(server, ORDERS(50));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true });
      await world.warehouse.query(`create table acq.orders_processing as table kept.orders;
        update waybill.snapshot set dropped_at = null`);
      await land(world, 9001, false);
      const refused = await world.run('core.order');
      expect(refused).toMatchObject({ ok: false, type: 'Refused' });
      expect(!refused.ok && refused.message).toBe('acq.orders_processing exists, but no batch of core.order made it');
      expect(await world.value('select count(*) from acq.orders_processing')).toBe('50');
      await expectWhole(world);
    });

    it('whose snapshot lost its mark: left alone, said, and never offered for adoption', async () => {
      world = await World.create(server, ORDERS(50));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true });
      // As if a restore had put it there before the drop.
      await world.warehouse.query(`create table acq.orders_processing as table kept.orders;
        update waybill.snapshot set dropped_at = null; delete from waybill.event where what = 'snapshot_dropped'`);
      await land(world, 9001, false);
      const refused = await world.run('core.order');
      expect(refused).toMatchObject({
        ok: false,
        type: 'Refused',
        message:
          'acq.orders_processing exists, and is not known as what it was: batch 1, which is published, had a snapshot of ' +
          'this name, and did not drop it',
        next: expect.stringMatching(/^look whether its rows are those of batch 1: .* so drop it /) as string,
      });
      expect(await world.rows(`select reason from waybill.event where what = 'snapshot_replaced'`)).toEqual([
        {
          reason:
            'acq.orders_processing is not the table that batch 1 took, and was left as it is; its rows may be published ' +
            'already: look whose they are, then drop or rename it',
        },
      ]);
      await expectWhole(world);
    });

    it('whose snapshot is gone, and the ledger does not know it: says so, and goes on', async () => {
      world = await World.create(server, ORDERS(50));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true });
      // What a drop leaves whose answer was lost, where it commits by itself.
      await world.warehouse.query(`
        update waybill.snapshot set dropped_at = null; delete from waybill.event where what = 'snapshot_dropped'`);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { status: 'nothing' } });
      expect(await world.rows(`select batch_id, reason from waybill.event where what = 'snapshot_gone'`)).toEqual([
        { batch_id: '1', reason: 'acq.orders_processing' },
      ]);
      // Somebody may have renamed it, and renames it back.
      await world.warehouse.query('create table acq.orders_processing as table kept.orders');
      await land(world, 9001, false);
      expect(await world.run('core.order')).toMatchObject({
        type: 'Refused',
        message: expect.stringMatching(
          /had a snapshot of this name, and found it gone when it was to drop it$/,
        ) as string,
      });
      await expectWhole(world);
    });

    /** A load whose snapshot an analyst reads; resolves once it is published. */
    async function published(yaml = ''): Promise<{ handle: Awaited<ReturnType<World['start']>>; reader: TestClient }> {
      const reader = await world.another('warehouse', 'an analyst');
      await world.write('loads/core/order.yaml', `${ORDERS(0).files['loads/core/order.yaml']!}${yaml}`);
      const handle = await world.start('core.order');
      await until(() => snapshotTaken(world), 90);
      await reader.query('begin; select count(*) from acq.orders_processing');
      await until(async () => (await world.states('core.order'))[0] === 'published', 90);
      return { handle, reader };
    }

    const reads = (before: string, after = '$'): RegExp =>
      new RegExp(`${before}in use by ${world.words.holder('an analyst')}${after}`);

    it('waits for whoever reads the snapshot, says who that is, and then drops it', async () => {
      world = await World.create(server, ORDERS(200, { sql: SLOW_SQL(0.3) }));
      await world.worker();
      const { handle, reader } = await published();
      const followed = spawnWaybill(world, ['run', 'core.order', '--attach']);
      await until(async () => (await handle.query(progressQuery)).phase === 'dropping the snapshot', 90);
      const [view] = document(await waybill(world, 'status', '--json')) as BatchView[];
      expect(view).toMatchObject({
        state: 'published',
        waiting: expect.stringMatching(reads('^acq.orders_processing is not dropped yet, ')) as string,
      });
      expect((await waybill(world, 'status')).stdout).toMatch(/next: the next start drops it first/);
      const waits = reads('core.order · waits for acq.orders_processing, ', '');
      await until(() => Promise.resolve(waits.test(world.names.outOf(followed.said()))), 90);
      expect((await handle.describe()).status.name).toBe('RUNNING');
      await reader.query('commit');
      expect(await ended(handle)).toMatchObject({ ok: true, result: { status: 'finished' } });
      expect((await followed.answer).exitCode).toBe(0);
      expect(await exists(world, 'acq.orders_processing')).toBe(false);
      expect(document(await waybill(world, 'status', '--json'))).not.toHaveProperty('0.waiting');
      await expectWhole(world);
    });

    it('does not wait for ever: `after` runs, the load ends, and the next start drops it first', async () => {
      world = await World.create(server, ORDERS(200, { sql: SLOW_SQL(0.3) }));
      await world.warehouse.query('create table core.finished (batch_id bigint)');
      await world.worker({ dropLimitMs: 500 });
      const { handle, reader } = await published('after: "insert into core.finished values (:batch_id)"');
      const first = world.names.outOf(await ended(handle));
      expect(first).toMatchObject({ ok: true, result: { status: 'finished', batch: { batchId: '1' } } });
      expect(first.ok && first.result.left).toMatch(
        reads('^acq.orders_processing is still ', '. The next start drops it first$'),
      );
      expect(await world.rows('select batch_id from core.finished')).toEqual([{ batch_id: '1' }]);
      await expectWhole(world);

      await land(world, 9001);
      const refused = await world.run('core.order');
      expect(refused).toMatchObject({ ok: false, type: 'Refused', where: 'load core.order, batch 1' });
      expect(!refused.ok && refused.message).toMatch(
        reads('^the snapshot of batch 1, which is published, cannot be dropped: acq.orders_processing is still ', ''),
      );
      expect(await world.states('core.order')).toEqual(['published']);
      await reader.query('commit');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectWhole(world);
      expect(await exists(world, 'acq.orders_processing')).toBe(false);
    });
  });

  describe('finds a failed or cancelled batch with its snapshot', () => {
    it('and takes the same snapshot into a new batch, however often that fails', async () => {
      world = await World.create(server, BREAKABLE(500, { broken: 450 }));
      await world.worker();
      const taken = await world.identity('acq.orders');
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      await land(world, 9001);
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      await world.warehouse.query('update core.settings set broken = 0, pause = 30');
      const third = await world.start('core.order');
      await until(async () => (await world.states('core.order')).length === 3, 90);
      await third.cancel();
      expect(await ended(third)).toMatchObject({ ok: false, type: 'Canceled' });
      expect(await world.identity('acq.orders_processing')).toBe(taken);
      expect(await world.value('select count(*) from core.orders')).toBe('0');

      await mend(world);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 505 } });
      expect(await world.value('select count(*) from acq.orders')).toBe('1');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
      await expectWhole(world);
      expect(await batches(world)).toEqual([
        { batch_id: '1', state: 'failed', reprocess_of: null, error_class: 'database' },
        { batch_id: '2', state: 'failed', reprocess_of: '1', error_class: 'database' },
        { batch_id: '3', state: 'cancelled', reprocess_of: '2', error_class: 'cancelled' },
        { batch_id: '4', state: 'published', reprocess_of: '3', error_class: null },
        { batch_id: '5', state: 'published', reprocess_of: null, error_class: null },
      ]);
    });

    it('and is refused, when the inputs were edited since, until they are put back', async () => {
      world = await World.create(server, BREAKABLE(200));
      await world.warehouse.query('create table acq.refunds (id bigint primary key, amount numeric)');
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      const yaml = BREAKABLE(200).files['loads/core/order.yaml']!;
      const more = `${yaml.replace('external: true }', 'external: true }, { table: acq.refunds, external: true }')}
checks: [ { name: refunds, sql: "select count(*) from {{ acq.refunds }} r", expect: 0 } ]`;
      await world.write(
        'loads/core/order.yaml',
        more.replace(
          'outputs:',
          `  - { name: refunds, sql: "delete from core.orders where id in (select id from {{ acq.refunds }} r)" }\noutputs:`,
        ),
      );
      await mend(world);
      expect(await world.run('core.order')).toMatchObject({
        ok: false,
        type: 'Refused',
        message: `the inputs of core.order were edited while batch 1's snapshot is open`,
        next:
          'put inputs back to [acq.orders] and run the load, so that the snapshot is processed; ' +
          'then change them to [acq.orders, acq.refunds]',
      });
      expect(await world.states('core.order')).toEqual(['failed']);
      await world.write('loads/core/order.yaml', yaml);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 202 } });
      await expectWhole(world);
    });
  });

  describe('finds a failed batch without a whole snapshot', () => {
    it('because it failed before: takes a new one, with all that has landed', async () => {
      world = await World.create(
        server,
        ORDERS(300, { yaml: 'before: "insert into core.tried select 1 / ok from core.settings"' }),
      );
      await world.warehouse.query(
        'create table core.settings (ok int); create table core.tried (n int); insert into core.settings values (0)',
      );
      await world.worker();
      const before = await world.identity('acq.orders');
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      expect(await world.identity('acq.orders')).toBe(before);
      expect(await exists(world, 'acq.orders_processing')).toBe(false);
      await land(world, 9001);
      await world.warehouse.query('update core.settings set ok = 1');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 301 } });
      await expectWhole(world);
      expect(await world.states('core.order')).toEqual(['failed', 'published']);
    });

    it('because somebody dropped it: refused, naming it, until --force accepts the loss', async () => {
      world = await World.create(server, BREAKABLE(200));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      await world.warehouse.query('drop table acq.orders_processing; delete from kept.orders');
      await mend(world);
      await land(world, 9001);
      const refused = await world.run('core.order');
      expect(refused).toMatchObject({
        ok: false,
        type: 'Refused',
        message: 'acq.orders_processing, the snapshot of batch 1, is gone, though it was never published',
      });
      expect(!refused.ok && refused.next).toMatch(/waybill run core.order --force/);
      expect(await world.states('core.order')).toEqual(['failed']);
      expect(await world.value('select count(*) from acq.orders')).toBe('1');
      expect(await world.run({ load: 'core.order', force: true })).toMatchObject({
        ok: true,
        result: { rowsWritten: 2 },
      });
      await expectWhole(world);
    });

    it('because another table stands in its place: refused, forced too, and neither is touched; the advice works', async () => {
      world = await World.create(server, BREAKABLE(200));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      await world.warehouse.query(`alter table acq.orders_processing rename to put_away;
                                   create table acq.orders_processing as table acq.put_away`);
      await mend(world);
      for (const force of [false, true]) {
        expect(await world.run({ load: 'core.order', force })).toMatchObject({
          ok: false,
          type: 'Refused',
          message: 'acq.orders_processing is not the table that batch 1 took as its snapshot',
          next: expect.stringMatching(/rename or drop it\) and accept .* waybill run core.order --force$/) as string,
        });
      }
      await world.warehouse.query('drop table acq.orders_processing; delete from kept.orders');
      await land(world, 9001);
      expect(await world.run({ load: 'core.order', force: true })).toMatchObject({ ok: true });
      await expectWhole(world);
    });

    it('because a dump was restored, in which the same table is another one: --adopt takes it for what it was, and no row is lost', async () => {
      world = await World.create(server, BREAKABLE(200));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      await world.warehouse
        .query(`create table restored as table acq.orders_processing; drop table acq.orders_processing;
                                   create table acq.orders_processing as table restored`);
      await mend(world);
      await land(world, 9001);
      const refused = await world.run('core.order');
      expect(!refused.ok && refused.next).toContain('waybill run core.order --adopt');
      expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({ ok: true });
      expect(await world.run('core.order')).toMatchObject({ ok: true });
      await expectWhole(world);
      expect(await world.states('core.order')).toEqual(['failed', 'published', 'published']);
    });

    it('of two inputs one is gone: --force goes on with the other, and so does every start after it', async () => {
      const orders = BREAKABLE(200, { yaml: 'before: "insert into core.tried select 1 / ok from core.switch"' });
      const refunds = '{ table: acq.refunds, external: true }';
      world = await World.create(server, {
        warehouse: `${orders.warehouse}
          create table core.switch (ok int); create table core.tried (n int); insert into core.switch values (1);
          create table acq.refunds (id bigint primary key, amount numeric);
          insert into acq.refunds values (5000, 7), (5001, 8);
          create table core.refunds (id bigint, amount numeric, batch_id bigint);`,
        files: {
          ...orders.files,
          'loads/core/order.yaml': orders.files['loads/core/order.yaml']!.replace(
            'external: true }',
            `external: true }, ${refunds}`,
          ).replace(
            'outputs: [ core.orders ]',
            `  - { name: refunds, sql: "insert into core.refunds select r.id, r.amount, :batch_id from {{ acq.refunds }} r" }
outputs: [ core.orders, core.refunds ]`,
          ),
        },
      });
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({
        ok: false,
        message: expect.stringMatching(/^chunk 1 of 2/) as string,
      });
      await world.warehouse.query(`drop table acq.refunds_processing; insert into acq.refunds values (5002, 9);
                                   update core.switch set ok = 0`);
      await mend(world);
      const refused = await world.run('core.order');
      expect(!refused.ok && refused.message).toMatch(/^acq.refunds_processing, the snapshot of batch 1, is gone/);
      // Forced, and fails again before the second table's snapshot: that must not look like edited inputs.
      expect(await world.run({ load: 'core.order', force: true })).toMatchObject({ ok: false, type: 'Database' });
      await world.warehouse.query('update core.switch set ok = 1');
      expect(await world.run('core.order')).toMatchObject({ ok: true });
      await expectWhole(world);
      expect(await world.rows('select id, batch_id from core.refunds')).toEqual([{ id: '5002', batch_id: '3' }]);
    });
  });

  describe('finds an unfinished batch', () => {
    it('whose workflow is alive: ends with 4, naming both, and touches nothing', async () => {
      world = await World.create(server, BREAKABLE(400, { broken: 0, pause: 30 }));
      await world.worker();
      const handle = await world.start('core.order');
      await until(async () => (await world.value('select count(*) from waybill.chunk')) === '4', 90);
      // Under one name Temporal itself refuses; a rename is the way past it.
      await world.write(
        'loads/core/sale.yaml',
        `${BREAKABLE(0).files['loads/core/order.yaml']!}renamed_from: core.order`,
      );
      await rm(join(world.directory, 'loads/core/order.yaml'));
      for (const flags of [[], ['--force']]) {
        const refused = await waybill(world, 'run', 'core.sale', '--json', ...flags);
        expect(refused.exitCode).toBe(4);
        expect(document(refused)).toMatchObject({
          load: 'core.sale',
          status: 'error',
          batch_id: null,
          error: {
            type: 'AlreadyRunning',
            message: 'batch 1 is still run by workflow load/core.order',
            where: 'load core.order, batch 1',
            next: 'wait for it, or cancel it: temporal workflow cancel --workflow-id load/core.order',
          },
        });
      }
      expect(await world.rows('select load_name, state from waybill.batch')).toEqual([
        { load_name: 'core.order', state: 'running' },
      ]);

      await handle.cancel();
      expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
      await mend(world);
      expect(await world.run('core.sale')).toMatchObject({ ok: true, result: { rowsWritten: 404 } });
      await expectWhole(world);
      expect(await world.states('core.sale')).toEqual(['cancelled', 'published']);
    });

    it('whose workflow was terminated: fences it, rolls it back and redoes it at once', async () => {
      world = await World.create(server, BREAKABLE(2000, { broken: 0, pause: 0.3 }));
      await world.worker();
      await terminateHalfWay(world);
      await land(world, 9001);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2020 } });
      expect(await batches(world)).toEqual([
        { batch_id: '1', state: 'failed', reprocess_of: null, error_class: 'interrupted' },
        { batch_id: '2', state: 'published', reprocess_of: '1', error_class: null },
      ]);
      expect(await world.value('select count(*) from core.orders where batch_id = 1')).toBe('0');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
      await expectWhole(world);
    });

    it('whose workflow timed out: does the same', async () => {
      world = await World.create(server, BREAKABLE(2000, { broken: 0, pause: 0.3 }));
      await world.worker();
      // Whoever starts it may give it a time of its own.
      const handle = await world.start('core.order', { workflowRunTimeout: '25 seconds' });
      await until(async () => (await done(world)) > 2, 90);
      await world.warehouse.query('update core.settings set pause = 100');
      expect(await ended(handle)).toMatchObject({ ok: false, type: 'TimeoutFailure' });
      expect((await handle.describe()).status.name).toBe('TIMED_OUT');
      expect(await world.states('core.order')).toEqual(['running']);
      await mend(world);
      await redoesWhole(2000);
    });

    it('whose workflow failed before it could fence it: does the same', async () => {
      world = await World.create(server, BREAKABLE(500, { broken: 250 }));
      await world.worker();
      await world.warehouse.query(STAY[world.words.family].begin);
      const failed = await world.run('core.order');
      expect(failed).toMatchObject({ ok: false, type: 'Database' });
      expect(!failed.ok && failed.message).toContain('and the roll back is not finished');
      expect((await world.client.workflow.getHandle('load/core.order').describe()).status.name).toBe('FAILED');
      expect(await world.states('core.order')).toEqual(['running']);
      await world.warehouse.query(STAY[world.words.family].end);
      await mend(world);
      await redoesWhole(500);
    });

    async function redoesWhole(orders: number): Promise<void> {
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: orders + orders / 100 } });
      expect(await batches(world)).toEqual([
        { batch_id: '1', state: 'failed', reprocess_of: null, error_class: 'interrupted' },
        { batch_id: '2', state: 'published', reprocess_of: '1', error_class: null },
      ]);
      await expectWhole(world);
    }

    it('whose load was edited since: takes its rows back from where it wrote them, and redoes it as the files are now', async () => {
      world = await World.create(server, BREAKABLE(1000, { broken: 0, pause: 0.2 }));
      await world.warehouse.query(
        'create table core.elsewhere (like core.orders); create index elsewhere_by_batch on core.elsewhere (batch_id)',
      );
      await world.worker();
      await terminateHalfWay(world);
      for (const file of ['loads/core/order.yaml', 'loads/core/order.sql']) {
        const text = BREAKABLE(1000).files[file]!;
        await world.write(file, text.replaceAll('core.orders', 'core.elsewhere').replace('lanes: 2', 'lanes: 1'));
      }
      await mend(world);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1010 } });
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      await world.warehouse.query('insert into core.orders table core.elsewhere');
      await expectWhole(world);
    });

    it('of a load that is disabled by now: rolls it back, and is refused then; `plan` says so', async () => {
      world = await World.create(server, BREAKABLE(1000, { broken: 0, pause: 0.2 }));
      await world.worker();
      await terminateHalfWay(world);
      const file = 'loads/core/order.yaml';
      const text = BREAKABLE(1000).files[file]!;
      await world.write(file, `${text}\nenabled: false\n`);
      expect(await world.value('select count(*) from core.orders')).not.toBe('0');
      expect(document(await waybill(world, 'plan', 'core.order', '--json'))).toMatchObject({
        does: 'refused',
        because: [
          'core.order is disabled',
          'set enabled: true',
          'first, batch 1 is rolled back: its workflow ended without finishing it',
        ],
        removes: [{ table: 'core.orders', batch: '1' }],
      });
      const refused = { ok: false, type: 'Refused', message: 'core.order is disabled', next: 'set enabled: true' };
      expect(await world.run('core.order')).toMatchObject(refused);
      expect(await world.states('core.order')).toEqual(['failed']);
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      expect(await world.run('core.order')).toMatchObject(refused);
      expect(await world.states('core.order')).toEqual(['failed']);
      await world.write(file, text);
      await mend(world);
      await redoesWhole(1000);
    });

    it('that was interrupted: does not roll it back for a start that only wants to resume', async () => {
      world = await World.create(server, BREAKABLE(2000, { broken: 0, pause: 0.2 }));
      await world.worker();
      await terminateHalfWay(world);
      const refused = await world.run({ load: 'core.order', resume: true });
      expect(refused).toMatchObject({ ok: false, type: 'Refused' });
      expect(!refused.ok && refused.message).toMatch(/^batch 1 is running, not held/);
      expect(await world.states('core.order')).toEqual(['running']);
      expect(await world.run('core.order')).toMatchObject({ ok: true });
      await expectWhole(world);
    });

    for (const state of ['running', 'checking']) {
      it(`whose workflow nobody knows, ${state}: refused until its max_runtime is over, then redone`, async () => {
        world = await World.create(server, BREAKABLE(2000, { broken: 0, pause: 0.2 }));
        await world.worker();
        await terminateHalfWay(world);
        await forgetWorkflow(world);
        if (state === 'checking') await world.warehouse.query(`update waybill.batch set state = 'checking'`);
        const deadline = (await world.value('select deadline_at from waybill.batch')) as Date;
        const refused = await world.run('core.order');
        expect(refused).toMatchObject({ ok: false, type: 'Refused' });
        expect(!refused.ok && refused.message).toMatch(
          new RegExp(`^batch 1 is ${state}, started by a workflow that this Temporal server does not know`),
        );
        expect(!refused.ok && refused.next).toContain(deadline.toISOString());
        expect(await world.states('core.order')).toEqual([state]);

        await world.warehouse.query(`update waybill.batch set deadline_at = now() - interval '1 second'`);
        expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2020 } });
        await expectWhole(world);
        expect(await batches(world)).toEqual([
          { batch_id: '1', state: 'failed', reprocess_of: null, error_class: 'timeout' },
          { batch_id: '2', state: 'published', reprocess_of: '1', error_class: null },
        ]);
      });
    }

    // As `retract` will leave it; today nothing does but a hand in the ledger.
    it('that is being retracted: refused, also with --force, and goes on from where that ends', async () => {
      world = await World.create(server, ORDERS(300));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '1' } } });
      await land(world, 9001);
      await world.warehouse.query(`update waybill.batch set state = 'retracting'`);
      for (const asked of [{}, { force: true }, { resume: true }]) {
        expect(await world.run({ load: 'core.order', ...asked })).toMatchObject({
          ok: false,
          type: 'Refused',
          message: 'batch 1 is being retracted',
          where: 'load core.order, batch 1',
          next: 'let the retraction end, then start again',
        });
      }
      expect(await world.states('core.order')).toEqual(['retracting']);
      expect(await world.value('select count(*) from acq.orders')).toBe('1');
      expect(await world.value('select count(*) from core.orders')).toBe('300');

      await world.warehouse.query(`update waybill.batch set state = 'retracted'; delete from core.orders`);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.states('core.order')).toEqual(['retracted', 'published']);
    });

    it('whose workflow nobody knows: redone at once with --force, which stands in the ledger with its name', async () => {
      world = await World.create(server, BREAKABLE(1000, { broken: 0, pause: 0.2 }));
      await world.worker();
      await terminateHalfWay(world);
      await forgetWorkflow(world);
      await world.warehouse.query(`update waybill.batch set state = 'checking'`);
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Refused' });
      const forced = await world.run({ load: 'core.order', force: true, requestedBy: 'mary' });
      expect(forced).toMatchObject({ ok: true, result: { rowsWritten: 1010 } });
      await expectWhole(world);
      expect(await world.rows('select state, forced, requested_by from waybill.batch order by batch_id')).toEqual([
        { state: 'failed', forced: false, requested_by: null },
        { state: 'published', forced: true, requested_by: 'mary' },
      ]);
      expect(
        await world.rows(`select requested_by, reason from waybill.event where batch_id = 1 and what = 'rolling_back'`),
      ).toEqual([{ requested_by: 'mary', reason: 'forced' }]);
    });

    it('half rolled back: finishes that first, even when its workflow is not known', async () => {
      world = await World.create(server, BREAKABLE(400, { broken: 350 }));
      await world.warehouse.query(KEEP[world.words.family].begin);
      await world.worker();
      const first = await world.run('core.order');
      expect(first).toMatchObject({ ok: false, type: 'Database' });
      expect(!first.ok && first.message).toMatch(/[Dd]ivision by (zero|0).*and the roll back is not finished/);
      expect(await world.states('core.order')).toEqual(['rolling_back']);
      await forgetWorkflow(world);
      await mend(world);
      expect(await world.run('core.order')).toMatchObject({ ok: false });
      expect(await world.states('core.order')).toEqual(['rolling_back']);

      await world.warehouse.query(KEEP[world.words.family].end);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
      await expectWhole(world);
      expect(await batches(world)).toEqual([
        { batch_id: '1', state: 'failed', reprocess_of: null, error_class: 'database' },
        { batch_id: '2', state: 'published', reprocess_of: '1', error_class: null },
      ]);
    });
  });

  it('redoes a load that ran past its max_runtime, over the same snapshot', async () => {
    world = await World.create(server, BREAKABLE(300, { broken: 0, pause: 60, yaml: 'max_runtime: 4s' }));
    await world.worker();
    const first = await world.run('core.order');
    expect(first).toMatchObject({ ok: false, type: 'Timeout' });
    expect(await world.rows('select state, error_class, reason from waybill.batch')).toEqual([
      { state: 'failed', error_class: 'timeout', reason: 'timeout' },
    ]);
    expect(await world.count(world.words.lanesAtWork)).toBe(0);
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('300');
    await world.write('loads/core/order.yaml', BREAKABLE(300).files['loads/core/order.yaml']!);
    await mend(world);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 303 } });
    await expectWhole(world);
  });

  it('may be forced twice in a row: two batches are rolled back, the third is published', async () => {
    world = await World.create(server, BREAKABLE(600, { broken: 0, pause: 30 }));
    await world.worker();
    const handle = await world.start('core.order');
    for (const batch of [1, 2]) {
      await until(
        async () => (await world.value(`select count(*) from waybill.chunk where batch_id = ${batch}`)) === '6',
        90,
      );
      await handle.executeUpdate(forceReloadUpdate, { args: [{ requestedBy: 'joe', reason: `force ${batch}` }] });
    }
    await until(async () => (await world.states('core.order')).length === 3, 90);
    await mend(world);
    await world.end(world.words.lanesAtWork);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 606, batch: { batchId: '3' } } });
    await expectWhole(world);
    expect(await world.rows('select state, attempt, reprocess_of from waybill.batch order by batch_id')).toEqual([
      { state: 'failed', attempt: 1, reprocess_of: null },
      { state: 'failed', attempt: 2, reprocess_of: '1' },
      { state: 'published', attempt: 3, reprocess_of: '2' },
    ]);
  });

  it('opens one batch however often the same attempt of the same workflow asks', async () => {
    world = await World.create(server, ORDERS(20));
    const { openBatch } = await activitiesOf(world);
    // Both find no batch of theirs, and then wait to open one.
    await world.warehouse.query('begin; select * from waybill.project for update');
    const both = Promise.all([openBatch(OPEN_ORDER), openBatch(OPEN_ORDER)]);
    await until(async () => (await world.count(world.words.waiting)) === 2, 90);
    await world.warehouse.query('commit');
    const [first, second] = await both;
    expect(first).toMatchObject({ kind: 'opened', batch: { batchId: '1' } });
    // Of its time less is left with each answer.
    const same = { ...first, batch: { ...(first as { batch: object }).batch, leftMs: expect.any(Number) as number } };
    expect(second).toEqual(same);
    expect(await openBatch(OPEN_ORDER)).toEqual(same);
    expect(await world.rows('select batch_id, last_batch_id from waybill.batch, waybill.project')).toEqual([
      { batch_id: '1', last_batch_id: '1' },
    ]);
    // The next attempt of the same workflow is another batch, and only once this one has ended.
    expect(await openBatch({ ...OPEN_ORDER, attempt: 2 })).toMatchObject({ kind: 'redo', batch: { batchId: '1' } });
    await expect(openBatch({ ...OPEN_ORDER, firstRunId: 'another run' })).rejects.toMatchObject({ type: 'Refused' });
  });
});
