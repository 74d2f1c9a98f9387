/** Workers are exchanged for those of another version under a load that runs: it may fail, it may not hang, and the next start heals. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterEach, describe, expect } from 'vitest';
import { errorView } from '../../src/client/error-view.ts';
import { Waybill } from '../../src/client/index.ts';
import { progressQuery } from '../../src/workflows/message-definitions.ts';
import { TASK_QUEUE } from '../../src/workflows/messages.ts';
import { document, environment, waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { bundledWorkflows, workerProcess } from '../servers.ts';
import { activitiesOf, OPEN_ORDER } from './activities.ts';
import { BREAKABLE, done, mend } from './breakable-orders.ts';
import { expectWhole } from './orders.ts';
import { sessionEnd, startSession } from './session-run.ts';
import { ALL, idsOf, THREE_LOADS } from './three-loads.ts';
import { until, World } from './world.ts';

function editedWorkflows(what: string | RegExp, by: string): { code: string } {
  const today = readFileSync(bundledWorkflows(), 'utf8');
  const code = today.replace(what, by);
  expect(code).not.toBe(today);
  return { code };
}

/** Workflows of a version that sets no timer for `max_runtime`: today's cannot go on where it began. */
const olderVersion = (): { code: string } => editedWorkflows('watchDeadline(batch, steering);', '');

/** What a newer version writes down when it has brought the control tables up to date. */
const NEWER_TABLES = `insert into waybill.migration (version, name, checksum) values (999, 'newer', 'newer')`;

