/** Whoever waits at the gate reads what is true when it gets in, whatever isolation a session has by default. */
import { expect } from 'vitest';
import { activitiesOf, asActivity, OPEN_ORDER } from './activities.ts';
import { ORDERS } from './orders.ts';
import { until, type World, type WorldOptions } from './world.ts';

const BATCH = { connection: 'warehouse', batchId: '1', firstRunId: OPEN_ORDER.firstRunId };
const STAGE = { ...BATCH, stage: 1 };
const FENCED = { type: 'Fenced' };

/** Orders in chunks of 20, with a step before and one after. */
export function STEPPED_ORDERS(n: number): WorldOptions {
  const yaml = 'before: "insert into core.steps values (1)"\nafter: "insert into core.steps values (2)"';
  const orders = ORDERS(n, { byKey: true, lanes: 4, rows: 20, yaml });
  return { ...orders, warehouse: `${orders.warehouse!} create table core.steps (n int);` };
}

/** Everything that queued behind a fence finds the gate shut. The world is that of `STEPPED_ORDERS(500)`. */
export async function expectGateShut(world: World): Promise<void> {
  const activities = await activitiesOf(world);
  await activities.openBatch(OPEN_ORDER);

  /** It waits at the gate; when it gets in, the batch is no longer in the state in which it was. */
  async function queueBehindFence(work: () => Promise<unknown>, state = 'running'): Promise<unknown> {
    await world.warehouse.query(`update waybill.batch set state = '${state}'`);
    await world.warehouse.query(world.words.shutGate('1'));
    const late = work().catch((error: unknown) => error);
    await until(async () => (await world.count(world.words.waiting)) === 1, 90);
    await world.warehouse.query(`update waybill.batch set state = 'rolling_back'; commit`);
    return late;
  }
  const running = () => world.warehouse.query(`update waybill.batch set state = 'running'`);
  const steps = (phase: 'before' | 'after') => () => asActivity(activities.runSteps, { ...BATCH, phase });

  expect(await queueBehindFence(steps('before'))).toMatchObject(FENCED);
  expect(await queueBehindFence(() => asActivity(activities.takeSnapshot, BATCH))).toMatchObject(FENCED);
  expect(await world.exists('acq.orders_processing')).toBe(false);
  await running();
  await asActivity(activities.takeSnapshot, BATCH);
  expect(await queueBehindFence(() => activities.planStage(STAGE))).toMatchObject(FENCED);
  expect(await world.value('select count(*) from waybill.chunk')).toBe('0');
  await running();
  await activities.planStage(STAGE);
  const lane = { ...STAGE, lane: 1, sliceMs: 60_000 };
  expect(await queueBehindFence(() => asActivity(activities.runLane, lane))).toMatchObject({ end: 'fenced', rows: 0 });
  expect(await world.value('select count(*) from core.orders')).toBe('0');
  await running();
  expect(await asActivity(activities.runLane, lane)).toMatchObject({ end: 'drained', rows: 500 });
  expect(await queueBehindFence(() => asActivity(activities.runChecks, BATCH))).toMatchObject(FENCED);
  expect(await queueBehindFence(() => activities.publish(BATCH), 'checking')).toMatchObject(FENCED);
  expect(await queueBehindFence(() => asActivity(activities.dropSnapshot, BATCH), 'published')).toMatchObject(FENCED);
  expect(await queueBehindFence(steps('after'), 'published')).toMatchObject(FENCED);
  expect(await world.states('core.order')).toEqual(['rolling_back']);
  expect(await world.value('select count(*) from core.steps')).toBe('0');
}
