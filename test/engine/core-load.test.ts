import { afterEach, describe, expect, test } from 'vitest';
import { servers } from '../servers.ts';
import { ORDERS, World } from './orders.ts';

describe.each(servers)('a core load on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('takes a snapshot, processes it in chunks, publishes, and leaves the landing table empty', async () => {
    world = await World.create(server, ORDERS(1000, { rows: 50 }));
    await world.worker();
    const ended = await world.run('core.order');
    expect(ended).toMatchObject({ ok: true, result: { status: 'finished', rowsWritten: 1000 } });
    expect(await world.value('select count(*) from acq.orders')).toBe('0');
    expect(await world.value(`select to_regclass('acq.orders_processing')`)).toBeNull();
    expect(await world.states('core.order')).toEqual(['published']);
  });
});
