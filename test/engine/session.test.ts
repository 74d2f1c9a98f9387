import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { WorkflowHandle } from '@temporalio/client';
import { afterEach, describe, expect } from 'vitest';
import type { ClientContext } from '../../src/client/context.ts';
import { describeRun, isChildOf } from '../../src/client/start-run.ts';
import { findTemporal } from '../../src/dev/temporal-binary.ts';
import { progressQuery, sessionProgressQuery } from '../../src/workflows/message-definitions.ts';
import { sessionWorkflowId, TASK_QUEUE, type SessionLoadResult } from '../../src/workflows/messages.ts';
import { waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { itemFile } from './items.ts';
import { asleep } from './moments.ts';
import { sessionEnd, startSession, type SessionEnd, type SessionHandle } from './session-run.ts';
import { ended, until, World, type WorldOptions } from './world.ts';

/** A core load of its own: acq.<name> → core.<name>_rows. It takes its `seconds` in core.tempo, and fails while `broken` says so. */
const core = (name: string, yaml = ''): string => `
kind: core
connection: warehouse
inputs: [ { table: acq.${name}, external: true } ]
stages:
  - name: rows
    sql: |
      insert into core.${name}_rows (id, batch_id)
      select i.id / (select 1 - broken from core.tempo where name = '${name}'), :batch_id
      from {{ acq.${name} }} i, (select pg_sleep(seconds) from core.tempo where name = '${name}') pause
outputs: [ core.${name}_rows ]
${yaml}`;

interface ProjectOptions {
  /** Core loads, with text added to their files. */
  loads: Record<string, string>;
  session: string;
  files?: Record<string, string>;
  source?: string;
  warehouse?: string;
}

function PROJECT({ loads, session, files, source, warehouse }: ProjectOptions): WorldOptions {
  const names = Object.keys(loads);
  return {
    files: {
      'waybill.yaml': `
name: test
connections:
  source: { url: "\${SOURCE_URL}" }
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 }
sessions:
  nightly: ${session}
`,
      ...Object.fromEntries(names.map((name) => [`loads/core/${name}.yaml`, core(name, loads[name])])),
      ...files,
    },
    source: source ?? '',
    warehouse: `
      create schema acq; create schema core;
      create table core.tempo (name varchar(40) primary key, seconds float8 not null default 0, broken int not null default 0);
      ${names
        .map(
          (name) => `create table acq.${name} (id bigint); insert into acq.${name} values (1), (2);
                     create table core.${name}_rows (id bigint, batch_id bigint not null); insert into core.tempo (name) values ('${name}');`,
        )
        .join('\n')}
      ${warehouse ?? ''}`,
  };
}

const byName = (loads: SessionLoadResult[]): Record<string, string> =>
  Object.fromEntries(loads.map(({ load, status }) => [load, status]));

describe.each(oneOfEachFamily(import.meta.url))('a session on $name', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  const start = (name?: string): Promise<SessionHandle> => startSession(world, name);
  /** What stands in the output of core.<name>. */
  const ids = async (name: string): Promise<string[]> =>
    (await world.rows<{ id: string }>(`select id from core.${name}_rows order by id`)).map(({ id }) => id);
  const run = async (): Promise<SessionEnd> => sessionEnd(await start());

  const set = (name: string, change: string): Promise<unknown> =>
    world.warehouse.query(`update core.tempo set ${change} where name = '${name}'`);

  /** Which batches ran at the same time. */
  const overlapping = (): Promise<{ one: string; other: string }[]> =>
    world.rows(`select a.load_name as one, b.load_name as other from waybill.batch a join waybill.batch b
                on a.load_name < b.load_name and a.started_at < b.finished_at and b.started_at < a.finished_at order by 1, 2`);

  it('runs loads in the order of their tables, a whole warehouse from source to services', async () => {
    world = await World.create(
      server,
      PROJECT({
        loads: {},
        // Named the wrong way round: the tables know better.
        session: '{ loads: ["services.*", "core.*", "acquisition.*"] }',
        source: 'create table item (id bigint primary key); insert into item select g from generate_series(1, 300) g',
        files: {
          'loads/acquisition/item.yaml': itemFile({}),
          'loads/core/thing.yaml': `
kind: core
connection: warehouse
inputs: [ acq.item ]
stages: [ { name: rows, sql: "insert into core.things (id, batch_id) select i.id, :batch_id from {{ acq.item }} i" } ]
outputs: [ core.things ]
`,
          'loads/services/count.yaml': `
kind: services
connection: warehouse
consumes: [ core.thing ]
stages: [ { name: rows, sql: "insert into core.counted (n, batch_id) select count(*), :batch_id from {{ core.things }} t" } ]
outputs: [ core.counted ]
`,
        },
        warehouse: `create table acq.item (id bigint, batch_id bigint not null,
            ngdw_id bigint generated by default as identity primary key);
          create table core.things (id bigint, batch_id bigint not null); create table core.counted (n bigint, batch_id bigint not null);`,
      }),
    );
    await world.worker();
    const first = await run();
    expect(first).toMatchObject({ ok: true, result: { session: 'nightly', status: 'finished' } });
    expect(
      first.ok && first.result.loads.map(({ load, status, rowsWritten }) => ({ load, status, rowsWritten })),
    ).toEqual([
      { load: 'acquisition.item', status: 'finished', rowsWritten: 300 },
      { load: 'core.thing', status: 'finished', rowsWritten: 300 },
      { load: 'services.count', status: 'finished', rowsWritten: 1 },
    ]);
    expect(await world.rows('select load_name, requested_by from waybill.batch order by started_at')).toEqual(
      ['acquisition.item', 'core.thing', 'services.count'].map((load_name) => ({
        load_name,
        requested_by: 'session nightly',
      })),
    );
    expect(await overlapping()).toEqual([]);
    const second = await run();
    expect(second.ok && byName(second.result.loads)).toEqual({
      'acquisition.item': 'nothing',
      'core.thing': 'nothing',
      'services.count': 'nothing',
    });
    expect(await world.rows('select n from core.counted')).toEqual([{ n: '300' }]);
  });

  it('has no loads of the night before, also where one workflow runs each night by a cron schedule', async () => {
    world = await World.create(server, PROJECT({ loads: { one: '' }, session: '{ loads: ["core.*"] }' }));
    await world.worker();
    await set('one', 'seconds = 2');
    const handle = await world.client.workflow.start('session', {
      workflowId: sessionWorkflowId('nightly'),
      taskQueue: TASK_QUEUE,
      args: [{ session: 'nightly' }],
      cronSchedule: '@every 2s',
    });
    const context = { target: { address: world.address } } as ClientContext;
    const newestOf = (workflowId: string) => describeRun(context, world.client, workflowId);
    const { workflowId, firstExecutionRunId: firstRunId } = handle;
    const child = await until(() => newestOf('load/core.one'));
    const isChild = (): Promise<boolean> => isChildOf(context, world.client, child, { workflowId, firstRunId });
    expect(await isChild()).toBe(true);
    await until(async () => (await newestOf(workflowId))?.runId !== child.parent?.runId);
    expect(await isChild()).toBe(false);
    await world.client.workflow.getHandle(workflowId).terminate();
  });

  it('does again what had failed, then what has come since: one run catches up', async () => {
    world = await World.create(
      server,
      PROJECT({
        loads: { one: '' },
        session: '{ loads: ["core.*", "services.*"] }',
        files: {
          'loads/services/seen.yaml': `
kind: services
connection: warehouse
consumes: [ core.one ]
stages:
  - name: rows
    sql: |
      insert into core.seen (id, batch_id)
      select o.id / (select 1 - broken from core.tempo where name = 'seen'), :batch_id from {{ core.one_rows }} o
outputs: [ core.seen ]
`,
        },
        warehouse: `create table core.seen (id bigint, batch_id bigint not null); insert into core.tempo (name) values ('seen');`,
      }),
    );
    await world.worker();
    /** Ids that each batch wrote. */
    const written = async (table: string): Promise<Record<string, string[]>> => {
      const rows = await world.rows<{ id: string; batch_id: string }>(
        `select batch_id, id from ${table} order by 1, 2`,
      );
      const batches = [...new Set(rows.map((row) => row.batch_id))];
      return Object.fromEntries(
        batches.map((batch) => [batch, rows.filter((row) => row.batch_id === batch).map(({ id }) => id)]),
      );
    };
    await set('one', 'broken = 1');
    expect(await run()).toMatchObject({ ok: false });
    await world.warehouse.query('insert into acq.one values (3)');

    await set('one', 'broken = 0');
    await set('seen', 'broken = 1');
    const second = await run();
    expect(second).toMatchObject({ ok: false });
    expect(await written('core.one_rows')).toEqual({ 2: ['1', '2'], 3: ['3'] });
    await world.warehouse.query('insert into acq.one values (4)');

    await set('seen', 'broken = 0');
    const third = await run();
    expect(third).toMatchObject({ ok: true });
    const { loads } = (third as { result: { loads: SessionLoadResult[] } }).result;
    // What one load published meanwhile is no reason to run the other one twice more.
    expect(loads).toEqual([
      { load: 'core.one', status: 'finished', rowsWritten: 1, batch: { connection: 'warehouse', batchId: '5' } },
      {
        ...{ load: 'services.seen', status: 'finished', rowsWritten: 1 },
        batch: { connection: 'warehouse', batchId: '7' },
        earlier: [{ connection: 'warehouse', batchId: '6' }],
      },
    ]);
    expect(await written('core.seen')).toEqual({ 6: ['1', '2', '3'], 7: ['4'] });
    expect(await run()).toMatchObject({ ok: true, result: { loads: [{ status: 'nothing' }, { status: 'nothing' }] } });
  });

  it('runs side by side what does not depend on each other, and keeps `needs`', async () => {
    world = await World.create(
      server,
      PROJECT({ loads: { a: '', b: '', c: 'needs: [core.a, core.b]' }, session: '{ loads: [core.*] }' }),
    );
    await world.worker();
    await world.warehouse.query('update core.tempo set seconds = 1');
    expect(await run()).toMatchObject({ ok: true });
    expect(await overlapping()).toEqual([{ one: 'core.a', other: 'core.b' }]);
    expect(
      await world.value(`select (select started_at from waybill.batch where load_name = 'core.c')
                              >= (select max(finished_at) from waybill.batch where load_name <> 'core.c')`),
    ).toBe(true);
  });

  it('a failure skips what depends on it, and only that; the session fails and names it; the next one goes on', async () => {
    world = await World.create(
      server,
      PROJECT({
        loads: { a: '', b: 'needs: [core.a]', c: 'needs: [core.b]', d: '', e: 'needs: [core.d]' },
        session: '{ loads: [core.*] }',
      }),
    );
    await world.worker();
    await set('a', 'broken = 1');
    await set('d', 'seconds = 1');
    const failed = await run();
    expect(failed).toMatchObject({
      ok: false,
      type: 'LoadFailed',
      message: `core.a failed, and 2 that need it skipped: chunk 1 of 1: ${world.words.divisionByZero}`,
      where: expect.stringMatching(/^session nightly, .*batch \d/) as string,
      next: expect.stringMatching(/; then waybill run nightly$/) as string,
    });
    expect(!failed.ok && byName(failed.loads)).toEqual({
      'core.a': 'failed',
      'core.b': 'skipped',
      'core.c': 'skipped',
      'core.d': 'finished',
      'core.e': 'finished',
    });
    expect(!failed.ok && failed.loads[0]!.error).toMatchObject({
      type: 'Database',
      message: `chunk 1 of 1: ${world.words.divisionByZero}`,
    });
    expect(!failed.ok && failed.loads[2]!.error?.message).toBe('needs core.b');
    await set('a', 'broken = 0');
    const mended = await run();
    expect(mended.ok && byName(mended.result.loads)).toEqual({
      'core.a': 'finished',
      'core.b': 'finished',
      'core.c': 'finished',
      'core.d': 'nothing',
      'core.e': 'nothing',
    });
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      expect(await ids(name), name).toEqual(['1', '2']);
    }
  });

  it('leaves disabled loads out, and takes only the loads that it names', async () => {
    world = await World.create(
      server,
      PROJECT({
        loads: { a: '', b: 'enabled: false', c: 'needs: [core.b]', d: '' },
        session: '{ loads: [core.a, core.b, core.c] }',
      }),
    );
    await world.worker();
    const end = await run();
    expect(end.ok && byName(end.result.loads)).toEqual({ 'core.a': 'finished', 'core.c': 'finished' });
    expect(await world.states('core.d')).toEqual([]);
    expect(await world.run('core.b')).toMatchObject({ ok: false, type: 'Refused', message: 'core.b is disabled' });
  });

  it('waits for a load that somebody else runs, and then runs it for what that run had not seen', async () => {
    world = await World.create(
      server,
      PROJECT({ loads: { a: '', b: 'needs: [core.a]' }, session: '{ loads: [core.*] }' }),
    );
    await world.worker();
    await set('a', 'seconds = 4');
    const own = await world.start('core.a');
    await until(async () => (await asleep(world)) > 0, 90);
    await world.warehouse.query('insert into acq.a values (3)');
    const handle = await start();
    await until(async () => (await handle.query(sessionProgressQuery)).loads[0]?.status === 'running', 90);
    expect(await world.states('core.b')).toEqual([]);
    await set('a', 'seconds = 0');
    expect(await ended(own)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    const end = await sessionEnd(handle);
    expect(end).toMatchObject({
      ok: true,
      result: {
        loads: [
          { load: 'core.a', status: 'finished', rowsWritten: 1 },
          { load: 'core.b', status: 'finished' },
        ],
      },
    });
    expect(await ids('a')).toEqual(['1', '2', '3']);
  });

  it('a cancelled session cancels its loads, which clean up, and starts no more', async () => {
    world = await World.create(
      server,
      PROJECT({ loads: { a: '', b: '', c: 'needs: [core.a]' }, session: '{ loads: [core.*] }' }),
    );
    await world.worker();
    await world.warehouse.query(`update core.tempo set seconds = 120 where name <> 'c'`);
    const handle = await start();
    await until(async () => (await asleep(world)) === 2, 90);
    expect((await handle.query(sessionProgressQuery)).loads).toMatchObject([
      { load: 'core.a', status: 'running' },
      { load: 'core.b', status: 'running' },
      { load: 'core.c', status: 'waiting' },
    ]);
    expect(await waybill(world, 'cancel', 'nightly', '--reason', 'the wrong day')).toMatchObject({ exitCode: 0 });
    expect(await sessionEnd(handle)).toMatchObject({ ok: false, type: 'Canceled' });
    expect(await world.rows('select load_name, state from waybill.batch order by 1')).toEqual([
      { load_name: 'core.a', state: 'cancelled' },
      { load_name: 'core.b', state: 'cancelled' },
    ]);
    expect(
      await world.rows(`select load_name, reason from waybill.event where what = 'cancel_requested' order by 1`),
    ).toEqual(['core.a', 'core.b'].map((load_name) => ({ load_name, reason: 'the wrong day' })));
    const { events } = await handle.fetchHistory();
    expect(
      events!.flatMap(({ workflowExecutionCancelRequestedEventAttributes: asked }) => (asked ? [asked.cause] : [])),
    ).toEqual(['the wrong day']);
    expect(await world.value('select (select count(*) from core.a_rows) + (select count(*) from core.b_rows)')).toBe(
      '0',
    );
    expect(await world.value('select count(*) from acq.a_processing')).toBe('2');
    for (const name of ['a', 'b']) {
      const { status } = await world.client.workflow.getHandle(`load/core.${name}`).describe();
      expect(status.name).toBe('CANCELLED');
    }
    await world.warehouse.query('update core.tempo set seconds = 0');
    expect(await run()).toMatchObject({ ok: true });
  });

  it('is known as session/<name>, refuses a second one beside it, and an unknown name', async () => {
    world = await World.create(server, PROJECT({ loads: { a: '' }, session: '{ loads: [core.*] }' }));
    await world.worker();
    await set('a', 'seconds = 2');
    const handle = await start();
    expect(handle.workflowId).toBe('session/nightly');
    await expect(start()).rejects.toThrow(/already started/);
    expect(await sessionEnd(handle)).toMatchObject({ ok: true });
    expect(await sessionEnd(await start('nigthly'))).toMatchObject({
      ok: false,
      type: 'Configuration',
      message: 'there is no session nigthly',
    });
  });

  it('shows itself in the Temporal UI: a table of its loads, and a summary on each of them', async () => {
    world = await World.create(
      server,
      PROJECT({ loads: { a: '', b: 'needs: [core.a]' }, session: '{ loads: [core.*] }' }),
    );
    await world.worker();
    await set('a', 'broken = 1');
    await run();
    const page = await details(world.client.workflow.getHandle('session/nightly'));
    expect(page).toContain('**session nightly**');
    expect(page).toContain('| core.a | failed: chunk 1 of 1: ' + world.words.divisionByZero + ' |');
    expect(page).toContain('| core.b | skipped: needs core.a |');
    const child = await world.client.workflow.getHandle('load/core.a').describe();
    expect(await child.staticSummary()).toBe('load core.a of session nightly');
  });
});

