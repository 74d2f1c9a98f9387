/** Two chunks that lock each other's rows: the server ends one of them. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { oneOfEachFamily } from '../every-server.ts';
import { holdLatch, lanesWait, LATCHES, WAIT } from './latch.ts';
import { batchesOf, TASK, VEHICLES } from './vehicles.ts';
import { ended, World } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

describe.each(oneOfEachFamily(import.meta.url))('a deadlock between chunks on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('costs one of them an attempt, and both are done once', async () => {
    const update = (table: string, chunk: number): string =>
      `update core.${table} set n = n + 1 where :from = ${chunk} and :to > :from`;
    world = await World.create(
      server,
      VEHICLES(2, {
        range: '{ of: core.vehicle.id, step: 1 }',
        lanes: 2,
        warehouse: `${LATCHES} create table core.here (n int); create table core.there (n int);
          insert into core.here values (0); insert into core.there values (0);`,
        sql: [update('here', 1), update('there', 2), WAIT(1), update('there', 1), update('here', 2)].join(';\n'),
      }),
    );
    await world.worker();
    const letGo = await holdLatch(world, 1);
    const handle = await world.start(TASK);
    await lanesWait(world, 2);
    await letGo();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { chunks: 2 } });
    expect(await world.rows('select h.n as here, t.n as there from core.here h, core.there t')).toEqual([
      { here: 2, there: 2 },
    ]);
    expect(await world.rows('select state, attempts, error from waybill.chunk order by attempts')).toEqual([
      { state: 'done', attempts: 0, error: null },
      { state: 'done', attempts: 1, error: null },
    ]);
    expect(await batchesOf(world)).toMatchObject([{ state: 'published' }]);
  });
});
