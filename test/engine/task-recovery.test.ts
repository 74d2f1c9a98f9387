/** `on_error` of tasks: steps that run when the task has failed. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { cancelUpdate, forceReloadUpdate } from '../../src/workflows/message-definitions.ts';
import { someServers } from '../every-server.ts';
import { comingAgain } from './orders.ts';
import { batchesOf, breakAt, expectSeenOnce, TASK, VEHICLES, type VehiclesOptions } from './vehicles.ts';
import { ended, until, World, type WorldOptions } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const note = (what: string): string => `"insert into core.notes (what, batch_id) values ('${what}', :batch_id)"`;

/** The second step cannot be done while `core.switch.ok` is 0. */
const NOTING = (options: VehiclesOptions = {}): WorldOptions =>
  VEHICLES(50, {
    lanes: 1,
    yaml: `
on_error: [ ${note('first')}, "insert into core.notes (what, batch_id) select 'second', :batch_id / ok from core.switch" ]
after: ${note('after')}
max_runtime: 1h`,
    ...options,
    warehouse: `
      create table core.notes (what varchar(20), batch_id bigint);
      create table core.switch (ok int); insert into core.switch values (1);
      ${options.warehouse ?? ''}`,
  });

const notes = async (world: World): Promise<string[]> =>
  (
    await world.rows<{ what: string; batch_id: string }>(
      'select what, batch_id from core.notes order by batch_id, what',
    )
  ).map(({ what, batch_id }) => `${what} ${batch_id}`);

const steps = (world: World) =>
  world.rows(`select batch_id, n, state, attempts from waybill.step where phase = 'on_error' order by batch_id, n`);

