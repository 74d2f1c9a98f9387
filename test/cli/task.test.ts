/** What the command line says of tasks. */
import { afterEach, describe, expect, test } from 'vitest';
import { everyServer } from '../every-server.ts';
import { breakAt, TASK, VEHICLES } from '../engine/vehicles.ts';
import { World } from '../engine/world.ts';
import { document, waybill } from './command-line.ts';

const text = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

describe.each(everyServer)('a task at the command line on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('is validated, planned, run, shown; and goes on after a failure, which each of them says', async () => {
    world = await World.create(
      server,
      VEHICLES(50, { lanes: 1, yaml: 'before: select 1\non_error: "update core.settings set broken = 35"' }),
    );
    expect(document(await waybill(world, 'validate', '--json'))).toMatchObject({
      loads: 1,
      statements: { checked: 4, unchecked: 0 },
      warnings: [],
    });
    await waybill(world, 'migrate');
    expect(document(await waybill(world, 'plan', TASK, '--json'))).toMatchObject({
      ...{ does: 'new batch', redoes: null, window: { column: 'id', from: '1', to: '51' } },
      stages: [{ name: 'task', lanes: 1, chunks: 5, cut: 'ranges of 10', statements: [{}, {}] }],
    });
    const plan = (await waybill(world, 'plan', TASK)).stdout;
    expect(plan).toContain('range: id from 1 up to, not with, 51');
    expect(plan).toMatch(/When it has failed\n.*\n +update core.settings set broken = 35/);
    await world.worker();
    await breakAt(world, 25);
    expect(document(await waybill(world, 'run', TASK, '--json'))).toMatchObject({
      ...{ kind: 'task', state: 'failed', rows_written: 22, chunks: { done: 2, total: 5 } },
      error: {
        type: 'Database',
        message: text(/^stage task, chunk 3, 21 to 31: /),
        next: text(/does what is not done\)/),
      },
    });
    // `on_error` has moved the break.
    expect(document(await waybill(world, 'plan', TASK, '--json'))).toMatchObject({
      ...{ does: 'goes on', redoes: '1' },
      stages: [{ chunks: 3, cut: 'ranges of 10, what batch 1 left undone' }],
    });
    expect(document(await waybill(world, 'run', TASK, '--json'))).toMatchObject({ rows_written: 11 });
    await breakAt(world, 0);
    expect(document(await waybill(world, 'run', TASK, '--json'))).toMatchObject({
      ...{ state: 'published', rows_written: 22, chunks: { done: 2, total: 2 }, error: null },
    });
    expect(document(await waybill(world, 'show', '3', '--json'))).toMatchObject({
      done_before: { batches: ['1', '2'], chunks: 3, rows: 33 },
      steps: [{ phase: 'before', state: 'done' }],
      ranges: [31, 41].map((from) => ({
        ...{ state: 'done', rows: 11, range: { from: String(from), to: String(from + 10) } },
        ...{ started_at: text(/Z$/), finished_at: text(/Z$/) },
      })),
    });
    const shown = (await waybill(world, 'show', '3')).stdout;
    expect(shown).toContain('where batches 1, 2 ended: 3 chunks had been done, 33 rows written');
    expect(shown).toMatch(/chunk +from +to +rows +started +stopped +took\n +4 +31 +41 +11 .* s\n +5 +41 +51 +11 .* s/);
    expect((await waybill(world, 'show', '1')).stdout).toContain('on_error step 1: done');
  });

  test('shows the slowest of many ranges', async () => {
    world = await World.create(
      server,
      VEHICLES(30, {
        range: '{ of: core.vehicle.id, step: 1 }',
        sql: 'update core.vehicle set seen = 1 where id >= :from and id < :to',
      }),
    );
    await waybill(world, 'migrate');
    await world.worker();
    await waybill(world, 'run', TASK);
    await world.warehouse.query(`
      update waybill.chunk set finished_at = started_at + interval '99 seconds' where n in (7, 13)`);
    const shown = (await waybill(world, 'show', '1')).stdout;
    expect(shown).toContain('The 20 slowest of 30 ranges');
    expect(shown).toMatch(/\n +7 .* 99 s\n/);
    expect(shown).toMatch(/\n +13 .* 99 s\n/);
  });
});
