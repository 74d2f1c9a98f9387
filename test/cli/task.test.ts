/** What the command line says of tasks. */
import { afterEach, describe, expect } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { breakAt, TASK, VEHICLES } from '../engine/vehicles.ts';
import { World } from '../engine/world.ts';
import { document, waybill } from './command-line.ts';

const text = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

describe.each(oneOfEachFamily(import.meta.url))('a task at the command line on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('is validated, planned, run, shown; and goes on after a failure, which each of them says', async () => {
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

  it('shows the slowest of many ranges', async () => {
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
    // As earlier versions left a range whose row they had rejected.
    await world.warehouse.query('update waybill.chunk set started_at = null where n = 30');
    const shown = (await waybill(world, 'show', '1')).stdout;
    expect(shown).toContain('The 20 slowest of 30 ranges (--ranges shows all)');
    expect((document(await waybill(world, 'show', '1', '--json')) as { ranges: unknown[] }).ranges).toHaveLength(20);
    expect(shown).toMatch(/\n +7 .* 99 s\n/);
    expect(shown).toMatch(/\n +13 .* 99 s\n/);
    expect(shown).not.toMatch(/\n +30 +30 +31 /);
    expect((await waybill(world, 'show', '1', '--ranges')).stdout).toMatch(/\n +30 +30 +31 +1 +– .* UTC +–\n$/);
  });

  it('shows the range of a row that was set aside, and those that were halved for its sake, with the time they took', async () => {
    world = await World.create(server, VEHICLES(50, { lanes: 1, yaml: 'on_bad_row: quarantine' }));
    await waybill(world, 'migrate');
    await world.worker();
    await breakAt(world, 25);
    await waybill(world, 'run', TASK);
    const { ranges } = document(await waybill(world, 'show', '1', '--ranges', '--json')) as {
      ranges: {
        range: { from: string; to: string };
        state: string;
        rows: number;
        started_at: string;
        finished_at: string;
      }[];
    };
    const bounds = ranges.map(({ range: { from, to } }) => [Number(from), Number(to)] as const);
    expect(bounds.toSorted(([a], [b]) => a - b).map(([from], i, all) => [from, all[i + 1]?.[0] ?? 51])).toEqual(
      bounds.toSorted(([a], [b]) => a - b),
    );
    expect(bounds.length).toBeGreaterThan(5);
    expect(ranges.find(({ range }) => range.from === '25')).toMatchObject({
      range: { to: '26' },
      state: 'done',
      rows: 0,
    });
    for (const { started_at: from, finished_at: to } of ranges) {
      expect(from).toMatch(/Z$/);
      expect(to >= from).toBe(true);
    }
    const { stdout } = await waybill(world, 'show', '1', '--ranges');
    expect(stdout).toMatch(/\n +\d+ +25 +26 +0 .* UTC .* UTC +\d{1,2}(?:\.\d+)? s\n/);
  });

  it('shows every range with --ranges, however many there are', async () => {
    world = await World.create(
      server,
      VEHICLES(20, {
        range: '{ of: core.vehicle.id, step: 10 }',
        sql: 'update core.vehicle set seen = 1 where id >= :from and id < :to',
      }),
    );
    await waybill(world, 'migrate');
    await world.worker();
    await waybill(world, 'run', TASK);
    const range = (n: number) => ({ stage: 1, n, range: { from: String(n * 10 - 9), to: String(n * 10 + 1) } });
    const times = { started_at: text(/Z$/), finished_at: text(/Z$/) };
    const asked = async (): Promise<Record<string, unknown>> =>
      document(await waybill(world, 'show', '1', '--ranges', '--json')) as Record<string, unknown>;
    expect(await asked()).toMatchObject({
      ...{ load: TASK, batch_id: '1', stages: [{ name: 'task' }], next: null },
      ranges: [1, 2].map((n) => ({ ...range(n), ...times, state: 'done', rows: 10, attempts: 0, error: null })),
    });
    // More than are read at a time, in several stages, and not all of them done.
    await world.warehouse.query(`
      insert into waybill.chunk (batch_id, stage, n, range_from, range_to)
      select 1, 1, g, (g * 10 - 9)::text, (g * 10 + 1)::text from generate_series(3, 900) g`);
    await world.warehouse.query(`
      insert into waybill.chunk (batch_id, stage, n, range_from, range_to)
      select batch_id, stage, n + 900 * m, range_from, range_to from waybill.chunk, generate_series(1, 12) m`);
    await world.warehouse.query(
      `insert into waybill.stage (batch_id, n, name, planned_chunks) values (1, 2, 'more', 1)`,
    );
    await world.warehouse.query(`
      insert into waybill.chunk (batch_id, stage, n, range_from, range_to) values (1, 2, 1, '7', '8')`);
    const { ranges } = (await asked()) as { ranges: { stage: number; n: number; state: string }[] };
    expect(ranges.map(({ stage, n }) => `${stage}.${n}`)).toEqual([
      ...Array.from({ length: 11_700 }, (_, i) => `1.${i + 1}`),
      '2.1',
    ]);
    const { stdout } = await waybill(world, 'show', '1', '--ranges');
    expect(stdout).not.toContain('slowest');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => /^stage +chunk +from +to +rows +started +stopped +took$/.test(line))).toHaveLength(1);
    expect(lines.slice(-11_701)[0]).toMatch(/^task +1 +1 +11 +10 .* UTC .* UTC +[\d.]+ s$/);
    expect(lines.at(-1)).toMatch(/^more +1 +7 +8 +– +– +– +pending$/);
  });
});
