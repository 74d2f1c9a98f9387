/** DESIGN §3, "Restart rules", of tasks: what is done stays done, and the next start does the rest. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { cancelUpdate, forceReloadUpdate } from '../../src/workflows/message-definitions.ts';
import { someServers } from '../every-server.ts';
import { batchesOf, breakAt, COUNTING, expectSeenOnce, rangesOf, ranOf, TASK, VEHICLES } from './vehicles.ts';
import { ended, until, World } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** A line for each run of a step, with its times. */
const LOG = `create table core.log (step varchar(20), batch_id bigint, load_at timestamptz null, last_load_at timestamptz null);`;
const log = (step: string): string => `insert into core.log values ('${step}', :batch_id, :load_at, :last_load_at)`;

const logged = async (world: World): Promise<string[]> =>
  (
    await world.rows<{ step: string; batch_id: string }>('select step, batch_id from core.log order by batch_id, step')
  ).map(({ step, batch_id }) => `${step} ${batch_id}`);

/** Each range waits for its rows of core.gate to be free: a test holds one by a lock. */
const GATED = `select id from core.gate where id >= :from and id < :to for update;${COUNTING}`;
const GATES = 'create table core.gate (id bigint primary key); insert into core.gate select id from core.vehicle;';

/** First ids of all ranges that ran more than once, and stayed. */
const twice = (world: World) => world.rows('select first_id from core.ran group by first_id having count(*) > 1');

