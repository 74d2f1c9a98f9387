/** Tasks: which ranges there are, and that each is done once. How they go on: task-restart.test.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, vi } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { batchesOf, breakAt, expectSeenOnce, rangesOf, ranOf, TASK, VEHICLES } from './vehicles.ts';
import { lanesWait, waitingLanes } from './latch.ts';
import { ended, World } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** A task over a table whose rows count how often each was updated. */
const counting = (range: string, table = 'core.number', column = 'n'): string => `
kind: task
connection: warehouse
range: ${range}
sql: update ${table} set seen = seen + 1 where ${column} >= :from and ${column} < :to`;

interface Case {
  file: string;
  range: string;
  table?: string;
  column?: string;
  /** Rows that are in no range. */
  outside?: string;
  ranges: string[];
}

/** Numbers from -7 to 40; days of two years; times from second 0 to 9, and a last one with microseconds. */
const TABLES = `
  create schema core;
  create table core.number (n bigint primary key, seen int not null default 0);
  insert into core.number (n) select g from generate_series(-7, 40) g;
  create table core.small (n smallint primary key, seen int not null default 0);
  insert into core.small (n) values (32767), (32766), (-32768);
  create table core.days (d date primary key, seen int not null default 0);
  insert into core.days (d) values ('2000-12-31'), ('2001-01-31'), ('2001-02-27'), ('2001-02-28'), ('2001-03-30'),
    ('2001-03-31'), ('2001-04-29'), ('2001-04-30'), ('2001-05-01'), ('2001-05-02');
  create table core.ticks (t timestamp(6) not null, seen int not null default 0);
  insert into core.ticks (t) values ('2001-01-01 00:00:00'), ('2001-01-01 02:00:00'), ('2001-01-01 03:59:59.999999'),
    ('2001-01-01 04:00:00.000001');
  create table core.instants (t timestamptz not null, seen int not null default 0);
  insert into core.instants (t) values ('2001-01-01 00:00:00.000123'), ('2001-01-02 00:00:00.000123'),
    ('2001-01-02 12:00:00.987654');`;

const CASES: Case[] = [
  {
    file: 'partial',
    range: '{ min: 1, max: 10, step: 4 }',
    outside: 'n < 1 or n > 10',
    ranges: ['1 – 5', '5 – 9', '9 – 11'],
  },
  { file: 'whole', range: '{ min: 1, max: 8, step: 4 }', outside: 'n < 1 or n > 8', ranges: ['1 – 5', '5 – 9'] },
  { file: 'one', range: '{ min: 1, max: 3, step: 100 }', outside: 'n < 1 or n > 3', ranges: ['1 – 4'] },
  { file: 'value', range: '{ min: 5, max: 5, step: 2 }', outside: 'n <> 5', ranges: ['5 – 6'] },
  { file: 'negative', range: '{ min: -7, max: 2, step: 5 }', outside: 'n > 2', ranges: ['-7 – -2', '-2 – 3'] },
  {
    file: 'step',
    range: '{ min: 38, max: 40, step: 1 }',
    outside: 'n < 38',
    ranges: ['38 – 39', '39 – 40', '40 – 41'],
  },
  {
    file: 'over',
    range: '{ min: 39, max: "99999999999999999999", step: "50000000000000000000" }',
    outside: 'n < 39',
    ranges: ['39 – 50000000000000000039', '50000000000000000039 – 100000000000000000000'],
  },
  {
    file: 'query',
    range:
      '{ min: "select min(n) + 0 from core.number where n > :params.above", max: "with m as (select max(n) as n from core.number) select n from m -- the last", step: 15 }\nparams: { above: 20 }',
    outside: 'n < 21',
    ranges: ['21 – 36', '36 – 41'],
  },
  { file: 'file', range: '{ min: 30, max: last.sql, step: 15 }', outside: 'n < 30', ranges: ['30 – 41'] },
  { file: 'of', range: '{ of: core.number.n, step: 30 }', ranges: ['-7 – 23', '23 – 41'] },
  {
    file: 'small',
    range: '{ of: core.small.n, step: 40000 }',
    table: 'core.small',
    ranges: ['-32768 – 7232', '7232 – 32768'],
  },
  {
    file: 'months',
    range: '{ min: 2001-01-31, max: 2001-05-01, step: 1 month }',
    table: 'core.days',
    column: 'd',
    outside: `d in ('2000-12-31', '2001-05-02')`,
    ranges: [
      '2001-01-31 – 2001-02-28',
      '2001-02-28 – 2001-03-31',
      '2001-03-31 – 2001-04-30',
      '2001-04-30 – 2001-05-02',
    ],
  },
  {
    file: 'days',
    range: '{ of: core.days.d, step: 100 days }',
    table: 'core.days',
    column: 'd',
    ranges: ['2000-12-31 – 2001-04-10', '2001-04-10 – 2001-05-03'],
  },
  {
    file: 'times',
    range: '{ min: 2001-01-01 00:00:00, max: "select max(t) from core.ticks", step: 2h }',
    table: 'core.ticks',
    column: 't',
    ranges: [
      '2001-01-01 00:00:00 – 2001-01-01 02:00:00',
      '2001-01-01 02:00:00 – 2001-01-01 04:00:00',
      '2001-01-01 04:00:00 – 2001-01-01 04:00:00.000002',
    ],
  },
  { file: 'instants', range: '{ of: core.instants.t, step: 1 day }', table: 'core.instants', column: 't', ranges: [] },
];

