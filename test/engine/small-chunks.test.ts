/** Chunks that take next to nothing share a transaction. Each is still what it would be alone. */
import { afterEach, describe, expect, inject, test, vi } from 'vitest';
import { someServers } from '../every-server.ts';
import { servers } from '../servers.ts';
import { SHARED_MS } from '../../src/activities/chunk-transaction.ts';
import { holdLatch, waitsAtLatch } from './latch.ts';
import { batchesOf, breakAt, expectSeenOnce, ranOf, TASK, VEHICLES, type VehiclesOptions } from './vehicles.ts';
import { ended, until, World } from './world.ts';

vi.setConfig({ testTimeout: 300_000 });

/** As workers have it by default; those of other tests give each chunk a transaction of its own. */
const SHARED = { mostShared: 64 };

/** A range for each of so many vehicles, on one lane. */
const ONE_EACH = (n: number, options: VehiclesOptions = {}) =>
  VEHICLES(n, { range: '{ of: core.vehicle.id, step: 1 }', lanes: 1, ...options });

describe.each(someServers(import.meta.url))('small chunks on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('one of them that fails takes no other with it, and no attempt of another', async () => {
    world = await World.create(server, ONE_EACH(200));
    await world.worker(SHARED);
    await breakAt(world, 150);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    expect(
      await world.rows(`select n, state, attempts from waybill.chunk where attempts <> 0 or state = 'failed'`),
    ).toEqual([{ n: 150, state: 'failed', attempts: 1 }]);
    expect(
      await world.value(`select count(*) from waybill.chunk where batch_id = 1 and n < 150 and state = 'done'`),
    ).toBe('149');
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    expect((await ranOf(world, '1')).length + (await ranOf(world, '2')).length).toBe(200);
    await expectSeenOnce(world);
    expect(await batchesOf(world)).toMatchObject([{ state: 'failed' }, { state: 'published' }]);
  });

  test('lanes that share them do each once, and the ledger has the rows of each', async () => {
    world = await World.create(server, ONE_EACH(1_000, { lanes: 4, range: '{ of: core.vehicle.id, step: 3 }' }));
    await world.worker(SHARED);
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    await expectSeenOnce(world);
    // The statement that counts, and three vehicles each but for the last.
    expect(
      await world.rows(
        `select row_count, count(*) as n from waybill.chunk where state = 'done' group by row_count order by 1`,
      ),
    ).toEqual([
      { row_count: '2', n: '1' },
      { row_count: '4', n: '333' },
    ]);
    expect(await world.value('select count(*) from waybill.chunk where finished_at < started_at')).toBe('0');
  });

  test('share a transaction until one takes long: nothing waits for what comes after it', async () => {
    const long = [60, 100, 140, 180]; // some of them share a transaction with what comes next
    const latches = long.flatMap((n) => [n, n + 1]);
    world = await World.create(
      server,
      ONE_EACH(200, {
        sql: `update core.vehicle set seen = seen + 1 where id >= :from and id < :to;
          select l.id from core.latch l where l.id = :from for share`,
        warehouse: `create table core.latch (id bigint primary key);
          insert into core.latch values ${latches.map((id) => `(${id})`).join(', ')};`,
      }),
    );
    await world.worker(SHARED);
    const held = new Map<number, () => Promise<void>>();
    for (const id of latches) held.set(id, await holdLatch(world, id));
    const handle = await world.start(TASK);
    for (const n of long) {
      await waitsAtLatch(world);
      await new Promise((resolve) => setTimeout(resolve, SHARED_MS));
      await held.get(n)!();
      // It is done, and what shares its transaction before it; the next one does not, and waits.
      await until(async () => (await world.value(`select max(n) from waybill.chunk where state = 'done'`)) === n);
      await held.get(n + 1)!();
    }
    expect(await ended(handle)).toMatchObject({ ok: true, result: { chunks: 200 } });
    await expectSeenOnce(world);
  });

  test('of a worker that gets SIGKILL again and again each is done once', async () => {
    // A death may count against the chunks that were under way, never against one that was not.
    world = await World.create(server, ONE_EACH(5_000, { lanes: 4, yaml: 'max_attempts: 2' }));
    const done = () => world.count(`select n from waybill.chunk where state = 'done'`);
    const handle = await world.start(TASK);
    for (const least of inject('seed').all ? [200, 1_000, 2_000] : [200, 1_500]) {
      const worker = await world.workerProcess({ WAYBILL_TEST_MOST_SHARED: '64' });
      await until(async () => (await done()) >= least);
      worker.kill('SIGKILL');
      expect(await done()).toBeLessThan(5_000);
    }
    await world.worker(SHARED);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { chunks: 5_000 } });
    await expectSeenOnce(world);
    expect(await world.value('select count(*) from core.ran')).toBe('5000');
  });

  test('one that takes its worker with it each time is found, and no attempt of another is spent', async () => {
    world = await World.create(
      server,
      ONE_EACH(200, {
        lanes: 2,
        yaml: 'max_attempts: 2',
        sql: `update core.vehicle set seen = seen + 1 where id >= :from and id < :to;
          select pg_sleep(600) from core.settings where broken = :from`,
      }),
    );
    await breakAt(world, 150);
    const end = ended(await world.start(TASK));
    const others = (): Promise<unknown> =>
      world.value(`select count(*) from waybill.chunk where n <> 150 and state = 'done'`);
    /** The other lane has done what there was for it: a chunk that it ran by itself would count its death. */
    const nothingMoves = async (): Promise<boolean> => {
      const before = await others();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return before === (await others());
    };
    // The first death tells nobody which chunk it was: its lane shared a transaction, and had counted nothing.
    for (let deaths = 0; deaths < 3; deaths += 1) {
      const worker = await world.workerProcess({ WAYBILL_TEST_MOST_SHARED: '64' });
      const atIt = `select n from waybill.lane l where l.worker like '%:${worker.pid}' and l.connection_id in (${world.words.sleepers})`;
      const alone = async () => (deaths === 0 ? nothingMoves() : (await others()) === '199');
      await until(async () => (await world.count(atIt)) === 1 && alone(), 90);
      worker.kill('SIGKILL');
    }
    await world.worker(SHARED);
    expect(await end).toMatchObject({
      ok: false,
      type: 'Database',
      message: 'chunk 150 of 200: the worker died or was cut off while it ran this chunk (2 attempts)',
    });
    expect(
      await world.rows(`select n, state, attempts from waybill.chunk where attempts <> 0 or state <> 'done'`),
    ).toEqual([{ n: 150, state: 'failed', attempts: 2 }]);
  });
});

