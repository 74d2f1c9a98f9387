/** A load that says `renamed_from` goes on where its old name stopped. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { sessionWorkflowId, TASK_QUEUE } from '../../src/workflows/messages.ts';
import type { session } from '../../src/workflows/session.ts';
import { document, waybill } from '../cli/command-line.ts';
import { someServers } from '../every-server.ts';
import { batches, BREAKABLE, land, mend } from './breakable-orders.ts';
import { holdLatch, LATCHES, WAIT, waitsAtLatch } from './latch.ts';
import { expectSame, expectWhole, ORDERS, World } from './orders.ts';
import { ended, until } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Renames a load's file, and adds lines to it. */
async function renameLoad(world: World, from: string, to: string, yaml: string, says?: string): Promise<void> {
  const file = (load: string): string => `loads/${load.replace('.', '/')}.yaml`;
  await rename(join(world.directory, file(from)), join(world.directory, file(to)));
  await world.write(file(to), `${yaml}\n${says ?? `renamed_from: ${from}`}`);
}

/** Sums each batch of orders; what it consumes and is called is up to the test. */
const TOTAL = (consumes: string, extra = ''): string => `
kind: services
connection: warehouse
consumes: [ ${consumes} ]
stages:
  - name: totals
    sql: insert into core.totals select o.batch_id, count(*), :batch_id from {{ core.orders }} o group by o.batch_id
outputs: [ core.totals ]
${extra}`;

const TOTALS = 'create table core.totals (order_batch bigint, n bigint, batch_id bigint);';

