/**
 * Loads and sessions that other versions of the workflows have run (histories/): today's must take the same steps, or whoever
 * upgrades breaks what runs at that moment. Recorded on one server: no workflow knows which it is. WAYBILL_RECORD_HISTORIES=1 records them anew: CONTRIBUTING.md says when.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { workerIdentity } from '../../src/client/workers.ts';
import {
  cancelSignal,
  cancelUpdate,
  forceReloadUpdate,
  pauseUpdate,
  resumeUpdate,
  setLanesUpdate,
} from '../../src/workflows/message-definitions.ts';
import { bundledWorkflows, servers } from '../servers.ts';
import { BREAKABLE, done, mend } from './breakable-orders.ts';
import { COLUMNS, halfway, ITEM, itemFile, ITEMS, SLOW_SOURCE } from './items.ts';
import { runSession } from './session-run.ts';
import { TASK, VEHICLES } from './vehicles.ts';
import { ended, until, World, type WorldOptions } from './world.ts';

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));

interface Recorded {
  workflowId: string;
  history: unknown;
}

const read = async (file: string): Promise<Recorded> =>
  JSON.parse(await readFile(FOLDER + file, 'utf8'), bytes) as Recorded;

/** Bytes of a payload, which all are text, stand in a file as that: it can be read, and shows in a diff what has changed. */
const bytes = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'text' in value && Object.keys(value).length === 1
    ? Buffer.from(String(value.text))
    : value;

/** A history as it comes from Temporal, as plain JSON, without who it was. */
function plain(value: unknown, key = ''): unknown {
  if (key === 'identity') return 'somebody';
  if (key === 'stackTrace') return '';
  if (value instanceof Uint8Array) return { text: Buffer.from(value).toString() };
  if (Array.isArray(value)) return value.map((one) => plain(one));
  if (typeof value !== 'object' || value === null) return value;
  if ('toNumber' in value) return Number(value);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one, name)]));
}

describe('a history that was recorded before', () => {
  test('is what the workflows do today, each', async () => {
    const files = (await readdir(FOLDER)).sort();
    expect(files.length).toBeGreaterThan(10);
    const recorded = await Promise.all(files.map(read));
    const broken: Record<string, string> = {};
    let n = 0;
    const options = { workflowBundle: { codePath: bundledWorkflows() } };
    for await (const { error } of Worker.runReplayHistories(options, recorded as never)) {
      if (error) broken[files[n]!] = error.message;
      n += 1;
    }
    expect(broken).toEqual({});
    expect(n).toBe(files.length);
  });

  test('tells of nobody and of no machine', async () => {
    for (const file of await readdir(FOLDER)) {
      const text = await readFile(FOLDER + file, 'utf8');
      for (const name of [`@${hostname()}`, `${hostname()}:`, `${userInfo().username}@`, '://', process.cwd()]) {
        expect(text.includes(name), `"${name}" in ${file}`).toBe(false);
      }
    }
  });
});

// None rather than skipped: in CI a skip is a failure.
const recording = process.env['WAYBILL_RECORD_HISTORIES'] === '1' ? servers.slice(0, 1) : [];