// By `xmin` PostgreSQL tells which transaction a row is of, and only there is COMMIT slow for a reason or a table dropped at it.
describe.each(servers.slice(0, 1))('small chunks on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  const transactionOf = (id: number) => world.value(`select xmin from core.vehicle where id = ${id}`);

  test('share a transaction until one takes long: the others need not wait for it', async () => {
    const slow = [100, 150, 200, 250];
    world = await World.create(
      server,
      ONE_EACH(300, {
        sql: `update core.vehicle set seen = seen + 1 where id >= :from and id < :to;
          select pg_sleep(0.3) where :from in (${slow.join(', ')})`,
      }),
    );
    await world.worker(SHARED);
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    await expectSeenOnce(world);
    expect(Number(await world.value('select count(distinct xmin::text) from core.vehicle'))).toBeLessThan(300);
    for (const id of slow) {
      expect(await transactionOf(id + 1)).not.toBe(await transactionOf(id));
      const gap = await world.value(`select extract(epoch from after.finished_at - before.finished_at)
        from waybill.chunk after, waybill.chunk before where after.n = ${id} and before.n = ${id - 1}`);
      expect(Number(gap)).toBeGreaterThan(0.29);
    }
  });

  test('share one all the more where a commit takes long', async () => {
    world = await World.create(
      server,
      ONE_EACH(200, {
        warehouse: `
          create function core.slowly() returns trigger language plpgsql as $$ begin
            if coalesce(current_setting('test.slept', true), '') <> 'yes' then
              perform set_config('test.slept', 'yes', true), pg_sleep(${(2 * SHARED_MS) / 1000});
            end if;
            return null;
          end $$;
          create constraint trigger slowly after update on core.vehicle deferrable initially deferred
            for each row execute function core.slowly();`,
      }),
    );
    await world.worker(SHARED);
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    await expectSeenOnce(world);
    // 1, 2, 4 and so on to 64 where nothing else slows the machine down; each alone if the commit were counted to them.
    expect(Number(await world.value('select count(distinct xmin::text) from core.vehicle'))).toBeLessThan(100);
  });

  test.each(['', ' if not exists'])('that cannot share one are done one by one: create%s', async (ifNotExists) => {
    world = await World.create(
      server,
      ONE_EACH(100, {
        sql: `create temporary table${ifNotExists} mine on commit drop as select id from core.vehicle where id >= :from and id < :to;
          update core.vehicle v set seen = seen + 1 from mine where mine.id = v.id`,
      }),
    );
    await world.worker(SHARED);
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    await expectSeenOnce(world);
    expect(await world.value('select count(distinct xmin::text) from core.vehicle')).toBe('100');
    expect(await world.value('select sum(attempts) from waybill.chunk')).toBe('0');
  });
});
