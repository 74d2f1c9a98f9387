/** Who is faster: a fence or what it is to stop. Whoever it is, the batch ends in one of two states, and its rows with it. */
import { afterEach, describe, expect, inject, test, vi } from 'vitest';
import { Random } from '../../chaos/random.ts';
import type { Activities } from '../../src/activities/activities.ts';
import { fence } from '../../src/control/fence.ts';
import { sql } from '../../src/database/sql.ts';
import { inTurns, oneOfEachFamily, someServers } from '../every-server.ts';
import { activitiesOf, asActivity, OPEN_ORDER } from './activities.ts';
import { batches } from './breakable-orders.ts';
import { CommitProxy, event } from './commit-proxy.ts';
import { historyOf } from './history.ts';
import { asleep, asleepAt, endSleepers, HELD_ORDERS, holdAt, installMoments } from './moments.ts';
import { expectCancelled, expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import { ended, until } from './world.ts';

vi.setConfig({ testTimeout: 240_000 });

/** A publish and a fence each. */
const ROUNDS = 200;

const BATCH = { connection: 'warehouse', batchId: '1', firstRunId: OPEN_ORDER.firstRunId };
const LANE = { ...BATCH, stage: 1, lane: 1, sliceMs: 60_000 };
const FENCE = { to: 'rolling_back', errorClass: 'cancelled', error: 'the test', requestedBy: undefined } as const;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Who comes first is drawn; by the run's seed, so that it can be drawn again. */
const drawn = (name: string): Random => new Random(inject('seed').value, name);

/** A batch whose chunks are planned and not done. */
async function planned(world: World): Promise<Activities> {
  const activities = await activitiesOf(world);
  expect(await activities.openBatch(OPEN_ORDER)).toMatchObject({ kind: 'opened', batch: { batchId: '1' } });
  await asActivity(activities.takeSnapshot, BATCH);
  await activities.planStage({ ...BATCH, stage: 1 });
  return activities;
}

describe.each(oneOfEachFamily(import.meta.url))('a fence on $name', { retry: 0 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('gets in while four lanes overlap, in less than the time of one chunk and a second', async () => {
    const seconds = 2;
    world = await World.create(server, ORDERS(4000, { byKey: true, sql: SLOW_SQL(seconds), lanes: 4 }));
    const activities = await planned(world);
    const lanes = [1, 2, 3, 4].map(async (lane) => {
      await sleep((lane * seconds * 1000) / 4);
      return asActivity(activities.runLane, { ...LANE, lane });
    });
    // Every lane is at its second chunk or beyond, each at another place in it: the gate is never free.
    await until(async () => Number(await world.value(`select count(*) from waybill.chunk where state = 'done'`)) >= 4);
    const began = Date.now();
    expect(await activities.fenceBatch({ ...BATCH, ...FENCE })).toMatchObject({ state: 'rolling_back' });
    expect(Date.now() - began).toBeLessThan((seconds + 1) * 1000);
    const rows = await world.value('select count(*) from core.orders');
    for (const lane of await Promise.all(lanes)) expect(lane).toMatchObject({ end: 'fenced' });
    expect(await world.value('select count(*) from core.orders')).toBe(rows);
    expect(await asActivity(activities.rollBack, BATCH)).toMatchObject({ state: 'cancelled', rows: Number(rows) });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
  });

  it('that has got in is not ended by its own helper, however long it takes there', async () => {
    world = await World.create(server, ORDERS(100));
    const { databases } = await world.worker();
    await activitiesOf(world).then((activities) => activities.openBatch(OPEN_ORDER));
    const state = await fence(databases.get('warehouse'), '1', 'rolling_back', { prove: () => sleep(1000) });
    expect(state).toBe('rolling_back');
    expect(await world.states('core.order')).toEqual(['rolling_back']);
  });
});

describe.each(oneOfEachFamily(import.meta.url))('a cancel that races with publish on $name', { retry: 0 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('ends in one of two legal states, however often', async () => {
    world = await World.create(server, ORDERS(100, { byKey: true, rows: 50 }));
    const activities = await planned(world);
    await asActivity(activities.runLane, LANE);
    await asActivity(activities.runChecks, BATCH);
    const seen = { published: 0, cancelled: 0 };
    const random = drawn('rounds');
    // Of the fence, in milliseconds: each round goes against who won the last one, so that the two meet on any machine.
    let start = 0;
    for (let round = 1; round <= ROUNDS; round += 1) {
      const firstRunId = round === 1 ? BATCH.firstRunId : `run ${round}`;
      const batch = { ...BATCH, batchId: String(round), firstRunId };
      if (round > 1) await world.warehouse.query(copyOfBatch(round));
      const [published, fenced] = await Promise.allSettled([
        sleep(random.between(0, 25) + Math.max(0, start)).then(() => activities.publish(batch)),
        sleep(random.between(0, 25) + Math.max(0, -start)).then(() => activities.fenceBatch({ ...batch, ...FENCE })),
      ]);
      if (fenced.status === 'rejected') throw fenced.reason as Error;
      const { state } = fenced.value;
      start += state === 'published' ? 5 : -5;
      if (state === 'published') {
        seen.published += 1;
        expect(published).toMatchObject({ status: 'fulfilled', value: { rowsWritten: 100, chunks: 2 } });
      } else {
        seen.cancelled += 1;
        // It found the gate shut, or stood in it and was ended.
        expect(published).toMatchObject({ status: 'rejected' });
        expect(await asActivity(activities.rollBack, batch)).toEqual({ state: 'cancelled', rows: 100 });
      }
      // What comes late changes nothing.
      const late = activities.publish(batch);
      if (state === 'published') expect(await late).toMatchObject({ rowsWritten: 100 });
      else await expect(late).rejects.toMatchObject({ type: 'Fenced' });
      const final = state === 'published' ? 'published' : 'cancelled';
      expect(await activities.fenceBatch({ ...batch, ...FENCE })).toMatchObject({ state: final });
    }
    expect(Math.min(seen.published, seen.cancelled), JSON.stringify(seen)).toBeGreaterThan(0);
    const rows = await world.rows(`
      select b.state, count(*) as batches from waybill.batch b group by b.state order by b.state`);
    expect(rows).toEqual([
      { state: 'cancelled', batches: String(seen.cancelled) },
      { state: 'published', batches: String(seen.published) },
    ]);
    await world.warehouse.query(`
      create table kept.published as select k.* from kept.orders k, waybill.batch where state = 'published'`);
    await expectWhole(world, 'kept.published');
    expect(
      await world.value(`select count(*) from waybill.batch b where state = 'cancelled'
                         and exists (select 1 from core.orders o where o.batch_id = b.batch_id)`),
    ).toBe('0');
  });

  it('finds the publish at work in the gate: it is ended, and the batch cancelled', async () => {
    world = await World.create(server, HELD_ORDERS(500));
    await world.worker();
    await installMoments(world);
    await holdAt(world, 'publish');
    const handle = await world.start('core.order');
    await asleepAt(world, 'publish');
    await holdAt(world, undefined);
    await handle.cancel();
    await expectCancelled(world, handle, 500);
  });

  it('through real workflows: whatever they answer is what became of the rows', async () => {
    world = await World.create(server, ORDERS(300));
    await world.worker();
    const answers: string[] = [];
    const random = drawn('workflows');
    for (let round = 1; round <= 6; round += 1) {
      const handle = await world.start('core.order');
      await until(async () => (await batches(world)).length === round);
      await sleep(random.between(0, 400));
      await handle.cancel();
      const end = await ended(handle);
      const { state, batch_id } = (await batches(world))[round - 1]!;
      answers.push(state);
      expect(state).toBe(end.ok ? 'published' : 'cancelled');
      const rows = await world.value('select count(*) from core.orders where batch_id = $1', [batch_id]);
      expect(rows).toBe(state === 'published' ? '300' : '0');
      if (end.ok) await world.warehouse.query('delete from core.orders; insert into acq.orders table kept.orders');
    }
    const last = await world.run('core.order');
    expect(last, answers.join(', ')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectWhole(world);
  });

  it('comes when the batch is published and nobody knows it yet: it stays published, and is finished', async () => {
    world = await World.create(server, HELD_ORDERS(500));
    const proxy = await CommitProxy.create(world.env['WAREHOUSE_URL']!);
    try {
      await world.worker({ env: { ...world.env, WAREHOUSE_URL: proxy.url } });
      const cut = proxy.cutAtCommit('unanswered', (said) => event('published').test(said));
      const handle = await world.start('core.order');
      await cut;
      await handle.cancel();
      await sleep(500); // for the workflow to hear of it before the publish is tried again
      proxy.resume();
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 500 } });
      expect(await world.states('core.order')).toEqual(['published']);
      await expectWhole(world);
      expect(await world.value('select count(*) from core.steps')).toBe('2');
      expect(await world.exists('acq.orders_processing')).toBe(false);
    } finally {
      await world.close();
      await proxy.close();
    }
  });

  it('the same, and the ledger cannot be read: the load says that it is published, and the next start finishes it', async () => {
    world = await World.create(server, HELD_ORDERS(300));
    const proxy = await CommitProxy.create(world.env['WAREHOUSE_URL']!);
    try {
      await world.worker({ env: { ...world.env, WAREHOUSE_URL: proxy.url } });
      const cut = proxy.cutAtCommit('unanswered', (said) => event('published').test(said));
      const handle = await world.start('core.order');
      await cut;
      await handle.cancel();
      // The cancel is heard once its fence is asked for.
      await until(async () =>
        (await historyOf(world, 'core.order')).some(
          ({ activityTaskScheduledEventAttributes: at }) => at?.activityType?.name === 'fenceBatch',
        ),
      );
      await world.warehouse.query('alter table waybill.chunk rename to chunk_put_away');
      proxy.resume();
      const end = await ended(handle);
      expect(end).toMatchObject({ ok: false, type: 'AfterFailed' });
      expect(!end.ok && end.message).toMatch(/^batch 1 is published, but the ledger cannot be read: .*chunk/);
      await world.warehouse.query('alter table waybill.chunk_put_away rename to chunk');
      expect(await world.states('core.order')).toEqual(['published']);
      expect(await world.exists('acq.orders_processing')).toBe(true);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { status: 'nothing' } });
      expect(await world.exists('acq.orders_processing')).toBe(false);
      expect(await world.value('select count(*) from core.steps')).toBe('2');
      await expectWhole(world);
    } finally {
      await world.close();
      await proxy.close();
    }
  });
});