describe.each(someServers(import.meta.url))('a renamed load on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('keeps its history, its snapshot and its last load', async () => {
    const orders = BREAKABLE(300, {
      yaml: `after: "insert into core.times (batch_id, last_load_at) values (:batch_id, :last_load_at)"`,
    });
    world = await World.create(server, orders);
    await world.warehouse.query(
      'create table core.times (batch_id bigint, last_load_at timestamptz); update core.settings set broken = 0',
    );
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await land(world, 9001);
    await world.warehouse.query('update core.settings set broken = 9001');
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    await renameLoad(world, 'core.order', 'core.sale', orders.files['loads/core/order.yaml']!);
    await mend(world);
    await land(world, 9002);
    expect(await world.run('core.sale')).toMatchObject({ ok: true, result: { batch: { batchId: '3' } } });
    expect(await world.run('core.sale')).toMatchObject({ ok: true, result: { batch: { batchId: '4' } } });
    await expectWhole(world);
    expect(await world.states('core.sale')).toEqual(['published', 'failed', 'published', 'published']);
    expect(await world.states('core.order')).toEqual([]);
    expect(await batches(world)).toMatchObject([{}, {}, { reprocess_of: '2' }, { reprocess_of: null }]);
    const started = await world.rows<{ started_at: Date }>('select started_at from waybill.batch order by batch_id');
    expect(await world.rows('select batch_id, last_load_at from core.times order by batch_id')).toEqual([
      { batch_id: '1', last_load_at: null },
      { batch_id: '3', last_load_at: started[0]!.started_at },
      { batch_id: '4', last_load_at: started[2]!.started_at },
    ]);
    expect(await world.rows(`select load_name, reason from waybill.event where what = 'renamed'`)).toEqual([
      { load_name: 'core.sale', reason: 'from core.order' },
    ]);
  });

  test('that still runs under its old name is waited for by a session, and then runs for what came since', async () => {
    const orders = BREAKABLE(300, { broken: 0, pause: 30 });
    world = await World.create(server, {
      ...orders,
      files: {
        ...orders.files,
        'waybill.yaml': `name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 } }
sessions: { nightly: { loads: [ core.* ] } }`,
      },
    });
    await world.worker();
    const old = await world.start('core.order');
    await until(async () => (await world.value('select count(*) from waybill.chunk')) === '3', 90);
    await renameLoad(world, 'core.order', 'core.sale', orders.files['loads/core/order.yaml']!);
    const nightly = await world.client.workflow.start<typeof session>('session', {
      workflowId: sessionWorkflowId('nightly'),
      taskQueue: TASK_QUEUE,
      args: [{ session: 'nightly' }],
    });
    const waits = async () =>
      (await nightly.describe()).raw.pendingActivities?.some(({ activityType }) => activityType?.name === 'awaitLoad');
    await until(waits, 90);
    await land(world, 9001);
    await mend(world);
    await world.end(world.words.lanesAtWork);
    expect(await ended(old)).toMatchObject({ ok: true, result: { batch: { batchId: '1' } } });
    expect(await nightly.result()).toMatchObject({
      status: 'finished',
      loads: [{ load: 'core.sale', status: 'finished', batch: { batchId: '2' } }],
    });
    await expectWhole(world);
    expect(await world.states('core.sale')).toEqual(['published', 'published']);
  });

  test('resumes what was held under its old name', async () => {
    const orders = BREAKABLE(300, { yaml: 'on_failure: hold' });
    world = await World.create(server, orders);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    await renameLoad(world, 'core.order', 'core.sale', orders.files['loads/core/order.yaml']!);
    await mend(world);
    expect(await world.run({ load: 'core.sale', resume: true })).toMatchObject({
      ok: true,
      result: { batch: { batchId: '1' } },
    });
    await expectWhole(world);
    await land(world, 9001);
    expect(await world.run('core.sale')).toMatchObject({ ok: true });
    await expectWhole(world);
    expect(await world.states('core.sale')).toEqual(['published', 'published']);
  });

  test('that consumes takes nothing twice; a producer that is renamed loses none of its batches', async () => {
    const orders = ORDERS(100);
    world = await World.create(server, {
      files: { ...orders.files, 'loads/core/total.yaml': TOTAL('core.order') },
      warehouse: `${orders.warehouse} ${TOTALS}`,
    });
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.run('core.total')).toMatchObject({ ok: true });
    await land(world, 9001);
    expect(await world.run('core.order')).toMatchObject({ ok: true });

    await renameLoad(world, 'core.order', 'core.sale', orders.files['loads/core/order.yaml']!);
    await renameLoad(world, 'core.total', 'core.sum', TOTAL('core.sale'));
    await land(world, 9002);
    expect(await world.run('core.sale')).toMatchObject({ ok: true });
    expect(document(await waybill(world, 'plan', 'core.sum', '--json'))).toMatchObject({
      does: 'new batch',
      consumes: ['3', '4'].map((batchId) => ({ load: 'core.sale', batchId })),
    });
    expect(await world.states('core.total')).toEqual(['published']);
    expect(await world.run('core.sum')).toMatchObject({ ok: true });
    expect(await world.run('core.sum')).toMatchObject({ ok: true, result: { status: 'nothing' } });
    expect(await world.rows('select order_batch, n, batch_id from core.totals order by 1')).toEqual([
      { order_batch: '1', n: '100', batch_id: '2' },
      { order_batch: '3', n: '1', batch_id: '5' },
      { order_batch: '4', n: '1', batch_id: '5' },
    ]);
    await expectWhole(world);
  });

  test('while one of its consumers runs: that one goes on to see its rows', async () => {
    const orders = ORDERS(100);
    const waits = `before: "${WAIT(1)}"`;
    world = await World.create(server, {
      files: { ...orders.files, 'loads/core/total.yaml': TOTAL('core.order', waits) },
      warehouse: `${orders.warehouse} ${TOTALS} ${LATCHES}`,
    });
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    const letGo = await holdLatch(world, 1);
    const total = await world.start('core.total');
    await waitsAtLatch(world);
    await renameLoad(world, 'core.order', 'core.sale', orders.files['loads/core/order.yaml']!);
    await world.write('loads/core/total.yaml', TOTAL('core.sale', waits));
    await land(world, 9001);
    expect(await world.run('core.sale')).toMatchObject({ ok: true });
    await letGo();
    expect(await ended(total)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.run('core.total')).toMatchObject({ ok: true });
    expect(await world.rows('select order_batch, n from core.totals order by 1')).toEqual([
      { order_batch: '1', n: '100' },
      { order_batch: '3', n: '1' },
    ]);
    await expectWhole(world);
  });

  test('that does not say so is refused before anything is read; with --force it takes the table over, and begins anew', async () => {
    const orders = ORDERS(100);
    world = await World.create(server, orders);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await land(world, 9001);
    await renameLoad(world, 'core.order', 'core.sale', orders.files['loads/core/order.yaml']!, '');
    const refused = {
      message: 'core.orders was written by core.order so far (batch 1), and core.sale is new',
      where: 'loads/core/sale.yaml',
      next:
        'if it is the same load under another name, write renamed_from: core.order; ' +
        'if it takes the table over and begins anew, say so once: waybill run core.sale --force',
    };
    expect(await world.run('core.sale')).toMatchObject({ ok: false, type: 'Refused', ...refused });
    expect((await waybill(world, 'plan', 'core.sale')).stdout).toContain(refused.message);
    expect(await batches(world)).toHaveLength(1);
    expect(await world.run({ load: 'core.sale', force: true })).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await land(world, 9002);
    expect(await world.run('core.sale')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await expectWhole(world);
  });

  test('that acquires reads no window twice', async () => {
    const acquisition = `
kind: acquisition
connection: warehouse
from: { connection: source, table: public.events, cursor: id }
to: acq.events`;
    world = await World.create(server, {
      files: { 'loads/acquisition/event.yaml': acquisition },
      source:
        'create table events (id bigint primary key, what text); insert into events select g, g::text from generate_series(1, 500) g',
      warehouse: `create schema acq;
        create table acq.events (id bigint, what text, batch_id bigint, ngdw_id bigint generated always as identity primary key)`,
    });
    await world.worker();
    expect(await world.run('acquisition.event')).toMatchObject({ ok: true, result: { rowsWritten: 500 } });
    await renameLoad(world, 'acquisition.event', 'acquisition.happening', acquisition);
    const planned = async () => document(await waybill(world, 'plan', 'acquisition.happening', '--json'));
    expect(await planned()).toMatchObject({ does: 'nothing', window: null });
    await world.source.query('insert into events values (501, 501)');
    expect(await planned()).toMatchObject({ does: 'new batch', window: { column: 'id', from: '501', to: '502' } });
    await world.source.query('delete from events where id = 501');
    expect(await world.states('acquisition.event')).toEqual(['published']);
    expect(await world.run('acquisition.happening')).toMatchObject({ ok: true, result: { status: 'nothing' } });
    await world.source.query('insert into events select g, g::text from generate_series(501, 510) g');
    expect(await world.run('acquisition.happening')).toMatchObject({ ok: true, result: { rowsWritten: 10 } });
    await expectSame(world, 'select g as id from generate_series(1, 510) g', 'select id from acq.events', ['id']);
  });
});
