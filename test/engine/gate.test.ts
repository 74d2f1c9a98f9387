/** Every transaction that writes for a batch passes its gate: late ones, sleepers and zombies find it shut. */
import { afterEach, describe, expect, vi } from 'vitest';
import type { Activities } from '../../src/activities/activities.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { activitiesOf, asActivity, OPEN_ORDER } from './activities.ts';
import { exists } from './breakable-orders.ts';
import { comingAgain, expectWhole, ORDERS, World } from './orders.ts';
import type { TestClient } from './test-client.ts';
import { until } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const BATCH = { connection: 'warehouse', batchId: '1', firstRunId: OPEN_ORDER.firstRunId };
const LANE = { ...BATCH, stage: 1, lane: 1, sliceMs: 60_000 };

/** A batch whose chunks are planned and not done. */
async function planned(world: World): Promise<Activities> {
  const activities = await activitiesOf(world);
  expect(await activities.openBatch(OPEN_ORDER)).toMatchObject({ kind: 'opened', batch: { batchId: '1' } });
  await asActivity(activities.takeSnapshot, BATCH);
  expect(await activities.planStage({ ...BATCH, stage: 1 })).toMatchObject({ planned: 5, pending: 5 });
  return activities;
}

/** As the workflow does: a start that meets a lock comes back every two seconds, and is made again. */
async function openedAtLast(activities: Activities, request: typeof OPEN_ORDER) {
  for (;;) {
    const outcome = await activities.openBatch(request);
    if (outcome.kind !== 'busy') return outcome;
  }
}

/** Nothing can be marked as done in the ledger that does not come through `core.come_again`. */
const REFUSE = {
  postgres: `
    create function core.refuse() returns trigger language plpgsql as $$ begin perform core.come_again(); return new; end $$;
    create trigger refuse before update on waybill.step for each row when (new.state = 'done') execute function core.refuse();
    create trigger refuse before update on waybill.chunk for each row when (new.state = 'done') execute function core.refuse()`,
  mysql: ['step', 'chunk']
    .map(
      (table) => `create trigger waybill.refuse_${table} before update on waybill.${table} for each row
        if new.state = 'done' then set @again = core.come_again(); end if`,
    )
    .join(';'),
};
const TRIES = { postgres: 'select last_value from core.tries', mysql: 'select n from core.tries' };

/** Not by the connection that looks: within a transaction pg_stat_activity stays as it was when it was first read. */
async function shutGate(world: World): Promise<TestClient> {
  const holder = await world.another('warehouse');
  await holder.query(world.words.shutGate('1'));
  return holder;
}

const fence = (activities: Activities) =>
  activities.fenceBatch({
    ...BATCH,
    to: 'rolling_back',
    errorClass: 'test',
    error: 'the test',
    requestedBy: undefined,
  });

