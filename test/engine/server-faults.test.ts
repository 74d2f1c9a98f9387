/**
 * A server fails in the middle of each transaction of a load: one connection of it, or all at once; or one of PostgreSQL that its SQL
 * reads from is away (those of MySQL's family have no such tables among the ones that take part). fail-over.test.ts: it takes no writes.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { oneOf } from '../seed.ts';
import { servers as postgresServers } from '../servers.ts';
import {
  asleepAt,
  endSleepers,
  HELD_ORDERS,
  holdAt,
  installMoments,
  momentsOf,
  ON_THE_WAY,
  ON_THE_WAY_BACK,
  steps,
} from './moments.ts';
import { expectWhole, ORDERS, PLAIN_SQL } from './orders.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import { World, type Ended } from './world.ts';

type Way = typeof ON_THE_WAY | typeof ON_THE_WAY_BACK;

/** Runs core.order from moment to moment: at each the fault strikes what is held there, and the next attempt gets past it. */
async function runThrough(world: World, way: Way, fault: () => Promise<void>): Promise<Ended> {
  const moments = momentsOf(way, world.words.family);
  await world.worker();
  await installMoments(world);
  await holdAt(world, moments[0]);
  const end = startUntilReached(world);
  end.catch(() => undefined); // what is held may fail first
  for (const [i, moment] of moments.entries()) {
    await asleepAt(world, moment);
    await holdAt(world, moments[i + 1]);
    await fault();
  }
  return end;
}

/** A start that finds no server says so after five seconds, in which not every machine restarts one. */
async function startUntilReached(world: World): Promise<Ended> {
  for (;;) {
    const end = await world.run('core.order');
    if (end.ok || end.type !== 'Unreachable') return end;
  }
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

const LOAD = 'a load, from open to a step after: it is done again, and once';
const ROLL_BACK = 'a roll back, from fence to its end: nothing stays, and the next start has every row';

const servers = oneOfEachFamily(import.meta.url);

describe.each(servers)('a connection to $name that is ended there', { timeout: 180_000 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  const end = async (): Promise<void> => expect(await endSleepers(world)).toBeGreaterThan(0);

  it(`in each transaction of ${LOAD}`, async () => {
    world = await World.create(server, HELD_ORDERS(500));
    await expectOnce(world, await runThrough(world, ON_THE_WAY, end));
  });

  it(`in each transaction of ${ROLL_BACK}`, async () => {
    world = await World.create(server, HELD_ORDERS(500, { broken: 450, lanes: 1 }));
    await expectTakenBack(world, await runThrough(world, ON_THE_WAY_BACK, end));
  });
});

// What is tested on one server above is on the other one here.
describe.each(servers)('an immediate stop and start of $name', { timeout: 240_000 }, (server) => {
  const it = inTurns(import.meta.url, server, [...servers].reverse());
  let own: OwnServer;
  let world: World;
  beforeAll(async () => {
    own = await startOwnServer(server);
  }, 240_000);
  afterEach(() => world.close());
  afterAll(() => own.remove());

  const restart = async (): Promise<void> => {
    await own.stopAtOnce();
    await own.start();
    await world.reconnect();
  };

  it(`in each transaction of ${LOAD}`, async () => {
    world = await World.create(own, HELD_ORDERS(500));
    await expectOnce(world, await runThrough(world, ON_THE_WAY, restart));
  });

  it(`in each transaction of ${ROLL_BACK}`, async () => {
    world = await World.create(own, HELD_ORDERS(500, { broken: 450, lanes: 1 }));
    await expectTakenBack(world, await runThrough(world, ON_THE_WAY_BACK, restart));
  });
});

describe.each(oneOf(postgresServers, import.meta.url))('a server that SQL on $name reads from', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('is down: the chunk is tried max_attempts times on its own connection, and the ledger says what it cannot reach', async () => {
    const orders = ORDERS(50, { sql: `${PLAIN_SQL} left join core.away a on a.id = o.id`, yaml: 'max_attempts: 2' });
    const warehouse = `${orders.warehouse} create extension postgres_fdw;
      create server away foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
      create user mapping for current_user server away; create foreign table core.away (id bigint) server away;`;
    world = await World.create(server, { ...orders, warehouse });
    await world.worker();
    const told = 'could not connect to server "away"';
    const end = await world.run('core.order');
    expect(end).toMatchObject({ ok: false, type: 'Database' });
    expect(!end.ok && end.message).toMatch(
      new RegExp(`^chunk 1 of 1: ${told}.*\\(SQLSTATE 08001\\) \\(2 attempts\\)$`, 's'),
    );
    expect(await world.rows('select state, attempts from waybill.chunk')).toEqual([{ state: 'failed', attempts: 2 }]);
    expect(await world.value('select error from waybill.chunk')).toContain(told);
    expect(await world.value('select error from waybill.batch')).toContain(told);
  });
});