describe.each(recording)('records on $name', { timeout: 120_000 }, (server) => {
  async function inWorld(options: WorldOptions, work: (world: World) => Promise<void>): Promise<void> {
    await mkdir(FOLDER, { recursive: true });
    const world = await World.create(server, options);
    try {
      await work(world);
    } finally {
      await world.close();
    }
  }

  async function record(world: World, name: string, workflowId: string, runId?: string): Promise<void> {
    const history = plain(await world.client.workflow.getHandle(workflowId, runId).fetchHistory());
    const events = (history as { events: unknown[] }).events.map((event) => JSON.stringify(event));
    const text = `{"workflowId":${JSON.stringify(workflowId)},"history":{"events":[\n${events.join(',\n')}\n]}}\n`;
    // Sticky task queues are called after their worker.
    await writeFile(`${FOLDER}${name}.json`, text.replaceAll(workerIdentity('test'), 'somebody'));
  }

  const load = 'load/core.order';

  test('a session from its source to services', () =>
    inWorld(
      {
        files: {
          'waybill.yaml': `
name: test
connections:
  source: { url: "\${SOURCE_URL}" }
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 }
sessions: { nightly: { loads: ["*.*"] } }
`,
          'loads/acquisition/item.yaml': itemFile({}),
          'loads/core/thing.yaml': `
kind: core
connection: warehouse
inputs: [ acq.item ]
before: "select 1"
stages:
  - { name: rows, sql: "insert into core.things (id, batch_id) select i.id, :batch_id from {{ acq.item }} i" }
  - { name: again, sql: "insert into core.others (id, batch_id) select i.id, :batch_id from {{ acq.item }} i" }
outputs: [ core.things, core.others ]
checks: [ { name: some, sql: "select count(*) from core.things where batch_id = :batch_id", expect: ">0" } ]
after: "select 1"
`,
          'loads/services/count.yaml': `
kind: services
connection: warehouse
consumes: [ core.thing ]
stages: [ { name: rows, sql: "insert into core.counted (n, batch_id) select count(*), :batch_id from {{ core.things }} t" } ]
outputs: [ core.counted ]
`,
        },
        source: 'create table item (id bigint primary key); insert into item select g from generate_series(1, 300) g',
        warehouse: `create schema acq; create schema core;
          create table acq.item (id bigint, batch_id bigint not null, ngdw_id bigint generated by default as identity primary key);
          create table core.things (id bigint, batch_id bigint not null); create table core.others (id bigint, batch_id bigint not null);
          create table core.counted (n bigint, batch_id bigint not null);`,
      },
      async (world) => {
        await world.worker();
        expect(await runSession(world)).toMatchObject({ ok: true });
        await record(world, 'session', 'session/nightly');
        await record(world, 'acquisition', 'load/acquisition.item');
        await record(world, 'core', 'load/core.thing');
        await record(world, 'services', 'load/services.count');
        expect(await runSession(world)).toMatchObject({ ok: true });
        await record(world, 'session with nothing to do', 'session/nightly');
        await record(world, 'nothing', 'load/core.thing');
      },
    ));

  test('a load that fails, and is redone', () =>
    inWorld(BREAKABLE(300), async (world) => {
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      await record(world, 'failed', load);
      await mend(world);
      expect(await world.run('core.order')).toMatchObject({ ok: true });
      await record(world, 'redone', load);
    }));

  test('one that is held, and goes on', () =>
    inWorld(BREAKABLE(300, { yaml: 'on_failure: hold' }), async (world) => {
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: false });
      await record(world, 'held', load);
      await mend(world);
      expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({ ok: true });
      await record(world, 'resumed', load);
    }));

  test('one that is steered, cancelled, forced and terminated', () =>
    inWorld(BREAKABLE(1_000, { broken: 0, pause: 0.2, lanes: 1 }), async (world) => {
      await world.worker();
      const begin = async () => {
        const handle = await world.start('core.order');
        await until(async () => (await world.states('core.order').catch(() => [])).at(-1) === 'running');
        await until(async () => (await done(world)) > 0);
        return handle;
      };
      const cancelled = await begin();
      await cancelled.cancel();
      expect(await ended(cancelled)).toMatchObject({ ok: false, type: 'Canceled' });
      await record(world, 'cancelled', load);
      await (await begin()).terminate();
      const steered = await begin();
      await steered.executeUpdate(pauseUpdate);
      await steered.executeUpdate(setLanesUpdate, { args: [2] });
      await steered.executeUpdate(resumeUpdate);
      await steered.executeUpdate(forceReloadUpdate, { args: [{ requestedBy: 'somebody' }] });
      expect(await ended(steered)).toMatchObject({ ok: true });
      await record(world, 'steered', load);
    }));

  test('one that is cancelled while it is rolled back for a force', () =>
    inWorld(BREAKABLE(1_000, { broken: 0, pause: 0.2, lanes: 1 }), async (world) => {
      await world.worker();
      const handle = await world.start('core.order');
      const holder = await world.another('warehouse');
      await until(async () => (await done(world)) > 0);
      await holder.query('begin; delete from core.orders where batch_id = 1 and id < 100');
      await handle.executeUpdate(forceReloadUpdate, { args: [{}] });
      await until(async () => (await world.states('core.order'))[0] === 'rolling_back');
      await handle.cancel();
      await holder.query('rollback');
      expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
      await record(world, 'cancelled when forced', load);
    }));

  test('one that is cancelled while it is rolled back because the state of its source was lost', () => {
    const from = 'table: public.item, range: { column: id, step: 100 }, consistent: true';
    const options = { source: SLOW_SOURCE(1200, 0.002), columns: COLUMNS, from, yaml: 'lanes: 1' };
    return inWorld(ITEMS(options), async (world) => {
      await world.worker();
      const handle = await world.start(ITEM);
      const holder = await world.another('warehouse');
      await until(() => halfway(world), 90);
      await holder.query('begin; delete from acq.item where id < 100');
      const readers = `select pid as id from pg_stat_activity where application_name = 'waybill read ${ITEM}' and xact_start is not null`;
      await until(async () => (await world.end(readers, world.source)) > 0);
      await until(async () => (await world.states(ITEM))[0] === 'rolling_back');
      await handle.signal(cancelSignal, {});
      await holder.query('rollback');
      await ended(handle);
      await record(world, 'cancelled when its state was lost', `load/${ITEM}`);
    });
  });

  test('one that continues as new', () =>
    inWorld(BREAKABLE(4_000, { broken: 0, pause: 0.3, lanes: 1 }), async (world) => {
      await world.worker({ historyLimit: 12 });
      const handle = await world.start('core.order');
      expect(await ended(handle)).toMatchObject({ ok: true });
      const { raw } = await world.client.workflow.getHandle(load).describe();
      await record(world, 'continues', load, raw.workflowExecutionInfo!.firstRunId!);
      await record(world, 'continued', load);
    }));

  test('a task', () =>
    inWorld(VEHICLES(100), async (world) => {
      await world.worker();
      expect(await world.run(TASK)).toMatchObject({ ok: true });
      await record(world, 'task', `load/${TASK}`);
    }));

  test('a task with on_error that is cancelled while it is rolled back for a force', () =>
    inWorld(
      VEHICLES(50, {
        lanes: 1,
        sql: `insert into core.seen select id, :batch_id from core.vehicle where id >= :from and id < :to and pg_sleep(0.05) is not null`,
        warehouse: 'create table core.seen (id bigint, batch_id bigint not null);',
        yaml: 'outputs: [ core.seen ]\non_error: select 1',
      }),
      async (world) => {
        await world.worker();
        const handle = await world.start(TASK);
        const holder = await world.another('warehouse');
        await until(async () => (await done(world)) > 0);
        await holder.query('begin; delete from core.seen where id = 1');
        await handle.executeUpdate(forceReloadUpdate, { args: [{}] });
        await until(async () => (await world.states(TASK))[0] === 'rolling_back');
        await handle.executeUpdate(cancelUpdate, { args: [{}] });
        await holder.query('rollback');
        expect(await ended(handle)).toMatchObject({ ok: false, type: 'Cancelled' });
        await record(world, 'task cancelled when forced', `load/${TASK}`);
      },
    ));
});
