import { afterEach, describe, expect, test } from 'vitest';
import { BREAKABLE, done } from '../engine/breakable-orders.ts';
import { World } from '../engine/orders.ts';
import { until } from '../engine/world.ts';
import { someServers } from '../every-server.ts';
import { document, waybill } from './command-line.ts';

describe.each(someServers(import.meta.url))('steering a running load on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('pause stops it after the chunks that it is at; lanes and resume are answered', async () => {
    world = await World.create(server, BREAKABLE(20_000, { broken: 0, pause: 0.1, lanes: 1 }));
    await world.worker();
    await waybill(world, 'run', 'core.order', '--detach');
    await until(async () => (await done(world).catch(() => 0)) > 1);

    const paused = await waybill(world, 'pause', 'core.order', '--json');
    expect(paused.exitCode).toBe(0);
    expect(document(paused)).toEqual({
      load: 'core.order',
      batch_id: '1',
      answer: 'accepted: lanes stop after the chunk that they are at; max_runtime goes on',
    });
    // The lane hears of it with its next chunk.
    await until(async () => {
      const before = await done(world);
      await new Promise((resolve) => setTimeout(resolve, 700));
      return (await done(world)) === before;
    });

    expect(await waybill(world, 'lanes', 'core.order', '4')).toMatchObject({
      exitCode: 0,
      stdout: 'core.order, batch 1: accepted: 4 lanes\n',
    });
    const stood = await done(world);
    expect(await waybill(world, 'resume', 'core.order')).toMatchObject({
      exitCode: 0,
      stdout: 'core.order, batch 1: accepted\n',
    });
    await until(async () => (await done(world)) > stood);
    expect(await waybill(world, 'cancel', 'core.order')).toMatchObject({ exitCode: 0 });
  });

  test('a load that does not run ends with 1 and says what there is', async () => {
    world = await World.create(server, BREAKABLE(10));
    await world.worker();
    for (const argv of [['pause'], ['resume'], ['lanes', '2']]) {
      const [verb, n] = argv;
      const answer = await waybill(world, verb!, 'core.order', ...(n === undefined ? [] : [n]), '--json');
      expect(answer.exitCode).toBe(1);
      expect(document(answer)).toMatchObject({
        error: { message: 'core.order is not running; it never ran', next: 'start it: waybill run core.order' },
      });
    }
  });
});