/** A worker of that version; resolves once it polls. */
async function newerWorker(world: World): Promise<void> {
  const [run, path] = workerProcess() as [string, string];
  const today = readFileSync(path, 'utf8');
  const code = today.replace('Math.max(0, ...files.map(versionOf))', '999');
  expect(code.length).toBeLessThan(today.length);
  const newer = path.replace(/\.js$/, '-newer.js'); // beside it: from there it finds what has native parts
  await writeFile(newer, code);
  world.atClose(() => rm(newer, { force: true }));
  const env = {
    ...environment(world),
    WAYBILL_TEST_PROJECT: world.directory,
    WAYBILL_TEST_BUNDLE: bundledWorkflows(),
  };
  const child = spawn(process.execPath, [run, newer], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  world.processes.push(child);
  let said = '';
  child.stdout.on('data', (data: Buffer) => (said += data.toString()));
  await until(() => Promise.resolve(said.includes('polling')));
}

describe.each(oneOfEachFamily(import.meta.url))('on $name, an upgrade under a load that runs', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  /** An older version runs the load, has done some of it, and is stopped. */
  async function beginOlder(start: () => Promise<unknown>, files: Record<string, string> = {}): Promise<void> {
    const orders = BREAKABLE(2_000, { broken: 0, pause: 0.4, lanes: 1 });
    world = await World.create(server, { ...orders, files: { ...orders.files, ...files } });
    const older = await world.worker({ bundle: olderVersion() });
    await start();
    await until(async () => (await done(world).catch(() => 0)) > 1);
    await older.stop();
  }

  it('fails it, saying so, and the next start rolls back what it left', async () => {
    await beginOlder(() => world.start('core.order'));
    const client = await Waybill.open({ project: world.directory, env: environment(world) });
    world.atClose(() => client.close());
    const follower = await client.follow('core.order');
    await world.worker();
    const { status, error } = await follower.result();
    expect({ status, ...errorView(error) }).toMatchObject({
      status: 'failed',
      type: 'NonDeterminism',
      message: expect.stringContaining('another version of Waybill began this run') as string,
      next: 'start it again: what it left behind is rolled back first: waybill run core.order',
    });
    await mend(world);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
  });

  it('lets a session begin it anew', async () => {
    let session: Awaited<ReturnType<typeof startSession>> | undefined;
    await beginOlder(async () => (session = await startSession(world)), {
      'waybill.yaml': `
name: test
connections:
  source: { url: "\${SOURCE_URL}" }
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 }
sessions: { nightly: { loads: [core.*] } }
`,
    });
    await mend(world);
    await world.worker();
    expect(await sessionEnd(session!)).toMatchObject({ ok: true, result: { status: 'finished' } });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
  });

  it('that stops its workflow is told by status, show and run, and a force begins it anew', async () => {
    await beginOlder(() => world.start('core.order'));
    // A worker that leaves a workflow be which it cannot run: so does ours where an attempt before was lost with its worker.
    const connection = await NativeConnection.connect({ address: world.address });
    const plain = await Worker.create({
      connection,
      namespace: world.namespace,
      taskQueue: TASK_QUEUE,
      workflowBundle: { codePath: bundledWorkflows() },
    });
    const polling = plain.run();
    const stuck = {
      message: expect.stringContaining(
        'its workflow cannot go on: another version of Waybill began this run',
      ) as string,
      next: expect.stringContaining('waybill run core.order --force') as string,
    };
    await until(async () => JSON.stringify(document(await waybill(world, 'status', '--json'))).includes('stuck'));
    expect(document(await waybill(world, 'status', '--json'))).toMatchObject([{ status: 'running', stuck }]);
    expect((await waybill(world, 'status')).stdout).toContain('--force');
    expect(document(await waybill(world, 'show', '1', '--json'))).toMatchObject({ stuck, next: stuck.next });
    const refused = await waybill(world, 'run', 'core.order', '--json');
    expect(refused.exitCode).toBe(4);
    expect(document(refused)).toMatchObject({
      error: { message: expect.stringContaining('its workflow cannot go on') as string, next: stuck.next },
    });
    plain.shutdown();
    await polling;
    await connection.close();
    await mend(world);
    await world.worker();
    expect(await waybill(world, 'run', 'core.order', '--force')).toMatchObject({ exitCode: 0 });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
  });

  it('that brings newer control tables fails no start: what an older worker does not open, another one does', async () => {
    world = await World.create(server, THREE_LOADS());
    await world.write(
      'waybill.yaml',
      `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}" } }
sessions: { nightly: { loads: [core.a, core.b] }, windowed: { loads: [core.c], window: shared } }`,
    );
    await world.warehouse.query('update core.pause set pause = 0');
    await world.worker();
    await world.warehouse.query(NEWER_TABLES);
    const sessions = [await startSession(world), await startSession(world, 'windowed')];
    const waiting = {
      what: 'a newer worker: the control tables on warehouse were made by a newer Waybill',
      heldBy: [],
    };
    const handle = world.client.workflow.getHandle('load/core.a');
    await until(async () => (await handle.query(progressQuery).catch(() => undefined))?.waiting, 30);
    expect(await handle.query(progressQuery)).toMatchObject({ phase: 'opening', waiting });
    await newerWorker(world);
    for (const session of sessions) {
      expect(await sessionEnd(session)).toMatchObject({ ok: true, result: { status: 'finished' } });
    }
    for (const load of ['a', 'b', 'c']) expect(await idsOf(world, load)).toMatchObject(ALL);
  });

  it('that brings newer control tables, and no newer worker, is told after minutes', async () => {
    world = await World.create(server, BREAKABLE(100, { broken: 0 }));
    const bundle = editedWorkflows(/NEWER_WORKER_MS = [^;]+;/, 'NEWER_WORKER_MS = 3000;');
    await world.worker({ bundle });
    await world.warehouse.query(NEWER_TABLES);
    const began = Date.now();
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      type: 'Configuration',
      message: 'the control tables on warehouse were made by a newer Waybill',
      next: 'use the newer version everywhere; control tables are never taken back',
    });
    expect(Date.now() - began).toBeGreaterThan(3_000);
  });

  it('leaves a batch under way to a workflow of an older version, which does not say who it is', async () => {
    world = await World.create(server, BREAKABLE(100, { broken: 0 }));
    const { openBatch, describeBatch } = await activitiesOf(world);
    await openBatch(OPEN_ORDER);
    const batch = { connection: 'warehouse', batchId: '1' };
    expect(await describeBatch(batch)).toMatchObject({ batchId: '1' });
    expect(await describeBatch({ ...batch, firstRunId: 'another run' })).toBeUndefined();
  });
});
