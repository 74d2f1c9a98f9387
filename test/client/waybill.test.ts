import { afterEach, describe, expect, test } from 'vitest';
import {
  AlreadyRunningError,
  CancelledError,
  ConfigurationError,
  RunFailedError,
  Waybill,
} from '../../src/client/index.ts';
import { BREAKABLE, done } from '../engine/breakable-orders.ts';
import { ORDERS, World } from '../engine/orders.ts';
import { until } from '../engine/world.ts';
import { someServers } from '../every-server.ts';

describe.each(someServers(import.meta.url))('Waybill as a library on $name', (server) => {
  let world: World;
  let waybill: Waybill;
  afterEach(async () => {
    await waybill.close();
    await world.close();
  });

  const open = async (): Promise<Waybill> =>
    Waybill.open({
      project: world.directory,
      env: { ...world.env, TEMPORAL_ADDRESS: world.address, TEMPORAL_NAMESPACE: world.namespace },
    });

  test('has the verbs of the command line as methods', async () => {
    world = await World.create(server, ORDERS(300, { byKey: true }));
    waybill = await open();
    expect(await waybill.validate()).toMatchObject({ loads: 1, statements: { checked: 1 } });
    expect(await waybill.migrate()).toEqual({
      warehouse: [
        '001.control-tables.sql',
        '002.session-parameters.sql',
        '003.file-state.sql',
        '004.planned-with.sql',
        '005.table-identity.sql',
      ],
    });
    expect(await waybill.plan('core.order')).toMatchObject({ does: 'new batch' });
    await world.worker();

    const run = await waybill.run('core.order', { requestedBy: 'a test' });
    expect(await run.result()).toMatchObject({
      status: 'finished',
      loads: [{ load: 'core.order', batch_id: '1', rows_written: 300 }],
    });
    expect((await waybill.status()).loads).toMatchObject([
      { view: { load: 'core.order', state: 'published' }, connection: 'warehouse' },
    ]);
    const { batch, events } = await waybill.show('1');
    expect(batch.requestedBy).toBe('a test');
    expect(events.map(({ what }) => what)).toContain('published');
    const again = await (await waybill.follow('core.order')).result();
    expect(again.loads[0]?.batch_id).toBe('1');
  });

  test('plans no batch of a load that is disabled: a start of it is refused', async () => {
    world = await World.create(server, ORDERS(20, { yaml: 'enabled: false\ndescription: of the shop' }));
    waybill = await open();
    await waybill.migrate();
    expect(await waybill.plan('core.order')).toMatchObject({
      does: 'refused',
      because: ['core.order is disabled', 'set enabled: true'],
      description: 'of the shop',
    });
  });

  test('throws classes that say what happened', async () => {
    world = await World.create(server, BREAKABLE(1_000, { broken: 0, pause: 3 }));
    waybill = await open();
    await world.worker();
    await expect(waybill.run('core.ordr')).rejects.toThrow(ConfigurationError);
    const run = await waybill.run('core.order');
    await until(async () => (await done(world).catch(() => 0)) > 0);
    await expect(waybill.run('core.order')).rejects.toThrow(AlreadyRunningError);
    const looks = await run.look();
    expect(looks).toMatchObject([{ load: 'core.order', status: 'running', batch: { batchId: '1' } }]);
    expect(looks[0]?.stages[0]?.done).toBeGreaterThan(0);
    await waybill.cancel('core.order');
    const cancelled = await run.result();
    expect(cancelled.status).toBe('cancelled');
    expect(cancelled.error).toBeInstanceOf(CancelledError);

    await world.warehouse.query('update core.settings set broken = 250, pause = 0');
    const failed = await (await waybill.run('core.order')).result();
    expect(failed).toMatchObject({ status: 'failed', loads: [{ batch_id: '2', state: 'failed' }] });
    expect(failed.error).toBeInstanceOf(RunFailedError);
    expect(failed.error).toMatchObject({ type: 'Database', exitCode: 1 });
  });

  test('of a workflow that was terminated says so, and what heals it', async () => {
    world = await World.create(server, BREAKABLE(1_000, { broken: 0, pause: 3 }));
    waybill = await open();
    await world.worker();
    const run = await waybill.run('core.order');
    await until(async () => (await done(world).catch(() => 0)) > 0);
    await world.client.workflow.getHandle('load/core.order').terminate('by a test');
    const { status, error } = await run.result();
    expect(status).toBe('failed');
    expect(error).toMatchObject({ type: 'Terminated' });
    expect(error?.next).toContain('waybill run core.order');
    expect((await waybill.status()).loads).toMatchObject([{ view: { status: 'running' }, workflow: 'ended' }]);
    expect(world.names.outOf(await waybill.plan('core.order'))).toMatchObject({
      does: 'redo',
      redoes: '1',
      because: ['batch 1 is rolled back: its workflow ended without finishing it'],
      removes: [{ table: 'core.orders', batch: '1' }],
    });
    // A roll back goes by what the batch began with, whatever its file says by now.
    const file = ORDERS(0, { byKey: true }).files['loads/core/order.yaml']!;
    await world.write('loads/core/order.yaml', file.replace('outputs: [ core.orders ]', 'outputs: [ core.ran ]'));
    await world.write(
      'loads/core/order.sql',
      'insert into core.ran (batch_id, id) select :batch_id, o.id from {{ acq.orders }} o',
    );
    const edited = await open();
    world.atClose(() => edited.close());
    expect(world.names.outOf(await edited.plan('core.order'))).toMatchObject({
      removes: [{ table: 'core.orders', batch: '1' }],
    });
  });
});
