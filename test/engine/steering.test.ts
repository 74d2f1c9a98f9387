import { afterEach, describe, expect, test } from 'vitest';
import {
  cancelSignal,
  cancelUpdate,
  forceReloadUpdate,
  pauseUpdate,
  progressQuery,
  resumeUpdate,
  setLanesUpdate,
} from '../../src/workflows/message-definitions.ts';
import { someServers } from '../every-server.ts';
import { expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import { ended, until } from './world.ts';

type Handle = Awaited<ReturnType<World['start']>>;

const done = async (world: World): Promise<number> =>
  Number(
    await world.value(`select count(*) from waybill.chunk where state = 'done'
                            and batch_id = (select max(batch_id) from waybill.batch)`),
  );

/** Statements of lanes that the server runs now. */
const lanesAtWork = (world: World): Promise<number> => world.count(world.words.lanesAtWork);

/** Keeps the roll back of the first batch waiting for one of its rows, until it is told to let go. */
async function holdFirst(world: World): Promise<() => Promise<unknown>> {
  const holder = await world.another('warehouse');
  await until(async () => (await done(world)) > 1);
  await holder.query('begin; delete from core.orders where batch_id = 1 and id < 100');
  return () => holder.query('rollback');
}

describe.each(someServers(import.meta.url))('steering a load on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('a cancel in mid-flight ends the SQL within 5 s, takes the rows out, keeps the snapshot', async () => {
    // One statement of a minute: only ending it from outside helps.
    world = await World.create(server, ORDERS(400, { rows: 100, byKey: true, sql: SLOW_SQL(60), lanes: 3 }));
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await lanesAtWork(world)) === 3);
    await world.warehouse.query('insert into core.orders select id, customer, amount, 1 from kept.orders limit 50');
    const cancelled = Date.now();
    await handle.cancel();
    await until(async () => (await lanesAtWork(world)) === 0, 5);
    expect(Date.now() - cancelled).toBeLessThan(5000);
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
    expect(await world.states('core.order')).toEqual(['cancelled']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('400');
  });

  test('the cancel signal ends it as Failed of type Cancelled, with the same clean-up, and says who', async () => {
    world = await World.create(server, ORDERS(4000, { rows: 100, byKey: true, sql: SLOW_SQL(0.1) }));
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 2);
    await handle.signal(cancelSignal, { requestedBy: 'mary', reason: 'wrong day' });
    expect(await ended(handle)).toMatchObject({
      ok: false,
      type: 'Cancelled',
      message: 'cancelled by mary: wrong day',
    });
    expect(await world.states('core.order')).toEqual(['cancelled']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.rows(`select what, requested_by from waybill.event where what = 'rolling_back'`)).toEqual([
      { what: 'rolling_back', requested_by: 'mary' },
    ]);
  });

  test('a force during a run fences it, rolls it back, and redoes it in the same workflow', async () => {
    world = await World.create(server, ORDERS(3000, { rows: 100, byKey: true, sql: SLOW_SQL(0.1) }));
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 2);
    await world.warehouse.query(`insert into acq.orders values (9001, 'late', 1)`);
    expect(await handle.executeUpdate(forceReloadUpdate, { args: [{ requestedBy: 'joe' }] })).toMatchObject({
      answer: 'accepted',
    });
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 3000, batch: { batchId: '2' } } });
    await expectWhole(world);
    expect(await world.rows('select batch_id, state, attempt, error_class from waybill.batch order by 1')).toEqual([
      { batch_id: '1', state: 'failed', attempt: 1, error_class: 'forced' },
      { batch_id: '2', state: 'published', attempt: 2, error_class: null },
    ]);
    expect(await world.value('select count(*) from acq.orders')).toBe('1');
  });

  test('a pause while the batch is rolled back is for the batch after a force, and too late after a cancel', async () => {
    world = await World.create(server, ORDERS(3000, { rows: 100, byKey: true, sql: SLOW_SQL(0.1), lanes: 1 }));
    await world.worker();
    const handle = await world.start('core.order');
    const holder = await world.another('warehouse');
    const holdRollBack = async (batchId: number): Promise<void> => {
      await until(async () => (await done(world)) > 1);
      await holder.query(`begin; delete from core.orders where batch_id = ${batchId} and id < 100`);
    };
    const rollingBack = (batch: number) =>
      until(async () => (await world.states('core.order'))[batch - 1] === 'rolling_back');
    const state = async () => (await handle.query(progressQuery)).state;

    await holdRollBack(1);
    await handle.executeUpdate(forceReloadUpdate, { args: [{}] });
    await rollingBack(1);
    expect(await handle.executeUpdate(pauseUpdate)).toMatchObject({
      answer: 'accepted: the batch that is opened next waits',
    });
    await holder.query('rollback');
    await until(async () => (await world.states('core.order'))[1] === 'running');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await done(world)).toBe(0);
    await handle.executeUpdate(resumeUpdate);

    await holdRollBack(2);
    await handle.signal(cancelSignal, {});
    await rollingBack(2);
    await until(async () => (await state()) === 'rolling_back');
    expect(await handle.executeUpdate(pauseUpdate)).toMatchObject({ answer: 'too late: the batch is rolling_back' });
    await holder.query('rollback');
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Cancelled' });
  });

  /** A load whose batch is rolled back for a force, which waits for a row until it is let go. */
  async function forced(): Promise<{ handle: Handle; letGo: () => Promise<unknown> }> {
    world = await World.create(server, ORDERS(1000, { rows: 100, byKey: true, sql: SLOW_SQL(0.3), lanes: 1 }));
    await world.worker();
    const handle = await world.start('core.order');
    const letGo = await holdFirst(world);
    await handle.executeUpdate(forceReloadUpdate, { args: [{}] });
    await until(async () => (await world.states('core.order'))[0] === 'rolling_back');
    return { handle, letGo };
  }

  test('a cancel while the batch is rolled back for a force takes back the force: no other batch is opened', async () => {
    const { handle, letGo } = await forced();
    const answers = [];
    for (let times = 0; times < 2; times += 1) {
      answers.push(
        (await handle.executeUpdate(cancelUpdate, { args: [{ requestedBy: 'mary', reason: 'no' }] })).answer,
      );
    }
    // The ledger says so as soon as the fence stands; the workflow, once it has heard of it.
    const late = expect.stringMatching(/^too late: the batch is (being broken off|rolling_back)$/) as string;
    expect(answers).toEqual(['accepted', late]);
    await letGo();
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Cancelled', message: 'cancelled by mary: no' });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });

  test('Temporal’s own cancel, which is that of the command line, takes back the force as well', async () => {
    const { handle, letGo } = await forced();
    await handle.cancel();
    await letGo();
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });

  test.each([
    { by: 'Temporal’s own', cancel: (handle: Handle) => handle.cancel(), end: { type: 'Canceled' } },
    {
      by: 'the signal',
      cancel: (handle: Handle) => handle.signal(cancelSignal, { requestedBy: 'mary', reason: 'no' }),
      end: {
        type: 'Cancelled',
        message: 'cancelled by mary before a batch was opened: no',
        where: 'load core.order',
        next: 'start it again when you want: waybill run core.order',
      },
    },
  ])('a cancel ($by) while a start rolls back an earlier batch: none is opened', async ({ cancel, end }) => {
    world = await World.create(server, ORDERS(1000, { rows: 100, byKey: true, sql: SLOW_SQL(0.3), lanes: 1 }));
    await world.worker();
    const terminated = await world.start('core.order');
    const letGo = await holdFirst(world);
    await terminated.terminate();
    const handle = await world.start('core.order');
    await until(async () => (await world.states('core.order'))[0] === 'rolling_back');
    await cancel(handle);
    await letGo();
    expect(world.names.outOf(await ended(handle))).toMatchObject({ ok: false, ...end });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });

  test('pause stops the lanes after their chunks, resume lets them go on, lanes change while it runs', async () => {
    world = await World.create(server, ORDERS(6000, { rows: 100, byKey: true, sql: SLOW_SQL(0.2), lanes: 1 }));
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 1);
    await handle.executeUpdate(pauseUpdate);
    await until(async () => (await lanesAtWork(world)) === 0);
    const paused = await done(world);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await done(world)).toBe(paused);
    expect(await handle.query(progressQuery)).toMatchObject({ paused: true, state: 'running', load: 'core.order' });

    await expect(handle.executeUpdate(setLanesUpdate, { args: [0] })).rejects.toThrow();
    await handle.executeUpdate(setLanesUpdate, { args: [5] });
    await handle.executeUpdate(resumeUpdate);
    await until(async () => (await lanesAtWork(world)) === 5);
    await handle.executeUpdate(setLanesUpdate, { args: [2] });
    await until(async () => (await lanesAtWork(world)) === 2);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 6000 } });
    await expectWhole(world);
  });

  test('a load past its max_runtime is fenced and rolled back, as failed, with the reason', async () => {
    world = await World.create(
      server,
      ORDERS(500, { rows: 100, byKey: true, sql: SLOW_SQL(30), yaml: 'max_runtime: 3s' }),
    );
    await world.worker();
    const result = await world.run('core.order');
    expect(result).toMatchObject({ ok: false, type: 'Timeout' });
    expect(await world.rows('select state, error_class from waybill.batch')).toEqual([
      { state: 'failed', error_class: 'timeout' },
    ]);
    await until(async () => (await lanesAtWork(world)) === 0, 5); // a server takes a moment to end one
    expect(await world.value('select count(*) from core.orders')).toBe('0');
  });

  test('a long history is continued in a new run, with drained lanes, and nothing is done twice', async () => {
    world = await World.create(server, ORDERS(6000, { rows: 100, byKey: true, sql: SLOW_SQL(0.4) }));
    await world.worker({ historyLimit: 25 });
    const handle = await world.start('core.order');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 6000 } });
    await expectWhole(world);
    let runs = 0;
    for await (const run of world.client.workflow.list({ query: `WorkflowId = 'load/core.order'` })) {
      runs += run.status.name === 'CONTINUED_AS_NEW' ? 1 : 0;
    }
    expect(runs).toBeGreaterThanOrEqual(1);
    expect(await world.states('core.order')).toEqual(['published']);
  });
});
