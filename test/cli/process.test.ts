import { afterEach, describe, expect, test } from 'vitest';
import { batches, BREAKABLE, done } from '../engine/breakable-orders.ts';
import { ORDERS, World } from '../engine/orders.ts';
import { until } from '../engine/world.ts';
import { servers } from '../servers.ts';
import { document, spawnWaybill, waybill } from './command-line.ts';

// Signals and processes do not depend on the version of the database: one server is enough.
describe.each(servers.slice(0, 1))('the command line as a process of its own on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('Ctrl-C on run leaves the load running and says how to end it, with 0', async () => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.worker();
    const { child, answer } = spawnWaybill(world, ['run', 'core.order', '--json']);
    await until(async () => (await done(world).catch(() => 0)) > 1);
    child.kill('SIGINT');
    const ended = await answer;
    expect(ended.exitCode).toBe(0);
    expect(document(ended)).toMatchObject({ load: 'core.order', status: 'running', batch_id: '1' });
    expect(ended.stderr).toContain('waybill cancel core.order');
    expect(await batches(world)).toMatchObject([{ state: 'running' }]);
    expect((await waybill(world, 'cancel', 'core.order')).exitCode).toBe(0);
  });

  test('Ctrl-C twice cancels it, waits until it is rolled back, and ends with 3', async () => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.worker();
    const { child, answer, said } = spawnWaybill(world, ['run', 'core.order', '--json']);
    await until(async () => (await done(world).catch(() => 0)) > 1);
    child.kill('SIGINT');
    await until(() => Promise.resolve(said().includes('Ctrl-C again cancels it')));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    const ended = await answer;
    expect(ended.exitCode).toBe(3);
    expect(document(ended)).toMatchObject({ state: 'cancelled', error: { type: 'Cancelled' } });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
  });

  test('worker makes the control tables, runs loads, and stops at SIGTERM with 0', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const { child, answer, said } = spawnWaybill(world, ['worker']);
    await until(() => Promise.resolve(said().includes('the worker polls')));
    expect((await waybill(world, 'run', 'core.order')).exitCode).toBe(0);
    child.kill('SIGTERM');
    expect(await answer).toMatchObject({ exitCode: 0, stdout: '' });
    const killed = Date.now();
    expect((await waybill(world, 'run', 'core.order')).exitCode).toBe(5);
    // `run` gives a worker that is just starting ten seconds.
    expect(Date.now() - killed).toBeLessThan(20_000);
  });

  test('of a worker that was killed, the next run says that none polls', async () => {
    world = await World.create(server, ORDERS(500));
    const { child, answer, said } = spawnWaybill(world, ['worker']);
    await until(() => Promise.resolve(said().includes('the worker polls')));
    child.kill('SIGKILL');
    await answer;
    expect((await waybill(world, 'run', 'core.order')).exitCode).toBe(5);
  });
});