describe.each(someServers(import.meta.url))('on_error on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('runs once the task has failed, each time that it does, and not when it goes well', async () => {
    world = await World.create(server, NOTING());
    await world.worker();
    for (const broken of [25, 35]) {
      await breakAt(world, broken);
      expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    }
    expect(await notes(world)).toEqual(['first 1', 'second 1', 'first 2', 'second 2']);
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    expect(await notes(world)).toEqual(['first 1', 'second 1', 'first 2', 'second 2', 'after 3']);
    await expectSeenOnce(world);
    expect(await steps(world)).toEqual([
      ...['1', '2'].flatMap((batch_id) => [1, 2].map((n) => ({ batch_id, n, state: 'done', attempts: 1 }))),
      ...[1, 2].map((n) => ({ batch_id: '3', n, state: 'pending', attempts: 0 })),
    ]);
  });

  test('that fails says so beside the error, and is gone on with by the next start before anything else', async () => {
    world = await World.create(server, NOTING());
    await world.worker();
    await breakAt(world, 25);
    await world.warehouse.query('update core.switch set ok = 0');
    const failed = await world.run(TASK);
    expect(failed).toMatchObject({ ok: false, type: 'Database' });
    expect(!failed.ok && failed.message).toMatch(/^chunk 3 of 5: .*; and on_error failed: /);
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({
      ...{ ok: false, type: 'LoadFailed', where: 'load task.vehicle, batch 1, on_error step 2' },
      message: expect.stringMatching(/^on_error of batch 1, which had failed, failed: /) as string,
    });
    expect(await batchesOf(world)).toHaveLength(1);
    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 3, batch: { batchId: '2' } } });
    expect(await notes(world)).toEqual(['first 1', 'second 1', 'after 2']);
    await expectSeenOnce(world);
  });

  test('has attempts of its own, as many as max_attempts says; the next start gives it as many again', async () => {
    const again = (mostAttempts: number): WorldOptions => ({
      ...NOTING({
        yaml: `on_error: ["insert into core.notes values ('tried', :batch_id); select core.come_again()"]
max_attempts: ${mostAttempts}`,
      }),
      own: comingAgain('n <> 3 and n <> 6'),
    });
    world = await World.create(server, again(3));
    await world.worker();
    await breakAt(world, 25);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    expect(await steps(world)).toEqual([{ batch_id: '1', n: 1, state: 'done', attempts: 3 }]);
    expect(await notes(world)).toEqual(['tried 1']);

    // Two attempts are too few for the third call that goes well.
    await world.write('loads/task/vehicle.yaml', again(2).files['loads/task/vehicle.yaml']!);
    const failed = await world.run(TASK);
    expect(!failed.ok && failed.message).toMatch(/; and on_error failed: /);
    expect((await steps(world)).at(-1)).toEqual({ batch_id: '2', n: 1, state: 'pending', attempts: 2 });
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 3, batch: { batchId: '3' } } });
    expect((await steps(world))[1]).toEqual({ batch_id: '2', n: 1, state: 'done', attempts: 3 });
    expect(await notes(world)).toEqual(['tried 1', 'tried 2']);
    await expectSeenOnce(world);
  });

  test('is skipped with --force, and the ledger says by whom', async () => {
    world = await World.create(server, NOTING());
    await world.worker();
    await breakAt(world, 25);
    await world.warehouse.query('update core.switch set ok = 0');
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    await breakAt(world, 0);
    await world.warehouse.query('update core.vehicle set seen = 0');
    expect(await world.run({ load: TASK, force: true, requestedBy: 'mary' })).toMatchObject({
      ...{ ok: true, result: { chunks: 5 } },
    });
    await expectSeenOnce(world);
    expect(await notes(world)).toEqual(['first 1', 'after 2']);
    expect(await world.rows(`select requested_by, reason from waybill.event where what = 'on_error_skipped'`)).toEqual([
      { requested_by: 'mary', reason: 'forced: 1 steps skipped' },
    ]);
  });

  test('runs for a task that was interrupted, and not for one that was cancelled', async () => {
    world = await World.create(
      server,
      NOTING({
        sql: `select id from core.gate where id >= :from and id < :to for update;
update core.vehicle set seen = seen + 1 where id >= :from and id < :to`,
        warehouse: 'create table core.gate (id bigint primary key); insert into core.gate values (25);',
      }),
    );
    await world.worker();
    const holder = await world.another('warehouse');
    await holder.query('begin; select id from core.gate where id = 25 for update');
    const started = async (batchId: number) => {
      const handle = await world.start(TASK);
      await until(async () => (await world.count(`select n from waybill.chunk where batch_id = ${batchId}`)) > 0);
      return handle;
    };
    const cancelled = await started(1);
    await cancelled.executeUpdate(cancelUpdate, { args: [{}] });
    expect(await ended(cancelled)).toMatchObject({ ok: false, type: 'Cancelled' });
    const terminated = await started(2);
    expect(await notes(world)).toEqual([]);
    await terminated.terminate();
    const next = await started(3); // takes the interrupted batch down first
    expect(await notes(world)).toEqual(['first 2', 'second 2']);
    await holder.query('commit');
    expect(await ended(next)).toMatchObject({ ok: true, result: { batch: { batchId: '3' } } });
    await expectSeenOnce(world);
    expect(await batchesOf(world)).toMatchObject([
      { state: 'cancelled' },
      { state: 'failed', error_class: 'interrupted' },
      { state: 'published' },
    ]);
  });

  test('does not run for a task that was forced to begin anew, and cancelled before it did', async () => {
    world = await World.create(
      server,
      NOTING({
        sql: `select id from core.gate where id >= :from and id < :to for update;
insert into core.seen (id, batch_id) select id, :batch_id from core.vehicle where id >= :from and id < :to`,
        warehouse: `create table core.gate (id bigint primary key); insert into core.gate select g from generate_series(1, 50) g;
          create table core.seen (id bigint primary key, batch_id bigint not null);`,
        yaml: `on_error: ${note('first')}\noutputs: [ core.seen ]`,
      }),
    );
    await world.worker();
    const holder = await world.another('warehouse');
    await holder.query('begin; select id from core.gate where id = 25 for update');
    const handle = await world.start(TASK);
    await until(async () => (await world.count('select id from core.seen')) === 20);
    await holder.query('delete from core.seen where id = 1'); // which the roll back waits for
    await handle.executeUpdate(forceReloadUpdate, { args: [{}] });
    await until(async () => (await batchesOf(world))[0]!.state === 'rolling_back');
    expect(await handle.executeUpdate(cancelUpdate, { args: [{}] })).toMatchObject({ answer: 'accepted' });
    await holder.query('rollback');
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Cancelled', message: 'cancelled' });
    expect(await batchesOf(world)).toMatchObject([{ state: 'failed', error_class: 'forced' }]);
    expect(await notes(world)).toEqual([]);
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 5, batch: { batchId: '2' } } });
    expect(await notes(world)).toEqual([]);
  });

  test('runs for a task that ran out of time', async () => {
    world = await World.create(
      server,
      NOTING({
        sql: `select id from core.gate where id >= :from and id < :to for update`,
        warehouse: 'create table core.gate (id bigint primary key); insert into core.gate values (25);',
        yaml: `on_error: ${note('first')}\nmax_runtime: 2s`,
      }),
    );
    await world.worker();
    const holder = await world.another('warehouse');
    await holder.query('begin; select id from core.gate where id = 25 for update');
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Timeout' });
    expect(await notes(world)).toEqual(['first 1']);
    expect(await batchesOf(world)).toMatchObject([{ state: 'failed', error_class: 'timeout' }]);
  });
});
