/** Two projects in one Temporal namespace, with loads of the same names: neither does, hears of or steers what is the other's. */
import { once } from 'node:events';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, vi } from 'vitest';
import { document, waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { bundledWorkflows } from '../servers.ts';
import { freshNamespace, type FreshNamespace } from '../temporal-servers.ts';
import { ORDERS, SLOW_SQL, expectWhole, type OrdersOptions } from './orders.ts';
import { ended, until, World } from './world.ts';

const text = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

const ADVICE = 'give one of the two projects a task_queue or a namespace of its own: see docs/cli.md';

describe.each(oneOfEachFamily(import.meta.url))(
  'two projects in one namespace on $name',
  { timeout: 180_000 },
  (server) => {
    const it = inTurns(import.meta.url, server);
    let temporal: FreshNamespace;
    let worlds: World[] = [];
    beforeEach(async () => {
      temporal = await freshNamespace();
    });
    afterEach(async () => {
      await Promise.all(worlds.map((world) => world.close()));
      worlds = [];
      await temporal.release();
    });

    async function project(
      name: string,
      rows: number,
      options: OrdersOptions & { queue?: string } = {},
    ): Promise<World> {
      const { files, ...rest } = ORDERS(rows, options);
      const yaml = `
name: ${name}
${options.queue === undefined ? '' : `task_queue: ${options.queue}`}
connections:
  source: { url: "\${SOURCE_URL}" }
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 }
sessions: { nightly: { loads: [ core.* ] } }
`;
      const world = await World.create(server, { ...rest, temporal, files: { ...files, 'waybill.yaml': yaml } });
      worlds.push(world);
      return world;
    }

    /** Polls as a worker of this name does, and knows nothing. */
    async function poller(world: World, identity: string): Promise<{ stop: () => Promise<void> }> {
      const connection = await NativeConnection.connect({ address: world.address });
      const worker = await Worker.create({
        connection,
        namespace: world.namespace,
        taskQueue: 'waybill',
        identity,
        workflowBundle: { codePath: bundledWorkflows() },
      });
      const running = worker.run();
      let stopped: Promise<void> | undefined;
      const stop = (): Promise<void> =>
        (stopped ??= (async () => {
          worker.shutdown();
          await running;
          await connection.close();
        })());
      world.atClose(stop);
      await until(async () => (await pollers(world)).includes(identity));
      return { stop };
    }

    async function pollers({ client, namespace }: World): Promise<string[]> {
      const asked = { namespace, taskQueue: { name: 'waybill' }, taskQueueType: 1 };
      const found = await client.workflowService.describeTaskQueue(asked);
      return (found.pollers ?? []).map(({ identity }) => identity ?? '');
    }

    /** What a worker takes for now, while `work` runs. */
    async function later<T>(ms: number, work: () => Promise<T>): Promise<T> {
      const now = Date.now.bind(Date);
      const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + ms);
      try {
        return await work();
      } finally {
        clock.mockRestore();
      }
    }

    async function expectUntouched(world: World, rows: number): Promise<void> {
      expect(await world.value('select count(*) from acq.orders')).toBe(String(rows));
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      expect(await world.states('core.order')).toEqual([]);
    }

    it('a worker does not begin to poll the task queue of another project, until that one’s workers are gone', async () => {
      const [aa, bb] = [await project('aa', 10), await project('bb (of us)', 20)];
      const theirs = await bb.workerProcess();
      await until(async () => (await pollers(bb)).length > 0); // it says that it polls, and then does
      await expect(aa.worker()).rejects.toMatchObject({
        name: 'ConfigurationError',
        exitCode: 2,
        message: 'task queue waybill is polled by workers of project bb (of us)',
        where: text(/^Temporal namespace .*, worker \d+@.*, project bb \(of us\)/),
        next: ADVICE,
      });
      const cli = await waybill(aa, 'worker');
      expect(cli).toMatchObject({ exitCode: 2, stderr: text(/task queue waybill is polled by workers of project bb/) });
      expect(await aa.exists('waybill.batch')).toBe(false);
      const run = await waybill(aa, 'run', 'core.order', '--json');
      expect(run.exitCode).toBe(5);
      expect(document(run)).toMatchObject({
        error: {
          message: 'no worker of project aa polls task queue waybill, but workers of project bb (of us) do',
          next: text(/^give one of the two projects a task_queue.*; then start one: waybill worker/),
        },
      });
      const exit = once(theirs, 'exit');
      theirs.kill('SIGTERM');
      await exit;
      await aa.worker();
      expect(await waybill(aa, 'run', 'core.order')).toMatchObject({ exitCode: 0 });
      await expectWhole(aa);
      expect(await bb.value('select count(*) from acq.orders')).toBe('20');
    });

    it('one of which nobody sees whether it lives is taken for alive once it polls anew, and for gone when it is silent', async () => {
      const aa = await project('aa', 10);
      const before = await poller(aa, '7@of-an-older-version (0badcafe)');
      const elsewhere = await poller(aa, '7@elsewhere, project bb (0badcafe)');
      const starting = aa.worker();
      starting.catch(() => undefined);
      // What it does not know makes it answer, and ask for more.
      const { client } = aa;
      let n = 0;
      const poke = setInterval(() => {
        const workflowId = `unknown ${(n += 1)}`;
        client.workflow.start('unknown', { workflowId, taskQueue: 'waybill' }).catch(() => undefined);
      }, 500);
      try {
        await expect(starting).rejects.toMatchObject({
          message: 'task queue waybill is polled by workers of project bb',
          where: text(/worker 7@elsewhere, project bb \(0badcafe\)$/),
        });
      } finally {
        clearInterval(poke);
      }
      await elsewhere.stop();
      await later(80_000, () => aa.worker());
      await before.stop();
      expect(await waybill(aa, 'run', 'core.order')).toMatchObject({ exitCode: 0 });
    });

    it('where both poll all the same, each load is done in its own project’s databases, or refused', async () => {
      const [aa, bb] = [await project('aa', 1_000), await project('bb', 20)];
      await bb.worker();
      await later(300_000, () => aa.worker());
      const run = async (world: World): Promise<void> => {
        for (
          let tries = 0;
          !(await world.states('core.order').catch((): string[] => [])).includes('published');
          tries += 1
        ) {
          expect(tries, 'runs of which none came to a worker of its project').toBeLessThan(30);
          const answer = await waybill(world, 'run', tries % 2 === 0 ? 'core.order' : 'nightly', '--json');
          if (answer.exitCode === 0) continue;
          expect(answer).toMatchObject({
            exitCode: 1,
            stderr: text(/came to a worker of project .*which has left it alone/),
          });
          expect(answer.stderr).toContain(ADVICE);
        }
      };
      await run(aa);
      await expectWhole(aa);
      await expectUntouched(bb, 20);
      await run(bb);
      await expectWhole(bb);
      expect(await aa.states('core.order')).toEqual(['published']);
    });

    it('work under way that comes to a worker of another project is left alone, and waits for one of its own', async () => {
      const [aa, bb] = [await project('aa', 10), await project('bb', 20)];
      await bb.worker();
      expect(await waybill(bb, 'run', 'core.order')).toMatchObject({ exitCode: 0 });
      await bb.warehouse.query('insert into acq.orders table kept.orders');
      // As if a run of aa went on in another run: batch 1 of bb is another batch.
      const batch = { connection: 'warehouse', batchId: '1' };
      const handle = await aa.start({
        load: 'core.order',
        project: 'aa',
        continued: { batch, attempt: 1, paused: false, runs: 1 },
      });
      const waiting = await until(async () => {
        const { raw } = await handle.describe();
        return raw.pendingActivities?.find(({ attempt, lastFailure }) => lastFailure && (attempt ?? 0) > 2);
      });
      expect(waiting).toMatchObject({
        activityType: { name: 'describeBatch' },
        lastFailure: {
          message:
            'work of project aa came to a worker of project bb, which has left it alone: both poll one task queue',
        },
      });
      await handle.terminate('the test');
      expect(await bb.states('core.order')).toEqual(['published']);
      expect(await bb.value('select count(*) from acq.orders')).toBe('20');
    });

    it('a load of the same name that runs for the other is neither followed, forced nor cancelled', async () => {
      const [aa, bb] = [await project('aa', 10), await project('bb', 20, { queue: 'bb', lanes: 1, sql: SLOW_SQL(6) })];
      await Promise.all([aa.worker(), bb.worker()]);
      expect(await waybill(bb, 'run', 'core.order', '--detach')).toMatchObject({ exitCode: 0 });
      for (const flag of [[], ['--attach'], ['--force']]) {
        const answer = await waybill(aa, 'run', 'core.order', '--json', ...flag);
        expect(answer.exitCode).toBe(4);
        expect(document(answer)).toMatchObject({
          error: {
            message: text(/^core\.order is running already, since .*, for project bb$/),
            next: text(/^wait until it is over; .*a namespace of its own/),
          },
        });
      }
      for (const command of ['cancel', 'pause']) {
        expect(await waybill(aa, command, 'core.order')).toMatchObject({
          exitCode: 1,
          stderr: text(/what runs under its name is project bb's, and was left alone/),
        });
      }
      // A session waits for it, as for any run of a load that it needs.
      expect(await waybill(aa, 'run', 'nightly')).toMatchObject({ exitCode: 0 });
      expect(await bb.states('core.order')).toEqual(['published']);
      await Promise.all([expectWhole(aa), expectWhole(bb)]);
    });

    it('whose a run is goes with it, into the loads of a session and the runs that continue it', async () => {
      const aa = await project('aa', 3_000, { rows: 100, byKey: true, lanes: 1, sql: SLOW_SQL(0.3) });
      await aa.worker({ historyLimit: 12 });
      const inputs = async (workflowId: string): Promise<unknown[]> => {
        const found: unknown[] = [];
        for await (const { runId } of aa.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
          const { events } = await aa.client.workflow.getHandle(workflowId, runId).fetchHistory();
          const [payload] = events![0]!.workflowExecutionStartedEventAttributes!.input!.payloads!;
          found.push(JSON.parse(Buffer.from(payload!.data!).toString()));
        }
        return found;
      };
      // Started by hand, without a word of it: the worker that answers first says it.
      const session = await aa.client.workflow.start('session', {
        ...{ workflowId: 'session/nightly', taskQueue: 'waybill', args: [{ session: 'nightly' }] },
      });
      await session.result();
      await until(async () => (await inputs('load/core.order')).length > 1);
      for (const input of await inputs('load/core.order')) expect(input).toMatchObject({ project: 'aa' });
      await aa.warehouse.query('insert into acq.orders table kept.orders');
      expect(await ended(await aa.start('core.order'))).toMatchObject({ ok: true });
      const named = (await inputs('load/core.order')).filter((input) => !('project' in (input as object)));
      expect(named).toEqual([{ load: 'core.order' }]);
      const { events } = await aa.client.workflow.getHandle('load/core.order').fetchHistory();
      const unnamed = (events ?? [])
        .flatMap(({ activityTaskScheduledEventAttributes: activity }) => activity ?? [])
        .filter(({ header }) => header?.fields?.['waybill-project'] === undefined)
        .map(({ activityType }) => activityType?.name);
      expect(unnamed).toEqual([]);
    });
  },
);