describe.each(oneOfEachFamily(import.meta.url))('a task on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('goes over every value between both ends, the last one too, once', async () => {
    const files = Object.fromEntries(
      CASES.map(({ file, range, table, column }) => [`loads/task/${file}.yaml`, counting(range, table, column)]),
    );
    world = await World.create(server, {
      files: { ...files, 'loads/task/last.sql': 'select max(n) from core.number' },
      warehouse: TABLES,
    });
    await world.worker();
    for (const { file, table = 'core.number', outside = 'seen < 0', ranges } of CASES) {
      await world.warehouse.query(`update ${table} set seen = 0`);
      const ended = await world.run(`task.${file}`);
      expect({ file, ...ended }).toMatchObject({ file, ok: true, result: { status: 'finished' } });
      const { batchId } = ended.ok ? ended.result.batch! : { batchId: '' };
      if (ranges.length > 0) expect({ file, ranges: await rangesOf(world, batchId) }).toEqual({ file, ranges });
      const wrong = await world.rows(`
        select * from ${table} where seen <> case when ${outside} then 0 else 1 end`);
      expect({ file, wrong }).toEqual({ file, wrong: [] });
    }
    expect(await world.rows(`select distinct method from waybill.stage`)).toEqual([{ method: 'range' }]);
  });

  it('has nothing to do, and opens no batch, where there is nothing to go over', async () => {
    const tasks: Record<string, [range: string, reason: string]> = {
      empty: ['{ of: core.empty.n, step: 1 }', 'core.empty.n has no value'],
      max: ['{ min: 1, max: "select max(n) from core.empty", step: 1 }', 'range.max is NULL'],
      min: ['{ min: "select min(n) from core.empty", max: 1, step: 1 }', 'range.min is NULL'],
      backwards: ['{ min: 10, max: 9, step: 1 }', 'range.max is 9, which is below range.min, 10'],
    };
    world = await World.create(server, {
      files: Object.fromEntries(
        Object.entries(tasks).map(([file, [range]]) => [`loads/task/${file}.yaml`, counting(range)]),
      ),
      warehouse: `${TABLES} create table core.empty (n bigint);`,
    });
    await world.worker();
    for (const [file, [, reason]] of Object.entries(tasks)) {
      expect(await world.run(`task.${file}`)).toMatchObject({ ok: true, result: { status: 'nothing', reason } });
    }
    expect(await batchesOf(world)).toEqual([]);
  });

  it('is refused, in a few words, when its bounds cannot be cut into ranges', async () => {
    const query = (text: string): string => `{ min: 1, max: "${text}", step: 1 }`;
    const tasks: Record<string, [range: string, message: RegExp]> = {
      nulls: [
        '{ of: core.holes.n, step: 1 }',
        /^core.holes on warehouse has 3 rows whose n is NULL: no range would ever reach them$/,
      ],
      rows: [query('select n from core.number'), /^the query of range.max gives several rows$/],
      row: [query('select n from core.number where n > 99'), /^the query of range.max gives no row$/],
      columns: [query('select min(n), max(n) from core.number'), /^the query of range.max gives 2 columns$/],
      mixed: [query('select max(d) from core.days'), /^min is a whole number and max a date$/],
      decimal: [query('select 1.5'), /^range.max is 1.5: ranges go over whole numbers, dates and times$/],
      word: [query("select 'secret'"), /^range.max is something else: ranges go over whole numbers, dates and times$/],
      broken: [query('select n from core.nowhere'), /^the query of range.max failed: .*nowhere/],
      many: [query('select 10000000'), /^the range would be cut into 10,000,000 ranges, and 5,000,000 are the most$/],
      hours: ['{ of: core.days.d, step: 2h }', /^the range is of dates, and a step of 2h is less than a day$/],
      last: [
        '{ min: 2001-01-01, max: "select max(d) from core.end_of_time", step: 1 month }',
        /^range.max goes up to 9999-12-31/,
      ],
      text: ['{ of: core.texts.word, step: 1 }', /^core.texts.word is .*: no ranges can be made of it$/],
      table: ['{ of: core.nowhere.n, step: 1 }', /^warehouse has no table core.nowhere$/],
      column: ['{ of: core.number.m, step: 1 }', /^core.number has no column m$/],
    };
    world = await World.create(server, {
      files: Object.fromEntries(
        Object.entries(tasks).map(([file, [range]]) => [`loads/task/${file}.yaml`, counting(range)]),
      ),
      warehouse: `${TABLES}
        create table core.holes (n bigint); insert into core.holes values (1), (null), (null), (null);
        create table core.end_of_time (d date); insert into core.end_of_time values ('9999-12-31');
        create table core.texts (word varchar(20)); insert into core.texts values ('10'), ('9');`,
    });
    await world.worker();
    for (const [file, [, message]] of Object.entries(tasks)) {
      expect({ file, ...(await world.run(`task.${file}`)) }).toMatchObject({
        ...{ file, ok: false, type: 'Configuration' },
        message: expect.stringMatching(message) as string,
      });
    }
    expect(await batchesOf(world)).toEqual([]);
    expect(await world.rows('select n from core.number where seen <> 0')).toEqual([]);
  });

  it('without a range runs once; of several stages, those that name no bound do, too', async () => {
    world = await World.create(server, {
      files: {
        'loads/task/once.yaml': `
kind: task
connection: warehouse
sql: [ "update core.number set seen = 5", "update core.number set seen = seen + 1 where n = 1" ]`,
        'loads/task/stages.yaml': `
kind: task
connection: warehouse
lanes: 3
range: { min: 1, max: 9, step: 3 }
stages:
  - { name: clean, sql: "update core.number set seen = 0" }
  - { name: count, sql: count.sql, lanes: 2 }
  - { name: sum, sql: "insert into core.sums select sum(seen), :batch_id from core.number" }`,
        'loads/task/count.sql': `select id from core.gate for update;
update core.number set seen = seen + 1 where n >= :from and n < :to`,
      },
      warehouse: `${TABLES} create table core.sums (total bigint, batch_id bigint);
        create table core.gate (id bigint primary key); insert into core.gate values (1);`,
    });
    await world.worker();
    expect(await world.run('task.once')).toMatchObject({ ok: true, result: { chunks: 1, rowsWritten: 49 } });
    expect(await world.rows('select seen, count(*) as n from core.number group by seen order by seen')).toMatchObject([
      { seen: 5, n: '47' },
      { seen: 6, n: '1' },
    ]);

    const holder = await world.another('warehouse');
    await holder.query('begin; select id from core.gate for update');
    const handle = await world.start('task.stages');
    await lanesWait(world, 2);
    await sleep(1_500); // a third lane would be there by now: there are three ranges, and the load says three
    expect(await waitingLanes(world)).toBe(2);
    await holder.query('commit');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { chunks: 5 } });
    expect(await world.rows('select total, batch_id from core.sums')).toEqual([{ total: '9', batch_id: '2' }]);
    expect(
      await world.rows('select name, method, planned_chunks from waybill.stage where batch_id = 2 order by n'),
    ).toEqual([
      { name: 'clean', method: 'once', planned_chunks: 1 },
      { name: 'count', method: 'range', planned_chunks: 3 },
      { name: 'sum', method: 'once', planned_chunks: 1 },
    ]);
  });

  it('keeps rows and times of every range', async () => {
    world = await World.create(server, VEHICLES(95));
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { rowsWritten: 105, chunks: 10 } });
    await expectSeenOnce(world);
    expect(await ranOf(world, '1')).toEqual([1, 11, 21, 31, 41, 51, 61, 71, 81, 91]);
    expect(await world.rows('select window_from, window_to from waybill.batch')).toEqual([
      { window_from: '1', window_to: '96' },
    ]);
    expect(
      await world.rows(`select n, row_count from waybill.chunk
                        where started_at is not null and finished_at >= started_at and worker is not null
                        order by row_count, n limit 2`),
    ).toEqual([
      { n: 10, row_count: '6' },
      { n: 1, row_count: '11' },
    ]);
  });

  it('sets a value aside that cannot be processed, where it says so, and does all others', async () => {
    world = await World.create(server, VEHICLES(50, { yaml: 'on_bad_row: quarantine' }));
    await breakAt(world, 25);
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    expect(await world.rows('select id from core.vehicle where seen <> 1')).toEqual([{ id: '25' }]);
    expect(await world.rows('select batch_id, row_key from waybill.rejected_row')).toEqual([
      { batch_id: '1', row_key: '{"from":"25","to":"26"}' },
    ]);
    expect(await world.rows('select rows_rejected from waybill.batch')).toEqual([{ rows_rejected: '1' }]);
  });

  it('is a load of a session, in the order of needs', async () => {
    const add = (n: number, needs: string): string => `
kind: task
connection: warehouse
sql: "insert into core.ran (batch_id, first_id) select :batch_id, ${n} from core.settings where ${n} = (select count(*) from core.ran) + 1"
${needs}`;
    world = await World.create(
      server,
      VEHICLES(1, {
        files: {
          'loads/task/b.yaml': add(2, 'needs: [ task.c ]'),
          'loads/task/a.yaml': add(3, 'needs: [ task.b ]'),
          'loads/task/c.yaml': add(1, ''),
        },
      }),
    );
    await world.write(
      'waybill.yaml',
      `
name: test
connections:
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 }
sessions: { nightly: { loads: [ task.a, task.b, task.c ] } }
`,
    );
    await world.worker();
    const handle = await world.client.workflow.start('session', {
      ...{ workflowId: 'session/nightly', taskQueue: 'waybill', args: [{ session: 'nightly' }] },
    });
    expect(await handle.result()).toMatchObject({ status: 'finished' });
    expect(await world.rows('select first_id from core.ran order by batch_id')).toEqual(
      [1, 2, 3].map((n) => ({ first_id: String(n) })),
    );
  });
});