describe.each(someServers(import.meta.url))('a publish on $name', { retry: 0 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('holds what it was made from, and its outputs: neither is retracted while it is at work', async () => {
    const orders = HELD_ORDERS(100);
    const total = `
kind: services
connection: warehouse
consumes: [ core.order ]
stages: [ { name: totals, sql: "insert into services.total select sum(o.amount), :batch_id from {{ core.orders }} o" } ]
outputs: [ services.total ]`;
    world = await World.create(server, {
      files: { ...orders.files, 'loads/services/total.yaml': total },
      warehouse: `${orders.warehouse} create schema services;
        create table services.total (amount numeric(20, 2), batch_id bigint not null);`,
    });
    const { databases } = await world.worker();
    await installMoments(world);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await holdAt(world, 'publish');
    const handle = await world.start('services.total');
    await until(async () => (await asleep(world)) > 0, 90);
    expect(await world.states('services.total')).toEqual(['checking']);

    const database = databases.get('warehouse');
    const retract = await database.openSession('test retract');
    await retract.query(
      {
        postgres: sql`set lock_timeout = 300`,
        mysql: sql`set session innodb_lock_wait_timeout = 1`,
      }[world.words.family],
    );
    const wanted = {
      'the batch': () =>
        retract.query(sql`update ${database.ledger('batch')} set state = 'retracted' where batch_id = 1`),
      'the output': () => database.dialect.lockOutput(retract, database, world.names.into('services.total')),
    };
    const tried = async (want: () => Promise<unknown>): Promise<string> => {
      await retract.begin();
      const end = await want().then(
        () => 'got it',
        (error: Error) => error.message,
      );
      await retract.rollback();
      return end;
    };
    for (const [what, want] of Object.entries(wanted)) expect(await tried(want), what).toMatch(/lock.* timeout/i);
    await holdAt(world, undefined);
    await endSleepers(world);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    for (const [what, want] of Object.entries(wanted)) expect(await tried(want), what).toBe('got it');
    await retract.close();
  });
});

/** One more batch of core.order that stands before its publish, with rows of its own. */
const copyOfBatch = (n: number): string => `
  insert into waybill.batch (batch_id, load_name, kind, state, definition_hash, definition, params, invisible,
      first_run_id, deadline_at)
    select ${n}, load_name, kind, 'checking', definition_hash, definition, params, invisible, 'run ${n}', deadline_at
    from waybill.batch where batch_id = 1;
  insert into waybill.stage (batch_id, n, name, method, planned_chunks) select ${n}, n, name, method, planned_chunks from waybill.stage where batch_id = 1;
  insert into waybill.chunk (batch_id, stage, n, state, row_count, rows_read)
    select ${n}, stage, n, state, row_count, rows_read from waybill.chunk where batch_id = 1;
  insert into waybill.batch_output (batch_id, table_name) select ${n}, table_name from waybill.batch_output where batch_id = 1;
  insert into core.orders select id, customer, amount * 2, ${n} from kept.orders;`;
