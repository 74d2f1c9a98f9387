/** PostgreSQL fails in the middle of each transaction of a load: one connection of it, or all at once. */
import { afterEach, describe, expect, test } from 'vitest';
import { servers } from '../servers.ts';
import {
  asleepAt,
  endSleepers,
  HELD_ORDERS,
  holdAt,
  installMoments,
  ON_THE_WAY,
  ON_THE_WAY_BACK,
  steps,
  type MomentName,
} from './moments.ts';
import { expectWhole } from './orders.ts';
import { OwnServer } from './own-server.ts';
import { ended, World, type Ended } from './world.ts';

const FORWARD = Object.keys(ON_THE_WAY) as MomentName[];
const BACK = Object.keys(ON_THE_WAY_BACK) as MomentName[];

/** Runs core.order from moment to moment: at each the fault strikes what is held there, and the next attempt gets past it. */
async function runThrough(world: World, moments: MomentName[], fault: () => Promise<void>): Promise<Ended> {
  await world.worker();
  await installMoments(world);
  await holdAt(world, moments[0]);
  const handle = await world.start('core.order');
  for (const [i, moment] of moments.entries()) {
    await asleepAt(world, moment);
    await holdAt(world, moments[i + 1]);
    await fault();
  }
  return ended(handle);
}

async function expectOnce(world: World, load: Ended): Promise<void> {
  expect(load).toMatchObject({ ok: true, result: { rowsWritten: 500, chunks: 5 } });
  await expectWhole(world);
  expect(await steps(world)).toEqual(['after', 'before']);
  expect(await world.states('core.order')).toEqual(['published']);
}

async function expectTakenBack(world: World, load: Ended): Promise<void> {
  expect(load).toMatchObject({ ok: false, type: 'Database' });
  expect(await world.states('core.order')).toEqual(['failed']);
  expect(await world.value('select count(*) from core.orders')).toBe('0');
  await world.warehouse.query('delete from core.broken');
  expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 500 } });
  await expectWhole(world);
}

const LOAD = `a load, from ${FORWARD[0]!} to ${FORWARD.at(-1)!}: it is done again, and once`;
const ROLL_BACK = `a roll back, from ${BACK[0]!} to ${BACK.at(-1)!}: nothing stays, and the next start has every row`;

describe.each(servers)('a backend of $name that is terminated', { timeout: 180_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const terminate = async (): Promise<void> => expect(await endSleepers(world)).toBeGreaterThan(0);

  test(`in each transaction of ${LOAD}`, async () => {
    world = await World.create(server, HELD_ORDERS(500));
    await expectOnce(world, await runThrough(world, FORWARD, terminate));
  });

  test(`in each transaction of ${ROLL_BACK}`, async () => {
    world = await World.create(server, HELD_ORDERS(500, { broken: 450, lanes: 1 }));
    await expectTakenBack(world, await runThrough(world, BACK, terminate));
  });
});

describe.each(servers.slice(0, 1))('an immediate stop and start of $name', { timeout: 240_000 }, (server) => {
  let own: OwnServer;
  let world: World;
  afterEach(async () => {
    await world.close();
    await own.remove();
  });

  const restart = async (): Promise<void> => {
    await own.stopAtOnce();
    await own.start();
    await world.reconnect();
  };

  test(`in each transaction of ${LOAD}`, async () => {
    own = await OwnServer.create(server);
    world = await World.create(own, HELD_ORDERS(500));
    await expectOnce(world, await runThrough(world, FORWARD, restart));
  });

  test(`in each transaction of ${ROLL_BACK}`, async () => {
    own = await OwnServer.create(server);
    world = await World.create(own, HELD_ORDERS(500, { broken: 450, lanes: 1 }));
    await expectTakenBack(world, await runThrough(world, BACK, restart));
  });
});
