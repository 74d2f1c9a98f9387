/** What time a worker's machine takes it for plays no part: times are the databases' own. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { someWays } from '../every-server.ts';
import { expectAcquired, ITEM, ITEMS, NOTHING_NEW, windows } from './items.ts';
import { expectSame } from './orders.ts';
import { World } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const DAY_MS = 86_400_000;
/** Longer than a statement gets whose batch has run past its `max_runtime`. */
const SECONDS = 1.5;

describe.each(someWays(import.meta.url))('a clock that is wrong, from $source to $target', ({ from, into }) => {
  let world: World;
  afterEach(() => world.close());

  test.each([
    ['ahead', 1],
    ['behind', -1],
  ])('a day %s on the worker: windows, limits of time and restart rules go by the servers', async (_, days) => {
    world = await World.create(
      into,
      {
        ...ITEMS({
          source: `create table item (id bigint, at timestamptz not null);
            insert into item select g, now() - g * interval '1 minute' from generate_series(1, 60) g;`,
          columns: 'id bigint, at timestamptz',
          from: 'table: public.item, cursor: at, lag: 1s',
          warehouse: `create schema core; create table core.items (id bigint, batch_id bigint not null);
            create table core.kept as select id from acq.item;`,
          files: {
            'loads/core/item.yaml': `
kind: core
connection: warehouse
inputs: [ acq.item ]
lanes: 1
max_runtime: 30m
max_attempts: 2
stages:
  - name: items
    sql: "insert into core.items select i.id, :batch_id from {{ acq.item }} i, (select pg_sleep(${SECONDS})) pause"
outputs: [ core.items ]`,
          },
        }),
      },
      from,
    );
    await world.workerProcess({ WAYBILL_TEST_CLOCK_SHIFT_MS: String(days * DAY_MS) });
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 60 } });
    await world.source.query('insert into item values (61, clock_timestamp())');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
    await expectAcquired(world, 'id, at');
    const { rows } = await world.source.query<{ now: string }>('select (clock_timestamp())::text as now');
    for (const { window_to: end } of await windows(world)) expect(end! < rows[0]!.now, `${end} of now`).toBe(true);

    await world.warehouse.query('insert into core.kept select id from acq.item');
    expect(await world.run('core.item')).toMatchObject({ ok: true, result: { rowsWritten: 61 } });
    await expectSame(world, 'select id from core.kept', 'select id from core.items', ['id']);
    expect(Number(await world.value('select max(attempts) from waybill.chunk'))).toBe(0);
    // A batch of a workflow that nobody knows, with half an hour to go, and then with none.
    await world.warehouse.query(
      `update waybill.batch set state = 'running', first_run_id = '00000000-0000-0000-0000-000000000000' where load_name = 'core.item'`,
    );
    expect(await world.run('core.item')).toMatchObject({ ok: false, type: 'Refused' });
    await world.warehouse.query(
      `update waybill.batch set deadline_at = now() - interval '1 second' where load_name = 'core.item'`,
    );
    expect(await world.run('core.item')).toMatchObject({ ok: true });
    expect(await world.states('core.item')).toContain('failed');
  });
});