/** What the Temporal UI shows of a workflow under "User Metadata". */
async function details(handle: WorkflowHandle): Promise<string> {
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  // Hard spaces keep the columns apart, for the eye only.
  return (metadata.currentDetails ?? '').replace(/[ \u00a0]+/g, ' ');
}

describe.each(oneOfEachFamily(import.meta.url))(
  'the Temporal surface of a load, on $name',
  { timeout: 120_000 },
  (server) => {
    const it = inTurns(import.meta.url, server);
    let world: World;
    afterEach(() => world.close());

    async function temporal(...args: string[]): Promise<string> {
      const found = await findTemporal({ external: false });
      if (found.kind !== 'binary') throw new Error('no temporal program');
      const { stdout } = await promisify(execFile)(found.path, [
        ...args,
        '--address',
        world.address,
        '--namespace',
        world.namespace,
      ]);
      return stdout;
    }

    const START = [
      'workflow',
      'start',
      '--type',
      'load',
      '--task-queue',
      'waybill',
      '--workflow-id',
      'load/core.flight',
    ];

    it('the plain `temporal` program starts a load, sees how it ends, and cancels one', async () => {
      world = await World.create(server, PROJECT({ loads: { flight: '' }, session: '{ loads: [core.*] }' }));
      await world.worker();
      await temporal(...START, '--input', '{"load":"core.flight"}');
      const result = await temporal('workflow', 'result', '--workflow-id', 'load/core.flight', '--output', 'json');
      expect(JSON.parse(result)).toMatchObject({
        status: 'COMPLETED',
        result: { load: 'core.flight', status: 'finished', rowsWritten: 2 },
      });
      expect(await world.rows('select id from core.flight_rows order by id')).toEqual([{ id: '1' }, { id: '2' }]);

      await world.warehouse.query('insert into acq.flight values (3)');
      await set('seconds = 120');
      await temporal(...START, '--input', '{"load":"core.flight"}');
      await until(async () => (await world.states('core.flight')).at(-1) === 'running', 90);
      // A second start gives back the run that is there: the program says so, and nothing runs twice.
      await temporal(...START, '--input', '{"load":"core.flight"}');
      expect(await world.states('core.flight')).toEqual(['published', 'running']);
      await temporal('workflow', 'cancel', '--workflow-id', 'load/core.flight');
      const handle = world.client.workflow.getHandle('load/core.flight');
      await until(async () => (await handle.describe()).status.name !== 'RUNNING', 90);
      expect((await handle.describe()).status.name).toBe('CANCELLED');
      expect(await world.states('core.flight')).toEqual(['published', 'cancelled']);

      await set('seconds = 0');
      await temporal(...START, '--input', '{"load":"core.flight","requestedBy":"mary"}');
      await until(async () => (await world.states('core.flight')).at(-1) === 'published', 90);
      expect(await world.value('select requested_by from waybill.batch where batch_id = 3')).toBe('mary');
    });

    const set = (change: string): Promise<unknown> => world.warehouse.query(`update core.tempo set ${change}`);

    it('the `temporal` program reads the progress of a load, and its cancel signal ends it as failed, of type Cancelled', async () => {
      world = await World.create(server, PROJECT({ loads: { flight: '' }, session: '{ loads: [core.*] }' }));
      await world.worker();
      await set('seconds = 120');
      await temporal(...START, '--input', '{"load":"core.flight"}');
      const handle = world.client.workflow.getHandle('load/core.flight');
      await until(async () => (await handle.query(progressQuery)).phase === 'rows', 90);
      const query = await temporal(
        'workflow',
        'query',
        '--workflow-id',
        'load/core.flight',
        '--type',
        'progress',
        '--output',
        'json',
      );
      expect(JSON.parse(query)).toMatchObject({
        queryResult: [
          { load: 'core.flight', phase: 'rows', state: 'running', batch: { connection: 'warehouse', batchId: '1' } },
        ],
      });
      await temporal(
        'workflow',
        'signal',
        '--workflow-id',
        'load/core.flight',
        '--name',
        'cancel',
        '--input',
        '{"requestedBy":"joe"}',
      );
      expect(await ended(handle as Awaited<ReturnType<World['start']>>)).toMatchObject({
        ok: false,
        type: 'Cancelled',
        message: 'cancelled by joe',
      });
      expect(await world.states('core.flight')).toEqual(['cancelled']);
    });

    it('loads can be searched for by name, kind, state, batch and rows', async () => {
      world = await World.create(server, PROJECT({ loads: { flight: '', other: '' }, session: '{ loads: [core.*] }' }));
      await world.worker();
      expect(await world.run('core.flight')).toMatchObject({ ok: true });
      await world.warehouse.query(`update core.tempo set broken = 1 where name = 'other'`);
      expect(await world.run('core.other')).toMatchObject({ ok: false });
      const search = async (query: string): Promise<string[]> => {
        const found: string[] = [];
        for await (const { workflowId } of world.client.workflow.list({ query })) found.push(workflowId);
        return found;
      };
      const flight = `WaybillLoad = 'core.flight' and WaybillKind = 'core' and WaybillState = 'published' and WaybillBatchId = 1 and WaybillRows = 2`;
      await until(async () => (await search(flight)).length > 0, 90);
      expect(await search(flight)).toEqual(['load/core.flight']);
      await until(async () => (await search(`WaybillState = 'failed'`)).length > 0, 90);
      expect(await search(`WaybillState = 'failed' and WaybillBatchId = 2`)).toEqual(['load/core.other']);
      expect(await search('WaybillRows = 0')).toEqual([]);
    });

    it('the page of a load in the Temporal UI is a table of its stages, with why it failed', async () => {
      world = await World.create(server, PROJECT({ loads: { flight: '' }, session: '{ loads: [core.*] }' }));
      await world.worker();
      await set('broken = 1');
      const handle = await world.start('core.flight');
      expect(await ended(handle)).toMatchObject({ ok: false });
      const failed = await details(handle);
      expect(failed).toContain('**core.flight** · batch 1');
      expect(failed).toContain('(failed)');
      expect(failed).toContain(`**Database**: chunk 1 of 1: ${world.words.divisionByZero}`);
      expect(failed).toContain('Next: ');
      await set('broken = 0');
      const again = await world.start('core.flight');
      expect(await ended(again)).toMatchObject({ ok: true });
      const page = await details(again);
      expect(page).toMatch(/\|\s*\|\s*stage\s*\|\s*chunks\s*\|\s*rows\s*\|\s*lanes\s*\|/);
      expect(page).toMatch(/\| ✔ \| rows \| 1 of 1 \| 2 \|/);
      expect(page).toContain('(published)');
    });
  },
);