describe.each(someServers(import.meta.url))('a task that did not end well, on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('goes on with the ranges that are not done, over the bounds and times of the first attempt, its SQL mended', async () => {
    world = await World.create(
      server,
      VEHICLES(100, {
        lanes: 1,
        range: '{ min: 1, max: "select max(id) from core.vehicle", step: 10 }',
        sql: `${COUNTING}; ${log('range')}`,
        warehouse: LOG,
      }),
    );
    await world.worker();
    await breakAt(world, 45);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    expect(await ranOf(world, '1')).toEqual([1, 11, 21, 31]);
    // A vehicle that comes meanwhile is the next load's, as any other that comes after it.
    await world.warehouse.query('insert into core.vehicle (id, seen) values (101, 1), (102, 1)');
    await world.write('loads/task/vehicle.sql', `${COUNTING.replace('1 /', '2 - 1 /')}; ${log('range')}`);
    await breakAt(world, 75);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    expect(await rangesOf(world, '2')).toEqual(['41 – 51', '51 – 61', '61 – 71', '71 – 81', '81 – 91', '91 – 101']);
    expect(await world.rows('select n, state from waybill.chunk where batch_id = 2 order by n')).toMatchObject([
      ...[5, 6, 7].map((n) => ({ n, state: 'done' })),
      { n: 8, state: 'failed' },
      ...[9, 10].map((n) => ({ n, state: 'pending' })),
    ]);
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 3, batch: { batchId: '3' } } });
    expect(await ranOf(world, '3')).toEqual([71, 81, 91]);
    await expectSeenOnce(world);
    expect(await twice(world)).toEqual([]);
    expect(await batchesOf(world)).toEqual([
      { batch_id: '1', state: 'failed', reprocess_of: null, error_class: 'database' },
      { batch_id: '2', state: 'failed', reprocess_of: '1', error_class: 'database' },
      { batch_id: '3', state: 'published', reprocess_of: '2', error_class: null },
    ]);
    expect(await world.rows('select distinct load_at, last_load_at from core.log')).toHaveLength(1);

    // For the next load the last one is as old as its first attempt: what came since is its business.
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 11, batch: { batchId: '4' } } });
    expect(
      await world.rows(`
        select distinct l.batch_id from core.log l join core.log f on f.batch_id = 1 and l.last_load_at = f.load_at`),
    ).toEqual([{ batch_id: '4' }]);
  });

  test('goes on where it was, stage by stage, and does no step before again that is done', async () => {
    world = await World.create(
      server,
      VEHICLES(50, {
        lanes: 1,
        files: {
          'loads/task/vehicle.yaml': `
kind: task
connection: warehouse
range: { of: core.vehicle.id, step: 10 }
lanes: 1
stages:
  - { name: clean, sql: "${log('clean')}" }
  - { name: first, sql: vehicle.sql }
  - { name: second, sql: "update core.vehicle set seen = seen + 0 where id >= :from and id < :to; ${log('second')}" }
before: [ "${log('before')}", "insert into core.log select 'before 2', 1 / ok, null, null from core.switch" ]
after: "${log('after')}"`,
        },
        warehouse: `${LOG} create table core.switch (ok int); insert into core.switch values (0);`,
      }),
    );
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({ ok: false, where: 'load task.vehicle, batch 1, before step 2' });
    await world.warehouse.query('update core.switch set ok = 1');
    await breakAt(world, 25);
    expect(await world.run(TASK)).toMatchObject({
      ok: false,
      where: 'load task.vehicle, batch 2, stage first, chunk 3',
    });
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { batch: { batchId: '3' }, chunks: 8 } });
    await expectSeenOnce(world);
    expect(await logged(world)).toEqual([
      'before 1',
      'before 2 1',
      'clean 2',
      'after 3',
      ...Array<string>(5).fill('second 3'),
    ]);
    expect(await world.rows(`select name, planned_chunks from waybill.stage where batch_id = 3 order by n`)).toEqual([
      { name: 'clean', planned_chunks: 0 },
      { name: 'first', planned_chunks: 3 },
      { name: 'second', planned_chunks: 5 },
    ]);
  });

  test('because its worker was killed, goes on in the same batch, and does no range twice', async () => {
    world = await World.create(server, VEHICLES(100, { sql: GATED, warehouse: GATES }));
    const first = await world.workerProcess();
    const holder = await world.another('warehouse');
    await holder.query('begin; select id from core.gate where id = 55 for update');
    const handle = await world.start(TASK);
    await until(async () => (await world.count(`select n from waybill.chunk where state = 'done'`)) === 9);
    first.kill('SIGKILL');
    await holder.query('commit');
    await world.worker();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { batch: { batchId: '1' }, chunks: 10 } });
    await expectSeenOnce(world);
    expect(await twice(world)).toEqual([]);
  });

  test('because its workflow was terminated, is ended by the next start, which does the rest', async () => {
    world = await World.create(server, VEHICLES(100, { sql: GATED, warehouse: GATES }));
    await world.worker();
    const holder = await world.another('warehouse');
    await holder.query('begin; select id from core.gate where id = 55 for update');
    const handle = await world.start(TASK);
    await until(async () => (await world.count(`select n from waybill.chunk where state = 'done'`)) === 9);
    await handle.terminate();
    const next = await world.start(TASK);
    await until(async () => (await world.count('select n from waybill.chunk where batch_id = 2')) === 1);
    await holder.query('commit');
    expect(await ended(next)).toMatchObject({ ok: true, result: { batch: { batchId: '2' }, chunks: 1 } });
    await expectSeenOnce(world);
    expect(await ranOf(world, '2')).toEqual([51]);
    expect(await batchesOf(world)).toMatchObject([
      { state: 'failed', error_class: 'interrupted' },
      { state: 'published' },
    ]);
  });

  test('because too many values were set aside, does these again, too, mended or not', async () => {
    world = await World.create(
      server,
      VEHICLES(50, {
        lanes: 1,
        yaml: 'on_bad_row: quarantine\nmax_rejected: 1',
        sql: COUNTING.replace('id = (select', 'id in (select'),
      }),
    );
    const tooMany = {
      ok: false,
      message: expect.stringMatching(/: 2 rows were rejected, more than max_rejected \(1\); the last: /) as string,
    };
    await world.warehouse.query('insert into core.settings values (25), (26)');
    await world.worker();
    expect(await world.run(TASK)).toMatchObject(tooMany);
    expect(await world.run(TASK)).toMatchObject(tooMany);
    await world.warehouse.query('delete from core.settings where broken <> 0');
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    await expectSeenOnce(world);
    expect(await world.rows('select batch_id, count(*) as n from waybill.rejected_row group by batch_id')).toHaveLength(
      2,
    );
    expect(await world.value(`select rows_rejected from waybill.batch where state = 'published'`)).toBe('0');
  });

  test('with outputs is rolled back, and done again as a whole', async () => {
    world = await World.create(
      server,
      VEHICLES(50, {
        lanes: 1,
        sql: `
insert into core.copy (id, one, batch_id)
select id, 1 / (case when id = (select broken from core.settings) then 0 else 1 end), :batch_id from core.vehicle
where id >= :from and id < :to`,
        yaml: 'outputs: [ core.copy ]',
        warehouse: 'create table core.copy (id bigint, one int, batch_id bigint not null);',
      }),
    );
    await world.worker();
    await breakAt(world, 35);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.value('select count(*) from core.copy')).toBe('0');
    await world.warehouse.query('insert into core.vehicle (id) values (51)');
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 6, rowsWritten: 51 } });
    expect(await world.rows('select count(*) as n, min(batch_id) as b from core.copy')).toEqual([{ n: '51', b: '2' }]);
    expect(await batchesOf(world)).toMatchObject([
      { state: 'failed', reprocess_of: null },
      { state: 'published', reprocess_of: '1' },
    ]);
  });

  test('and has another range now, is refused until it is put back, or is begun anew with --force', async () => {
    const range = '{ min: 1, max: "select max(id) from core.vehicle", step: 10 }';
    const options = VEHICLES(50, { lanes: 1, range });
    const file = options.files['loads/task/vehicle.yaml']!;
    world = await World.create(server, options);
    await world.worker();
    // Nothing is done: nothing is lost when it begins anew.
    await breakAt(world, 5);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    await breakAt(world, 35);
    const shorter = file.replace('step: 10', 'step: 5');
    await world.write('loads/task/vehicle.yaml', shorter);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    expect(await ranOf(world, '2')).toEqual([1, 6, 11, 16, 21, 26]);

    await breakAt(world, 0);
    const changes: [string, string, RegExp][] = [
      ['range', file, /^range of task.vehicle is not what it was in batch 2, which ended with 6 chunks done/],
      ['outputs', `${shorter}\noutputs: [ core.ran ]`, /^outputs of task.vehicle is not what it was/],
      ['before', `${shorter}\nbefore: select 1`, /^before of task.vehicle is not what it was/],
      [
        'stages',
        shorter.replace('sql:', 'stages: [ { name: other, sql:').replace('vehicle.sql', 'vehicle.sql } ]'),
        /^stages of/,
      ],
    ];
    for (const [what, text, message] of changes) {
      await world.write('loads/task/vehicle.yaml', text);
      expect({ what, ...(await world.run(TASK)) }).toMatchObject({
        ...{
          what,
          ok: false,
          type: 'Refused',
          next: expect.stringMatching(/waybill run task.vehicle --force$/) as string,
        },
        message: expect.stringMatching(message) as string,
      });
    }
    // A comment moves the query; it asks the same.
    await world.write('loads/task/vehicle.yaml', `# a comment\n${shorter}`);
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 4, batch: { batchId: '3' } } });
    await expectSeenOnce(world);
    expect(await batchesOf(world)).toMatchObject([
      { reprocess_of: null },
      { reprocess_of: null },
      { reprocess_of: '2' },
    ]);
  });

  test('begins anew with all its ranges under --force, also while it runs', async () => {
    world = await World.create(server, VEHICLES(50, { lanes: 1, sql: GATED, warehouse: GATES }));
    await world.worker();
    await breakAt(world, 25);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    await breakAt(world, 0);
    const holder = await world.another('warehouse');
    await holder.query('begin; select id from core.gate where id = 35 for update');
    const handle = await world.start({ load: TASK, force: true });
    await until(async () => (await ranOf(world, '2')).length === 3);
    await handle.executeUpdate(forceReloadUpdate, { args: [{}] });
    await until(async () => (await ranOf(world, '3')).length === 3);
    await holder.query('commit');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { chunks: 5, batch: { batchId: '3' } } });
    expect(await ranOf(world, '3')).toEqual([1, 11, 21, 31, 41]);
    expect(await batchesOf(world)).toMatchObject([
      { state: 'failed', error_class: 'database' },
      { state: 'failed', error_class: 'forced', reprocess_of: null },
      { state: 'published', reprocess_of: null },
    ]);
  });

  test('begins anew as well where the workflow was terminated between the force and the new batch', async () => {
    world = await World.create(server, VEHICLES(50, { lanes: 1, yaml: `before: "${log('before')}"`, warehouse: LOG }));
    await world.worker();
    await breakAt(world, 25);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    // As a force leaves it that came before the range failed.
    await world.warehouse.query(`update waybill.batch set error_class = 'forced'`);
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 5, batch: { batchId: '2' } } });
    expect(await ranOf(world, '2')).toEqual([1, 11, 21, 31, 41]);
    expect(await logged(world)).toEqual(['before 1', 'before 2']);
  });

  test('because it was cancelled, goes on as well, with the parameters that it was started with', async () => {
    world = await World.create(
      server,
      VEHICLES(50, {
        lanes: 1,
        sql: `${GATED}; insert into core.words values (:params.word)`,
        yaml: 'params: { word: usual, other: 1 }',
        warehouse: `${GATES} create table core.words (word varchar(20));`,
      }),
    );
    await world.worker();
    const holder = await world.another('warehouse');
    await holder.query('begin; select id from core.gate where id = 35 for update');
    const handle = await world.start({ load: TASK, params: { word: 'given' } });
    await until(async () => (await ranOf(world, '1')).length === 3);
    await handle.executeUpdate(cancelUpdate, { args: [{}] });
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Cancelled' });
    await holder.query('commit');
    expect(await world.run({ load: TASK, params: { word: 'another' } })).toMatchObject({
      ...{ ok: false, type: 'Refused' },
      message: expect.stringMatching(/^the parameter word is another one than in batch 1/) as string,
    });
    // A session gives its parameters to tasks, too, that know none of them.
    expect(await world.run({ load: TASK, params: { of_another: 1 } })).toMatchObject({
      ...{ ok: true, result: { chunks: 2 } },
    });
    await expectSeenOnce(world);
    expect(await world.rows('select word, count(*) as n from core.words group by word')).toEqual([
      { word: 'given', n: '5' },
    ]);
  });

  test('is held, where it says so, and resumed in the same batch', async () => {
    world = await World.create(server, VEHICLES(50, { lanes: 1, yaml: 'on_failure: hold' }));
    await world.worker();
    await breakAt(world, 25);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.states(TASK)).toEqual(['held']);
    expect(await world.run({ load: TASK, resume: true })).toMatchObject({ ok: false, type: 'Database' });
    await breakAt(world, 45);
    expect(await world.run({ load: TASK, resume: true })).toMatchObject({ ok: false, type: 'Database' });
    expect(await ranOf(world, '1')).toEqual([1, 11, 21, 31]);
    await breakAt(world, 0);
    // Without --resume it is another batch, which does the rest.
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 1, batch: { batchId: '2' } } });
    await expectSeenOnce(world);
    expect(await batchesOf(world)).toMatchObject([
      { state: 'failed', error_class: 'superseded' },
      { state: 'published' },
    ]);
  });
});
