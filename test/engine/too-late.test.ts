/** A cancel, a force, a pause or another number of lanes that comes when nothing can be changed any more: whoever asked is told so, and nothing changes. */
import type { WorkflowHandle } from '@temporalio/client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  cancelSignal,
  cancelUpdate,
  forceReloadSignal,
  forceReloadUpdate,
} from '../../src/workflows/message-definitions.ts';
import { waybill } from '../cli/command-line.ts';
import { someServers } from '../every-server.ts';
import { asleepAt, endSleepers, HELD_ORDERS, holdAt, installMoments, steps, type MomentName } from './moments.ts';
import { expectWhole } from './orders.ts';
import { ended, World } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

describe.each(someServers(import.meta.url))('a cancel or a force that comes too late on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  /** Every way in which a person can ask for an end, a new beginning or another pace, while the load is in the state that it stays in. */
  async function askForAll(handle: WorkflowHandle, state: string): Promise<void> {
    for (const update of [cancelUpdate, forceReloadUpdate]) {
      expect(await handle.executeUpdate(update, { args: [{ requestedBy: 'joe' }] })).toMatchObject({
        answer: `too late: the batch is ${state}`,
      });
    }
    for (const signal of [cancelSignal, forceReloadSignal]) await handle.signal(signal, { requestedBy: 'joe' });
    for (let times = 0; times < 2; times += 1) await handle.cancel();
    const forced = await waybill(world, 'run', 'core.order', '--force');
    expect(forced.exitCode).toBe(1);
    expect(forced.stderr).toContain(`core.order cannot be forced to reload: too late: the batch is ${state}`);
    for (const argv of [
      ['pause', 'core.order'],
      ['lanes', 'core.order', '2'],
    ]) {
      const { exitCode, stdout, stderr } = await waybill(world, ...argv);
      expect([exitCode, stdout], argv[0]).toEqual([1, '']);
      expect(stderr).toContain(`core.order: too late: the batch is ${state}\n  where: load core.order, batch 1\n`);
    }
  }

  /** Asks at each of these moments, in the state that is said then; what was held there is ended by the server, and tried again. */
  async function runAsking(states: Partial<Record<MomentName, string>>): Promise<WorkflowHandle> {
    const moments = Object.keys(states) as MomentName[];
    await world.worker();
    await installMoments(world);
    await holdAt(world, moments[0]);
    const handle = await world.start('core.order');
    for (const [i, moment] of moments.entries()) {
      await asleepAt(world, moment);
      await askForAll(handle, states[moment]!);
      await holdAt(world, moments[i + 1]);
      expect(await endSleepers(world)).toBe(1);
    }
    return handle;
  }

  test('for a published batch: it stays published, and is finished', async () => {
    world = await World.create(server, HELD_ORDERS(300));
    const handle = await runAsking({ 'the drop of the snapshot': 'published', 'a step after': 'published' });
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 300, batch: { batchId: '1' } } });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['published']);
    expect(await steps(world)).toEqual(['after', 'before']);
    expect(await world.exists('acq.orders_processing')).toBe(false);
  });

  test('for one that has failed and is being rolled back: it is rolled back, and says why it failed', async () => {
    world = await World.create(server, HELD_ORDERS(300, { broken: 250, lanes: 1 }));
    const handle = await runAsking({
      fence: 'being broken off',
      'the roll back of an output': 'rolling_back',
      'the end of the roll back': 'rolling_back',
    });
    const end = await ended(handle);
    expect(end).toMatchObject({ ok: false, type: 'Database' });
    expect(!end.ok && end.message).toContain(world.words.divisionByZero);
    expect(await world.rows('select state, error_class, requested_by from waybill.batch')).toMatchObject([
      { state: 'failed' },
    ]);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    await world.warehouse.query('delete from core.broken');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
    await expectWhole(world);
  });
});
