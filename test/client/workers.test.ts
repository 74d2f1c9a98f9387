import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, test, vi } from 'vitest';
import { pollingWorkers, requireWorker, workerIdentity } from '../../src/client/workers.ts';
import { until } from '../engine/world.ts';
import { bundledWorkflows } from '../servers.ts';
import { freshNamespace } from '../temporal-servers.ts';

const QUEUE = { name: 'test', taskQueue: 'q' };

/** The number of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid!;
}

test('a worker is taken for gone where its process is known to be, not where another container has its numbers', async () => {
  const [{ address, namespace, release }, gone] = await Promise.all([freshNamespace(), endedProcess()]);
  const client = new Client({ connection: await Connection.connect({ address }), namespace });
  const [, here] = /\((\w+)\)$/.exec(workerIdentity('test'))!;
  const identities = [`${gone}@${hostname()} (${here})`, `${gone}@${hostname()} (0badcafe)`, `${gone}@${hostname()}`];
  // A connection serves one worker of a task queue.
  const connections = await Promise.all(identities.map(() => NativeConnection.connect({ address })));
  const workflowBundle = { codePath: bundledWorkflows() };
  const workers = await Promise.all(
    identities.map((identity, i) =>
      Worker.create({ connection: connections[i]!, namespace, identity, taskQueue: 'q', workflowBundle }),
    ),
  );
  const running = workers.map((worker) => worker.run());
  try {
    await until(async () => (await pollingWorkers(client, QUEUE)).length > 1, 20);
    expect((await pollingWorkers(client, QUEUE)).sort()).toEqual(identities.slice(1).sort());
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await Promise.all(connections.map((connection) => connection.close()));
    await client.connection.close();
    await release();
  }
});

test('a worker that begins to poll is heard of by a client whose clock is ahead, and one that does not poll is named', async () => {
  const { address, namespace, release } = await freshNamespace();
  const client = new Client({ connection: await Connection.connect({ address }), namespace });
  const connection = await NativeConnection.connect({ address });
  const workflowBundle = { codePath: bundledWorkflows() };
  const now = Date.now.bind(Date);
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + 300_000);
  try {
    const heard = requireWorker(client, QUEUE);
    const worker = await Worker.create({ connection, namespace, identity: 'somebody', taskQueue: 'q', workflowBundle });
    const running = worker.run();
    await heard;
    expect(await pollingWorkers(client, QUEUE)).toEqual([]);
    worker.shutdown();
    await running;
    await expect(requireWorker(client, QUEUE)).rejects.toMatchObject({
      message: 'no worker polls task queue q',
      next: expect.stringMatching(
        /^start one: .*\. The last poll was that of somebody, 3\d\d s ago by this machine's clock: if it runs, set the clock right$/,
      ) as string,
    });
  } finally {
    clock.mockRestore();
    await connection.close();
    await client.connection.close();
    await release();
  }
});
