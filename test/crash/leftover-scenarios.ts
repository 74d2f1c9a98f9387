/** What is under way when a worker is killed, where it is sent only over what was left by somebody, or by another start. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ITEM } from '../engine/items.ts';
import { expectWhole, ORDERS } from '../engine/orders.ts';
import { TASK } from '../engine/vehicles.ts';
import type { World } from '../engine/world.ts';
import { OUTPUT, OUTPUT_GONE } from './rare-scenarios.ts';
import { CORE, csv, FILES, LOG, mend, RESUME, SETTINGS, type Scenario } from './scenarios.ts';

/** On PostgreSQL it is gone on with as it is now; elsewhere it would be another table. */
export const RESUME_REWRITTEN: Scenario = {
  ...RESUME,
  title: 'a held batch that is resumed over a snapshot that was rewritten',
  activities: ['openBatch'],
  prepare: async (world) => {
    await RESUME.prepare!(world);
    if (world.words.family === 'postgres') await world.warehouse.query('vacuum full acq.orders_processing');
  },
};

/** Its step before the load fails until the setting is mended: nothing is planned. */
const unplanned = (): Scenario['world'] => {
  const orders = ORDERS(250, {
    lanes: 1,
    byKey: true,
    yaml: `on_failure: hold\nbefore: "insert into core.log select 'before', :batch_id / (1 - s.broken) from core.settings s"`,
  });
  return { ...orders, warehouse: `${orders.warehouse} ${LOG} ${SETTINGS}` };
};

/** Nobody has looked where its output is: rows of it may be somewhere. */
export const OUTPUT_UNKNOWN: Scenario = {
  ...OUTPUT_GONE,
  title: 'the roll back of a batch that was never planned, and whose output is gone',
  world: unplanned(),
  prepare: async (world) => {
    await OUTPUT_GONE.prepare!(world);
    expect(await world.states(CORE)).toEqual(['held']);
  },
};

/** A batch was rolled back that might have had rows in it. */
export const OUTPUT_BACK: Scenario = {
  ...OUTPUT_UNKNOWN,
  title: 'a load whose output was gone and has come back',
  activities: ['publish'],
  mend,
  prepare: async (world) => {
    await OUTPUT_UNKNOWN.prepare!(world);
    expect(await world.run(CORE)).toMatchObject({ ok: false });
    expect(await unreached(world)).toBe('1');
    await OUTPUT_UNKNOWN.mend!(world);
  },
  expectRight: async (world) => {
    await expectWhole(world);
    expect(await unreached(world)).toBe('0');
  },
};

const unreached = (world: World): Promise<unknown> =>
  world.value('select count(*) from waybill.batch_output where unreached');

/** One has another name, with what is in it; another one is new. */
export const FILES_MOVED: Scenario = {
  ...FILES,
  title: 'an acquisition of files of which one was moved',
  activities: ['openBatch'],
  phases: {
    openBatch: ['published', 'plan'],
  },
  prepare: async (world) => {
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 120 } });
    await rename(join(world.directory, 'data/2/item.csv'), join(world.directory, 'data/moved.csv'));
    await world.write('data/4/item.csv', csv(4));
  },
  expectRight: async (world) => {
    const ids = await world.rows<{ id: string }>('select id from acq.item order by id');
    expect(ids.map(({ id }) => Number(id))).toEqual(Array.from({ length: 160 }, (_, i) => i));
    const files = await world.rows<{ name: string }>(`
      select name from waybill.source_file f join waybill.batch b on b.batch_id = f.batch_id
      where state = 'published' order by f.batch_id, f.n`);
    const names = ['data/1/item.csv', 'data/moved.csv', 'data/3/item.csv', 'data/4/item.csv'];
    expect(files.map(({ name }) => name)).toEqual(names);
  },
};

/** What the batch before gave is asked for no more. */
export const OUTPUT_AGAIN: Scenario = {
  ...OUTPUT,
  title: 'a task that writes its file anew',
  activities: ['openBatch'],
  phases: {
    openBatch: ['published', 'plan'],
  },
  prepare: async (world) => {
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    await world.warehouse.query('update core.vehicle set seen = 0');
  },
};

/** As long as the setting is not mended, which no server takes for a value. */
const TWO_ROWS = 'select o.id from core.orders o where o.id < 1 + 2 * s.broken';

/** Its SQL fails, and not with an answer that is not the wanted one. */
export const CHECK_ERROR: Scenario = {
  title: 'a load whose check cannot be made',
  world: (() => {
    const yaml = `checks: [ { name: nothing is broken, sql: "select coalesce((${TWO_ROWS}), 0) from core.settings s", expect: 0 } ]`;
    const orders = ORDERS(250, { lanes: 1, byKey: true, yaml });
    return { ...orders, warehouse: `${orders.warehouse} ${SETTINGS}` };
  })(),
  start: { load: CORE },
  activities: ['runChecks'],
  phases: {
    runChecks: ['check'], // none has a result, and a chunk has not failed
  },
  mend,
  expectRight: expectWhole,
};
