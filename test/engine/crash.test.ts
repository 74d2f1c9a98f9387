import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { startTemporal } from '../../src/dev/temporal-server.ts';
import { inTurns, oneOfEachFamily, someServers } from '../every-server.ts';
import type { TestServer } from '../servers.ts';
import { BREAKABLE, mend } from './breakable-orders.ts';
import { CuttableWay } from './cuttable-way.ts';
import { asleep } from './moments.ts';
import { expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import { ended, until, type WorldOptions } from './world.ts';

/** Chunks done and planned of the newest batch. */
async function counts(world: World): Promise<{ done: number; all: number }> {
  const rows = await world.rows<{ done: string; planned: string }>(`
    select count(*) filter (where state = 'done') as done, count(*) as planned from waybill.chunk
    where batch_id = (select max(batch_id) from waybill.batch)`);
  return { done: Number(rows[0]!.done), all: Number(rows[0]!.planned) };
}

const some = async (world: World): Promise<boolean> => {
  const { done, all } = await counts(world);
  return done > 2 && done < all;
};

/** A worker is known as `host:pid`. */
const pidOf = (worker: string): number => Number(worker.split(':')[1]);

const TIMEOUT = { timeout: 180_000 };

/** A world that is closed when its test is over. */
async function open({ onTestFinished }: TestContext, server: TestServer, options: WorldOptions): Promise<World> {
  const world = await World.create(server, options);
  onTestFinished(() => world.close());
  return world;
}

/** A worker that can be put to sleep: Temporal then takes it for gone. Else it goes on giving it tasks, and waits for each until its heartbeat is missed. */
async function sleepyWorker(world: World): Promise<{ sleep(): void; wake(): void }> {
  const way = await CuttableWay.to(world.address);
  world.atClose(() => way.close());
  const worker = await world.workerProcess({ TEMPORAL_ADDRESS: way.address });
  return {
    sleep: () => {
      worker.kill('SIGSTOP');
      way.cut();
    },
    wake: () => worker.kill('SIGCONT'),
  };
}

// Side by side: most of the time a test waits for the dead worker's heartbeat to be missed.
describe.concurrent.each(oneOfEachFamily(import.meta.url))('what is killed, on $name', TIMEOUT, (server) => {
  const turn = inTurns(import.meta.url, server);

  turn(
    'a worker that gets SIGKILL in the middle of the chunks: another one goes on, every row once',
    async (context) => {
      const world = await open(context, server, ORDERS(4000, { rows: 100, byKey: true, sql: SLOW_SQL(0.1) }));
      const first = await world.workerProcess();
      const handle = await world.start('core.order');
      await until(() => some(world));
      first.kill('SIGKILL');
      const { done, all } = await counts(world);
      expect(done).toBeGreaterThan(0);
      expect(done).toBeLessThan(all);
      await world.worker();
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 4000 } });
      await expectWhole(world);
      expect(await world.states('core.order')).toEqual(['published']);
    },
  );

  turn('a worker that gets SIGKILL in a statement of ten minutes: nobody waits for that', async (context) => {
    const world = await open(context, server, BREAKABLE(200, { broken: 0, pause: 600 }));
    const first = await world.workerProcess();
    const handle = await world.start('core.order');
    await until(async () => (await asleep(world)) === 2, 90);
    first.kill('SIGKILL');
    await mend(world);
    await world.worker();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 202 } });
    await expectWhole(world);
  });

  turn('a worker that sleeps past its heartbeat and wakes up writes nothing twice', async (context) => {
    const world = await open(context, server, ORDERS(4000, { rows: 100, byKey: true, sql: SLOW_SQL(0.15) }));
    const zombie = await sleepyWorker(world);
    const handle = await world.start('core.order');
    await until(() => some(world));
    zombie.sleep();
    await world.worker();
    const asleep = await counts(world);
    // The other worker takes the lanes over when their heartbeats are missed.
    await until(async () => (await counts(world)).done > asleep.done + 5, 90);
    zombie.wake();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 4000 } });
    await expectWhole(world);
  });

  turn('a zombie of a batch that was redone meanwhile finds the gate shut', async (context) => {
    const world = await open(context, server, ORDERS(4000, { rows: 100, byKey: true, sql: SLOW_SQL(0.1) }));
    const zombie = await sleepyWorker(world);
    const handle = await world.start('core.order');
    await until(() => some(world));
    zombie.sleep();
    await handle.terminate('the test');
    await world.worker();
    const redone = await world.start('core.order');
    await until(async () => (await world.states('core.order')).length === 2, 90);
    zombie.wake();
    expect(await ended(redone)).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
    expect(await world.value('select count(*) from core.orders where batch_id = 1')).toBe('0');
  });

  turn('a backend that is terminated in mid-chunk: the lane takes a new connection', async (context) => {
    const world = await open(context, server, ORDERS(2000, { rows: 100, byKey: true, sql: SLOW_SQL(0.2) }));
    await world.worker();
    const handle = await world.start('core.order');
    await until(() => some(world));
    await until(async () => (await world.end(world.words.lanesAtWork)) > 0); // not between two chunks
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
    await expectWhole(world);
  });
});