describe.each(oneOfEachFamily(import.meta.url))('the gate of a batch on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('plans that take long, or wait, leave the connections for control to others', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const activities = await activitiesOf(world);
    await activities.openBatch(OPEN_ORDER);
    await asActivity(activities.takeSnapshot, BATCH);
    const holder = await shutGate(world);
    const plans = [1, 2, 3].map(() => activities.planStage({ ...BATCH, stage: 1 }));
    await until(async () => (await world.count(world.words.waiting)) === 3);
    const late = new Promise((resolve) => setTimeout(resolve, 9_000, 'too late'));
    expect(await Promise.race([activities.describeBatch(BATCH), late])).toMatchObject({ batchId: '1' });
    await holder.query('commit');
    for (const plan of plans) expect(await plan).toMatchObject({ planned: 5, pending: 5 });
  });

  /** Three starts wait for what `holder` has locked; then it lets go. */
  async function expectOthersServed(
    activities: Activities,
    starts: Partial<typeof OPEN_ORDER>[],
    holder: TestClient,
    release: string,
  ): Promise<void> {
    const opened = Promise.all(starts.map((start) => openedAtLast(activities, { ...OPEN_ORDER, ...start })));
    await Promise.race([opened, until(async () => (await world.count(world.words.waiting)) === 3)]);
    const told = activities.describeBatch(BATCH).catch((error: unknown) => String(error));
    const late = new Promise((resolve) => setTimeout(resolve, 9_000, 'too late'));
    expect(await Promise.race([told, late])).toMatch(/has no batch 1/);
    await holder.query(release);
    expect(await opened).toMatchObject(starts.map(() => ({ kind: 'opened' })));
  }

  it('starts that wait for tables leave the connections for control to others', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const activities = await activitiesOf(world);
    const holder = await world.another('warehouse');
    if (world.words.family === 'postgres') {
      await world.warehouse.query(`drop table core.orders;
        create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null) partition by list (id);
        create table core.orders_all partition of core.orders default`);
      await holder.query('begin; lock table acq.orders, core.orders');
    } else {
      await world.warehouse.query('drop index orders_by_batch on core.orders');
      await holder.query('lock tables acq.orders write, core.orders write');
    }
    const release = world.words.family === 'postgres' ? 'commit' : 'unlock tables';
    await expectOthersServed(activities, [{}, {}, {}], holder, release);
  });

  it('acquisitions that wait for a swap to end leave the connections for control to others', async () => {
    const orders = ORDERS(500);
    const tables = ['one', 'two', 'three'];
    const files = tables.map((name): [string, string] => [
      `loads/acquisition/${name}.yaml`,
      `
kind: acquisition
connection: warehouse
from: { connection: warehouse, table: kept.orders }
to: { table: acq.${name} }`,
    ]);
    const columns = `id bigint, customer text, amount numeric(12,2), batch_id bigint not null,
      ngdw_id bigint generated by default as identity primary key`;
    world = await World.create(server, {
      files: { ...orders.files, ...Object.fromEntries(files) },
      warehouse: `${orders.warehouse!} ${tables.map((name) => `create table acq.${name} (${columns});`).join(' ')}`,
    });
    const activities = await activitiesOf(world);
    const holder = await world.another('warehouse');
    await holder.query(`insert into waybill.landing (table_name) values ('acq.one'), ('acq.two'), ('acq.three')`);
    await holder.query('begin; select table_name from waybill.landing for update');
    const starts = tables.map((name) => ({ load: `acquisition.${name}`, firstRunId: `a run of ${name}` }));
    await expectOthersServed(activities, starts, holder, 'commit');
  });

  it('that was fenced lets no lane in, neither while it is rolled back nor after', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const activities = await planned(world);
    expect(await fence(activities)).toMatchObject({ state: 'rolling_back' });
    expect(await asActivity(activities.runLane, LANE)).toMatchObject({ end: 'fenced', chunks: 0, rows: 0 });
    expect(await asActivity(activities.rollBack, BATCH)).toMatchObject({ state: 'failed' });
    expect(await asActivity(activities.runLane, LANE)).toMatchObject({ end: 'fenced', chunks: 0, rows: 0 });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.value(`select count(*) from waybill.chunk where state <> 'pending' or attempts <> 0`)).toBe('0');
  });

  it('lets no lane in that queued behind the fence, whatever isolation sessions have by default', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    // Elsewhere it is the whole server's default, and what it is unless somebody changes it.
    if (world.words.family === 'postgres') {
      await world.warehouse.query(`do $$ begin execute format(
        'alter database %I set default_transaction_isolation = ''repeatable read''', current_database()); end $$`);
    }
    const activities = await planned(world);
    const holder = await shutGate(world);
    const lane = asActivity(activities.runLane, LANE);
    await until(async () => (await world.count(world.words.waiting)) === 1, 90);
    await holder.query(`update waybill.batch set state = 'rolling_back'; commit`);
    expect(await lane).toMatchObject({ end: 'fenced', chunks: 0 });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
  });

  it('that was fenced stops every other activity too', async () => {
    world = await World.create(
      server,
      ORDERS(500, {
        byKey: true,
        yaml: 'before: "insert into core.steps values (1)"\nafter: "insert into core.steps values (2)"',
      }),
    );
    await world.warehouse.query('create table core.steps (n int)');
    const activities = await activitiesOf(world);
    await activities.openBatch(OPEN_ORDER);
    await fence(activities);
    const fenced = { type: 'Fenced' };
    await expect(asActivity(activities.runSteps, { ...BATCH, phase: 'before' as const })).rejects.toMatchObject(fenced);
    await expect(asActivity(activities.takeSnapshot, BATCH)).rejects.toMatchObject(fenced);
    await expect(activities.planStage({ ...BATCH, stage: 1 })).rejects.toMatchObject({ nonRetryable: true });
    await expect(asActivity(activities.runChecks, BATCH)).rejects.toMatchObject({ nonRetryable: true });
    await expect(activities.publish(BATCH)).rejects.toMatchObject(fenced);
    await expect(asActivity(activities.dropSnapshot, BATCH)).rejects.toMatchObject(fenced);
    await expect(asActivity(activities.runSteps, { ...BATCH, phase: 'after' as const })).rejects.toMatchObject(fenced);
    expect(await world.states('core.order')).toEqual(['rolling_back']);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    expect(await world.value('select count(*) from acq.orders')).toBe('500');
    expect(await world.value('select count(*) from core.steps')).toBe('0');
    expect(await world.value('select count(*) from waybill.chunk')).toBe('0');
  });

  it('that was published is not fenced, not rolled back, and takes no more rows', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const activities = await planned(world);
    expect(await asActivity(activities.runLane, LANE)).toMatchObject({ end: 'drained', chunks: 5, rows: 500 });
    await asActivity(activities.runChecks, BATCH);
    expect(await activities.publish(BATCH)).toMatchObject({ rowsWritten: 500 });
    expect(await fence(activities)).toMatchObject({ state: 'published' });
    expect(await asActivity(activities.rollBack, BATCH)).toEqual({ state: 'published', rows: 0 });
    await world.warehouse.query(`update waybill.chunk set state = 'pending' where n = 1`);
    expect(await asActivity(activities.runLane, LANE)).toMatchObject({ end: 'fenced', chunks: 0 });
    expect(await activities.publish(BATCH)).toMatchObject({ rowsWritten: 500 }); // a second attempt
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['published']);
  });

  it('is passed by no check and no publish while a chunk is not done, or a stage not planned', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const activities = await planned(world);
    const refused = (found: string) => ({
      type: 'LoadFailed',
      nonRetryable: true,
      message: `stage orders has ${found} chunks done`,
    });
    await expect(asActivity(activities.runChecks, BATCH)).rejects.toMatchObject(refused('0 of 5'));
    expect(await world.states('core.order')).toEqual(['running']);
    await asActivity(activities.runLane, LANE);
    await asActivity(activities.runChecks, BATCH);
    for (const [undo, found, redo] of [
      [`update waybill.chunk set state = 'pending' where n = 3`, '4 of 5', `update waybill.chunk set state = 'done'`],
      ['update waybill.stage set planned_chunks = null', '5 of ?', 'update waybill.stage set planned_chunks = 5'],
    ] as const) {
      await world.warehouse.query(undo);
      await expect(activities.publish(BATCH)).rejects.toMatchObject(refused(found));
      await expect(asActivity(activities.runChecks, BATCH)).rejects.toMatchObject(refused(found));
      expect(await world.states('core.order')).toEqual(['checking']);
      await world.warehouse.query(redo);
    }
    expect(await activities.publish(BATCH)).toMatchObject({ rowsWritten: 500 });
  });

  it('that another workflow has resumed is shut to what is late of the one before', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const activities = await planned(world);
    await asActivity(activities.runLane, LANE);
    await asActivity(activities.runChecks, BATCH);
    await world.warehouse.query(`update waybill.batch set first_run_id = 'the run that resumed it'`);
    await expect(activities.publish(BATCH)).rejects.toMatchObject({ type: 'Fenced' });
    await expect(fence(activities)).rejects.toMatchObject({ type: 'Fenced' });
    expect(await world.states('core.order')).toEqual(['checking']);
    const now = { ...BATCH, firstRunId: 'the run that resumed it' };
    expect(await activities.publish(now)).toMatchObject({ rowsWritten: 500 });
    await expectWhole(world);
  });

  it('keeps its rows for itself: a second roll back of the same batch, as late as it may be, takes nothing from the next', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const activities = await planned(world);
    await asActivity(activities.runLane, LANE);
    await fence(activities);
    const holder = await shutGate(world);
    const late = asActivity(activities.rollBack, BATCH);
    await until(async () => (await world.count(world.words.waiting)) === 1, 90);
    await holder.query(`delete from core.orders; update waybill.batch set state = 'failed'; commit`);
    expect(await late).toEqual({ state: 'failed', rows: 0 });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
    expect(await asActivity(activities.rollBack, BATCH)).toEqual({ state: 'failed', rows: 0 });
    // Nor does a drop that slept through all of that.
    await expect(asActivity(activities.dropSnapshot, BATCH)).rejects.toMatchObject({ type: 'Fenced' });
    await expectWhole(world);
  });

  it('lets one chunk happen once, though two lanes of one number run at once', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const activities = await planned(world);
    const lanes = await Promise.all([1, 1, 1].map((lane) => asActivity(activities.runLane, { ...LANE, lane })));
    expect(lanes.reduce((sum, { chunks }) => sum + chunks, 0)).toBe(5);
    await expectWhole(world);
  });
  it('holds rows and ledger together: what cannot be written into the ledger is not written at all', async () => {
    world = await World.create(server, {
      ...ORDERS(500, { byKey: true, lanes: 1, yaml: 'before: "insert into core.steps values (1)"' }),
      own: comingAgain('n in (1, 3, 5)'),
    });
    await world.warehouse.query('create table core.steps (n int)');
    await world.worker();
    // The first attempt of the step, and of two chunks, fails in its last statement before COMMIT.
    await world.warehouse.query(REFUSE[world.words.family]);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 500 } });
    await expectWhole(world);
    expect(await world.value('select count(*) from core.steps')).toBe('1');
    expect(await world.value(TRIES[world.words.family])).toBe('9');
  });
});
