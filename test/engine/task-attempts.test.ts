/** What a task tries again: its ranges, and its steps. */
import { afterEach, describe, expect, test } from 'vitest';
import { document, waybill } from '../cli/command-line.ts';
import { someServers } from '../every-server.ts';
import { comingAgain } from './orders.ts';
import { batchesOf, COUNTING, expectSeenOnce, TASK, VEHICLES } from './vehicles.ts';
import { World, type WorldOptions } from './world.ts';

const step = (what: string): string => `"insert into core.notes (what) values ('${what}'); select core.come_again()"`;

/** One range, a step before and one after; each of them fails whenever `when` is true of how often all three were tried. */
const TRYING = (when: string, mostAttempts: number): WorldOptions => ({
  ...VEHICLES(10, {
    sql: `${COUNTING};\nselect core.come_again()`,
    yaml: `max_attempts: ${mostAttempts}\nbefore: ${step('before')}\nafter: ${step('after')}`,
    warehouse: 'create table core.notes (what varchar(20));',
  }),
  own: comingAgain(when),
});

describe.each(someServers(import.meta.url))('attempts of a task on $name', { timeout: 180_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const notes = async (): Promise<string[]> =>
    (await world.rows<{ what: string }>('select what from core.notes order by what')).map(({ what }) => what);
  const tried = (batchId: string) =>
    world.rows('select phase, state, attempts from waybill.step where batch_id = $1 order by phase', [batchId]);

  test('are as many as max_attempts says, each for itself, and leave nothing of those that failed', async () => {
    world = await World.create(server, TRYING('n % 3 <> 0', 3));
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 1 } });
    expect(await notes()).toEqual(['after', 'before']);
    await expectSeenOnce(world);
    expect(await world.value('select count(*) from core.ran')).toBe('1');
    expect(await tried('1')).toEqual([
      { phase: 'after', state: 'done', attempts: 3 },
      { phase: 'before', state: 'done', attempts: 3 },
    ]);
    expect(await world.rows('select state, attempts from waybill.chunk')).toEqual([{ state: 'done', attempts: 2 }]);
  });

  test('end where there are no more: the next start goes on with what could not be done, and with nothing else', async () => {
    world = await World.create(server, TRYING('n % 3 <> 0', 2));
    await world.worker();
    const { inHistory } = world.words.comesAgain;
    expect(await world.run(TASK)).toMatchObject({
      ...{ ok: false, message: `${inHistory} (2 attempts)`, where: 'load task.vehicle, batch 1, before step 1' },
    });
    expect(await notes()).toEqual([]);
    expect(await world.run(TASK)).toMatchObject({
      ok: false,
      where: 'load task.vehicle, batch 2, stage task, chunk 1',
    });
    expect(await notes()).toEqual(['before']);
    expect(await world.value('select count(*) from core.ran')).toBe('0');
    expect(await world.rows(`select state, attempts from waybill.chunk where batch_id = 2`)).toEqual([
      { state: 'failed', attempts: 2 },
    ]);
    expect(await world.run(TASK)).toMatchObject({
      ...{ ok: false, type: 'AfterFailed', where: 'load task.vehicle, batch 3, after step 1' },
    });
    expect(await notes()).toEqual(['before']);
    // The ninth time is the step after; then comes a batch of its own, whose step before fails again.
    expect(await world.run(TASK)).toMatchObject({ ok: false, where: 'load task.vehicle, batch 4, before step 1' });
    expect(await notes()).toEqual(['after', 'before']);
    expect((await batchesOf(world)).map(({ state }) => state)).toEqual(['failed', 'failed', 'published', 'failed']);
    await expectSeenOnce(world);
  });

  test('of steps alone, without ranges and stages: what is done of them stays done', async () => {
    const note = (what: string): string => `insert into core.notes (what) values ('${what}')`;
    world = await World.create(server, {
      ...VEHICLES(10, { warehouse: 'create table core.notes (what varchar(20));' }),
      files: {
        'loads/task/vehicle.yaml': `
kind: task
connection: warehouse
before: [ "${note('first')}", "insert into core.later select 1", "${note('last')}" ]
checks: [ { name: both, sql: "select count(*) from core.notes", expect: 2 } ]
after: "${note('after')}"`,
      },
    });
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({ ok: false, where: 'load task.vehicle, batch 1, before step 2' });
    expect(await notes()).toEqual(['first']);
    await world.warehouse.query('create table core.later (n int)');
    expect(document(await waybill(world, 'plan', TASK, '--json'))).toMatchObject({ does: 'goes on', stages: [] });
    const ran = await waybill(world, 'run', TASK, '--json');
    expect(document(ran)).toMatchObject({ state: 'published', batch_id: '2', chunks: { done: 0, total: 0 } });
    expect(await notes()).toEqual(['after', 'first', 'last']);
    expect((await waybill(world, 'show', '2')).stdout).toContain('before step 3: done');
    expect(await world.value('select count(*) from core.later')).toBe('1');
  });
});
