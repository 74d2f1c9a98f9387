/** DESIGN §3, "Restart rules": what is `held` (`on_failure: hold`), and how it goes on. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { forceReloadUpdate, setLanesUpdate } from '../../src/workflows/message-definitions.ts';
import { document, waybill } from '../cli/command-line.ts';
import { someServers } from '../every-server.ts';
import { batches, BREAKABLE, done, exists, land, mend } from './breakable-orders.ts';
import { expectWhole, World } from './orders.ts';
import { ended, until } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const HOLD = 'on_failure: hold';

/** What the ledger says of the chunks that are done. */
const chunksDone = (world: World) =>
  world.rows<{ n: number; finished_at: Date }>(
    `select n, finished_at from waybill.chunk where batch_id = 1 and state = 'done' order by n`,
  );

/** First ids of chunks that ran more than once, and whose rows were kept each time. */
const ranTwice = (world: World) => world.rows('select id from core.ran group by id having count(*) > 1');

describe.each(someServers(import.meta.url))('a held batch on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('keeps its rows and its snapshot, and goes on where it was: chunks that are done stay done', async () => {
    world = await World.create(server, BREAKABLE(2000, { broken: 1550, yaml: HOLD }));
    await world.worker();
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({
      ok: false,
      type: 'Database',
      next: 'waybill run core.order --resume goes on in this batch, by the SQL that it has, once the cause is gone; without --resume it starts anew',
    });
    expect(await batches(world)).toEqual([
      { batch_id: '1', state: 'held', reprocess_of: null, error_class: 'database' },
    ]);
    const before = await chunksDone(world);
    expect(before.length).toBeGreaterThan(5);
    expect(before.length).toBeLessThan(20);
    expect(await world.value('select count(*) from core.orders')).toBe(String(before.length * 100));
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('2000');
    expect(await world.value('select status from waybill.job_control')).toBe('error');

    await land(world, 9001, false);
    await mend(world);
    expect(await world.run({ load: 'core.order', resume: true, requestedBy: 'mary' })).toMatchObject({
      ok: true,
      result: { status: 'finished', batch: { batchId: '1' }, rowsWritten: 2020, chunks: 20 },
    });
    await expectWhole(world);
    expect(await batches(world)).toEqual([
      { batch_id: '1', state: 'published', reprocess_of: null, error_class: null },
    ]);
    expect((await chunksDone(world)).filter(({ n }) => before.some((chunk) => chunk.n === n))).toEqual(before);
    expect(await ranTwice(world)).toEqual([]);
    expect(await world.rows(`select what, requested_by from waybill.event where what in ('held', 'running')`)).toEqual([
      { what: 'held', requested_by: null },
      { what: 'running', requested_by: 'mary' },
    ]);
    expect(await world.value('select count(*) from acq.orders')).toBe('1');
  });

  test('of a load that is disabled by now stays as it is: a start is refused, and so is one that would resume it', async () => {
    world = await World.create(server, BREAKABLE(300, { broken: 250, lanes: 1, yaml: HOLD }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    await mend(world);
    const file = join(world.directory, 'loads/core/order.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text}\nenabled: false\n`);
    for (const resume of [false, true]) {
      const answer = await world.run({ load: 'core.order', resume });
      expect(answer).toMatchObject({ ok: false, type: 'Refused', message: 'core.order is disabled' });
    }
    expect(await world.states('core.order')).toEqual(['held']);
    await writeFile(file, text);
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({ ok: true });
    await expectWhole(world);
  });

  test('is rolled back by the next run of its own cron schedule, too, which begins anew over the same snapshot', async () => {
    world = await World.create(server, BREAKABLE(300, { broken: 250, lanes: 1, yaml: HOLD }));
    await world.worker();
    const handle = await world.client.workflow.start('load', {
      workflowId: 'load/core.order',
      taskQueue: 'waybill',
      args: [{ load: 'core.order' }],
      cronSchedule: '@every 2s',
    });
    await until(async () => (await world.states('core.order')).includes('held'), 90);
    await mend(world);
    await until(async () => (await world.states('core.order')).at(-1) === 'published', 40);
    await handle.terminate('the test');
    await expectWhole(world);
    expect((await batches(world))[0]).toMatchObject({ state: 'failed', error_class: 'superseded' });
  });

  test('belongs to the workflow that resumes it, with a new max_runtime', async () => {
    world = await World.create(server, BREAKABLE(500, { yaml: `${HOLD}\nmax_runtime: 1h` }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    const first = (await world.value('select first_run_id from waybill.batch')) as string;
    await world.warehouse.query(`update waybill.batch set deadline_at = now() - interval '1 day'`);
    await world.warehouse.query('update core.settings set broken = 0, pause = 0.5');
    const handle = await world.start({ load: 'core.order', resume: true });
    const second = (await handle.describe()).runId;
    expect(second).not.toBe(first);
    await until(async () => (await world.value('select first_run_id from waybill.batch')) === second, 90);
    expect(await world.value(`select deadline_at > now() + interval '55 minutes' from waybill.batch`)).toBe(true);
    expect(await ended(handle)).toMatchObject({ ok: true });
    await expectWhole(world);
  });

  test('whose output was emptied meanwhile is not resumed, and says how to go on; a plain start has all', async () => {
    world = await World.create(server, BREAKABLE(500, { broken: 450, lanes: 1, yaml: HOLD }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    const anew = 'create table core.other as select * from core.orders limit 0; drop table core.orders;';
    await world.warehouse.query(`${anew} alter table core.other rename to orders`);
    await mend(world);
    for (let n = 0; n < 2; n += 1) {
      expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({
        ok: false,
        type: 'Refused',
        message: expect.stringMatching(
          /^batch 1 cannot be resumed: \w+\.orders (is another table than|holds no rows of batch 1)/,
        ) as string,
        next: 'start it without --resume: what it did is rolled back, and done anew. waybill run core.order',
      });
    }
    expect(await world.states('core.order')).toEqual(['held']);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 505 } });
  });

  test('whose SQL was edited is not resumed, and says so; one that only has other lanes is', async () => {
    const options = BREAKABLE(300, { broken: 250, lanes: 1, yaml: `${HOLD}\nparams: { line: 7 }` });
    world = await World.create(server, options);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    await mend(world);
    const [file, sqlFile] = ['loads/core/order.yaml', 'loads/core/order.sql'].map((name) =>
      join(world.directory, name),
    );
    const [yaml, text] = [await readFile(file!, 'utf8'), await readFile(sqlFile!, 'utf8')];
    await writeFile(sqlFile!, text.replace('amount * 2', 'amount * 3'));
    await writeFile(file!, `${yaml.replace('line: 7', 'line: 8')}\nafter: "delete from core.ran"\n`);
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({
      ok: false,
      type: 'Refused',
      message:
        'batch 1 cannot be resumed: it goes on as its load was when it opened, and sql, after, params of loads/core/order.yaml were edited since',
      next: expect.stringMatching(/^start it without --resume: .* \(waybill run core.order\)/) as string,
    });
    expect(await world.states('core.order')).toEqual(['held']);
    await writeFile(sqlFile!, text);
    await writeFile(file!, yaml.replace('lanes: 1', 'lanes: 2'));
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({ ok: true });
    await expectWhole(world);
  });

  test('goes on with the parameters that it has: others are refused', async () => {
    const options = BREAKABLE(300, { broken: 250, lanes: 1, yaml: `${HOLD}\nparams: { factor: 1, other: x }` });
    options.files['loads/core/order.sql'] = options.files['loads/core/order.sql']!.replace('* 2', '* :params.factor');
    world = await World.create(server, options);
    await world.worker();
    expect(await world.run({ load: 'core.order', params: { factor: 2 } })).toMatchObject({ ok: false });
    await mend(world);
    const answer = await waybill(world, 'run', 'core.order', '--resume', '--param', 'factor=3', '--json');
    expect(answer.exitCode).toBe(1);
    expect(document(answer)).toMatchObject({
      error: {
        type: 'Refused',
        message: 'batch 1 cannot be resumed: it goes on with factor = 2, and this start is given factor = 3',
        where: 'load core.order, batch 1',
        next:
          'resume it without --param factor; or start it without --resume: what it did is rolled back, and done anew with ' +
          'what is given (waybill run core.order --param factor=3)',
      },
    });
    expect(await world.states('core.order')).toEqual(['held']);
    const params = { factor: 2, other: 'x', unknown: 1 };
    expect(await world.run({ load: 'core.order', resume: true, params })).toMatchObject({ ok: true });
    await expectWhole(world);
  });

  test('is rolled back by a plain start, which begins anew over the same snapshot', async () => {
    world = await World.create(server, BREAKABLE(1000, { broken: 850, yaml: HOLD }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.states('core.order')).toEqual(['held']);
    await mend(world);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
    await expectWhole(world);
    expect(await batches(world)).toEqual([
      { batch_id: '1', state: 'failed', reprocess_of: null, error_class: 'superseded' },
      { batch_id: '2', state: 'published', reprocess_of: '1', error_class: null },
    ]);
  });

  test('may fail and be held again, and may be forced while it goes on', async () => {
    world = await World.create(server, BREAKABLE(1000, { broken: 350, lanes: 1, yaml: HOLD }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    await world.warehouse.query('update core.settings set broken = 750');
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.states('core.order')).toEqual(['held']);
    await world.warehouse.query('update core.settings set broken = 0, pause = 60');
    const handle = await world.start({ load: 'core.order', resume: true });
    // The pause of a minute has begun, so the force comes while the lane is at it.
    await until(async () => (await world.count(world.words.sleepers)) > 0, 90);
    await mend(world);
    expect(await handle.executeUpdate(forceReloadUpdate, { args: [{}] })).toMatchObject({ answer: 'accepted' });
    expect(await ended(handle)).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
    await expectWhole(world);
    expect(await batches(world)).toEqual([
      { batch_id: '1', state: 'failed', reprocess_of: null, error_class: 'forced' },
      { batch_id: '2', state: 'published', reprocess_of: '1', error_class: null },
    ]);
  });

  test('goes on with all its lanes, although some had been told to stop', async () => {
    world = await World.create(server, BREAKABLE(3000, { broken: 2950, pause: 0.2, lanes: 3, yaml: HOLD }));
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 2, 90);
    await handle.executeUpdate(setLanesUpdate, { args: [1] });
    const told = () => world.count('select batch_id from waybill.lane where stop_asked');
    await until(async () => (await told()) > 0, 90);
    await world.warehouse.query('update core.settings set broken = (select max(id) + 700 from core.orders)');
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Database' });
    await world.warehouse.query('update core.settings set broken = 0');
    const resumed = await world.start({ load: 'core.order', resume: true });
    await until(async () => (await world.states('core.order'))[0] === 'running', 90);
    expect(await told()).toBe(0);
    expect(await ended(resumed)).toMatchObject({ ok: true });
    await expectWhole(world);
    expect(await ranTwice(world)).toEqual([]);
  });

  test('because a check failed: is checked again when it is resumed', async () => {
    const checks = `checks: [ { name: rich, sql: "select count(*) from core.wanted", expect: 1 } ]`;
    world = await World.create(server, BREAKABLE(300, { broken: 0, yaml: `${HOLD}\n${checks}` }));
    await world.warehouse.query('create table core.wanted (x int)');
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.states('core.order')).toEqual(['held']);
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({ ok: false, type: 'CheckFailed' });
    await world.warehouse.query('insert into core.wanted values (1)');
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({ ok: true });
    await expectWhole(world);
    expect(await ranTwice(world)).toEqual([]);
    expect(await world.rows('select actual, passed from waybill.check_result')).toEqual([
      { actual: '1', passed: true },
    ]);
  });

  test('because a step failed: goes on with that step', async () => {
    const before =
      'before: [ "insert into core.steps values (1)", "insert into core.steps select 2 / ok from core.switch" ]';
    world = await World.create(server, BREAKABLE(200, { broken: 0, yaml: `${HOLD}\n${before}` }));
    await world.warehouse.query(
      'create table core.steps (n int); create table core.switch (ok int); insert into core.switch values (0)',
    );
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.states('core.order')).toEqual(['held']);
    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({
      ok: true,
      result: { batch: { batchId: '1' } },
    });
    expect(await world.rows('select n from core.steps')).toEqual([{ n: 1 }, { n: 2 }]);
    await expectWhole(world);
  });

  test('is never made by a cancel, a force or a timeout: those roll back', async () => {
    world = await World.create(server, BREAKABLE(300, { broken: 0, pause: 60, yaml: `${HOLD}\nmax_runtime: 5s` }));
    await world.worker();
    const cancelled = await world.start('core.order');
    await until(async () => (await world.value('select count(*) from waybill.chunk')) === '3', 90);
    await cancelled.cancel();
    expect(await ended(cancelled)).toMatchObject({ ok: false, type: 'Canceled' });
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Timeout' });
    expect(await world.states('core.order')).toEqual(['cancelled', 'failed']);
    expect(await exists(world, 'acq.orders_processing')).toBe(true);
    await mend(world);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });
});