// One after another: they take the time.
describe.each(oneOfEachFamily(import.meta.url))('what is killed beside another one, on $name', TIMEOUT, (server) => {
  const turn = inTurns(import.meta.url, server);

  for (const [what, lanes, chunks] of [
    ['the lanes were all its own', 1, 30],
    ['both had lanes', 8, 240],
  ] as const) {
    turn(`one of two workers, ${what}: the other goes on within the heartbeat timeout`, async (context) => {
      const rows = chunks * 20;
      const world = await open(context, server, ORDERS(rows, { rows: 20, byKey: true, lanes, sql: SLOW_SQL(0.4) }));
      const workers = [await world.workerProcess(), await world.workerProcess()];
      const handle = await world.start('core.order');
      const pids = await until(async () => {
        const busy = await world.rows<{ worker: string }>(
          'select distinct worker from waybill.lane where connection_id is not null',
        );
        return busy.length === Math.min(lanes, 2) && (await some(world)) && busy.map(({ worker }) => pidOf(worker));
      }, 90);
      const dead = workers.find((worker) => worker.pid === pids[0])!;
      dead.kill('SIGKILL');
      const killedAt = (await world.rows<{ now: Date }>('select clock_timestamp() as now'))[0]!.now;
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: rows, chunks } });
      await expectWhole(world);
      // From the kill on: the longest time without a commit, and whose commits those are.
      const later = await world.rows<{ worker: string; finished_at: Date }>(
        'select worker, finished_at from waybill.chunk where finished_at > $1 order by finished_at',
        [killedAt],
      );
      const times = [killedAt, ...later.map((chunk) => chunk.finished_at)].map(Number);
      const gap = Math.max(...times.slice(1).map((time, i) => time - times[i]!)) / 1000;
      const other = workers.find((worker) => worker !== dead)!;
      expect([...new Set(later.map(({ worker }) => pidOf(worker)))]).toEqual([other.pid]);
      expect(gap).toBeLessThan(20); // 10 s of silence, and a busy machine
    });
  }
});

describe.each(someServers(import.meta.url))('Temporal itself, on $name', (server) => {
  test('its database is deleted in mid-load: refused until max_runtime or --force, then redone, every row once', async () => {
    const dbFilename = join(tmpdir(), `waybill-test-temporal-${process.pid}.db`);
    let temporal = await startTemporal({ external: false, dbFilename });
    const world = await World.create(server, {
      ...ORDERS(4000, { rows: 100, byKey: true, sql: SLOW_SQL(0.1) }),
      temporal: { address: temporal.address, namespace: 'default' },
    });
    try {
      const worker = await world.workerProcess();
      await world.start('core.order');
      await until(() => some(world));
      await temporal.stop();
      worker.kill('SIGKILL');
      for (const suffix of ['', '-shm', '-wal']) await rm(dbFilename + suffix, { force: true });
      temporal = await startTemporal({ external: false, dbFilename, port: Number(temporal.address.split(':')[1]) });
      await world.worker();

      const early = await world.run('core.order');
      expect(early).toMatchObject({ ok: false, type: 'Refused' });
      expect(!early.ok && early.message).toMatch(
        /^batch 1 is running, started by a workflow that this Temporal server does not know/,
      );
      expect(!early.ok && early.next).toMatch(/--force/);
      expect(await world.states('core.order')).toEqual(['running']);

      const forced = await world.run({ load: 'core.order', force: true });
      expect(forced).toMatchObject({ ok: true, result: { rowsWritten: 4000 } });
      await expectWhole(world);
      expect(await world.states('core.order')).toEqual(['failed', 'published']);
    } finally {
      await world.close();
      await temporal.stop();
      for (const suffix of ['', '-shm', '-wal']) await rm(dbFilename + suffix, { force: true });
    }
  });
});
