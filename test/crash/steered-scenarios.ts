/** What is under way when a worker is killed, where a person steps in: cancels, forces, starts a held load anew, renames one. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { forceReloadSignal } from '../../src/workflows/message-definitions.ts';
import { land } from '../engine/breakable-orders.ts';
import { expectSame, expectWhole, ORDERS, PLAIN_SQL } from '../engine/orders.ts';
import { until, type World, type WorldOptions } from '../engine/world.ts';
import { CORE, HOLD, SERVICES, type Scenario } from './scenarios.ts';

/** The chunk that holds order 150 sleeps for `pause` seconds once its rows are written: others are written and done by then. */
const sleeping = (): WorldOptions => {
  const sleep = `select count(pg_sleep(s.pause)) as slept from {{ acq.orders }} o join core.settings s on s.slow = o.id`;
  const orders = ORDERS(250, { lanes: 1, byKey: true, sql: `${PLAIN_SQL};\n${sleep}` });
  return {
    ...orders,
    warehouse: `${orders.warehouse}
      create table core.settings (slow bigint, pause float8);
      insert into core.settings values (150, 120);`,
  };
};

/** Waits for the sleep, and lets no later chunk sleep. What sleeps goes on, also when its worker is dead: only a fence ends it. */
async function untilAsleep(world: World): Promise<void> {
  await until(async () => (await world.count(world.words.sleepers)) > 0, 90);
  await world.warehouse.query('update core.settings set pause = 0');
}

export const CANCELLED: Scenario = {
  title: 'a load that is cancelled',
  world: sleeping(),
  start: { load: CORE },
  activities: ['fenceBatch', 'rollBack'],
  phases: {
    fenceBatch: ['chunk', 'roll back'],
    rollBack: ['roll back', 'cancelled'],
  },
  during: async (world, handle) => {
    await untilAsleep(world);
    await handle.cancel();
  },
  expectRight: async (world) => {
    await expectWhole(world);
    expect(await world.states(CORE)).toEqual([expect.stringMatching(/^(cancelled|failed)$/), 'published']);
  },
};

export const FORCED_RELOAD: Scenario = {
  title: 'a load whose reload is forced while it runs',
  world: sleeping(),
  start: { load: CORE },
  activities: ['fenceBatch', 'rollBack'],
  phases: {
    fenceBatch: ['chunk', 'roll back'],
  },
  during: async (world, handle) => {
    await untilAsleep(world);
    await handle.signal(forceReloadSignal);
  },
  expectRight: async (world) => {
    await expectWhole(world);
    expect(await world.states(CORE)).toEqual(['failed', 'published']);
  },
};

export const HELD_ANEW: Scenario = {
  ...HOLD,
  title: 'a plain start over a held batch',
  activities: ['openBatch', 'fenceBatch', 'rollBack', 'publish'],
  phases: {
    openBatch: ['held', 'held', 'failed', 'plan'],
    fenceBatch: ['held', 'roll back'],
  },
  prepare: async (world) => {
    expect(await world.run(CORE)).toMatchObject({ ok: false });
    await HOLD.mend!(world);
  },
  expectRight: async (world) => {
    await expectWhole(world);
    expect(await world.rows('select state, error_class from waybill.batch where batch_id = 1')).toEqual([
      { state: 'failed', error_class: 'superseded' },
    ]);
  },
};

const SALE = 'core.sale';
const TOTAL = 'services.total';

/** It has published a batch, which was consumed, and holds another, both under the name before. */
export const RENAMED: Scenario = {
  title: 'a renamed load over what its name before has left',
  world: {
    files: { ...SERVICES.world.files, ...HOLD.world.files },
    warehouse: `${HOLD.world.warehouse} create schema services;
      create table services.total (customer varchar(200), amount numeric(20, 2), batch_id bigint not null);
      update core.settings set broken = 0`,
  },
  start: { load: SALE },
  loads: [CORE, SALE], // the batch has the name before until it has ended
  activities: ['openBatch', 'fenceBatch', 'rollBack'],
  phases: {
    openBatch: ['held', 'held', 'failed', 'plan'],
    fenceBatch: ['held', 'roll back'],
  },
  prepare: async (world) => {
    expect(await world.run(CORE)).toMatchObject({ ok: true });
    expect(await world.run(TOTAL)).toMatchObject({ ok: true });
    await land(world, 9001);
    await land(world, 150);
    await world.warehouse.query('update core.settings set broken = 1');
    expect(await world.run(CORE)).toMatchObject({ ok: false });
    expect(await world.states(CORE)).toEqual(['published', 'held']);
    await HOLD.mend!(world);
    await rename(world);
  },
  expectRight: async (world) => {
    expect(await world.run(TOTAL)).toMatchObject({ ok: true, result: { status: 'finished' } });
    expect(await world.run(TOTAL)).toMatchObject({ ok: true, result: { status: 'nothing' } });
    await expectWhole(world);
    await expectSame(
      world,
      'select customer, sum(amount * 2) as amount from kept.orders group by customer',
      'select customer, sum(amount) as amount from services.total group by customer',
      ['customer', 'amount'],
    );
    expect(await world.states(SALE)).toEqual(['published', 'failed', 'published']);
    expect(await world.rows('select distinct producer_load from waybill.batch_input')).toEqual([
      { producer_load: SALE },
    ]);
    expect(await world.rows(`select load_name from waybill.event where what = 'renamed'`)).toEqual([
      { load_name: SALE },
    ]);
  },
};

async function rename(world: World): Promise<void> {
  const { files } = RENAMED.world;
  await rm(join(world.directory, 'loads/core/order.yaml'));
  await world.write('loads/core/sale.yaml', `${files['loads/core/order.yaml']}\nrenamed_from: ${CORE}`);
  await world.write('loads/services/total.yaml', files['loads/services/total.yaml']!.replace(CORE, SALE));
}
