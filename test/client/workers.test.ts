import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { pollingWorkers, workerIdentity } from '../../src/client/workers.ts';
import { until } from '../engine/world.ts';
import { bundledWorkflows, freshNamespace, temporalAddress } from '../servers.ts';

/** The number of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid!;
}

test('a worker is taken for gone where its process is known to be, not where another container has its numbers', async () => {
  const [address, namespace, gone] = [temporalAddress(), await freshNamespace(), await endedProcess()];
  const client = new Client({ connection: await Connection.connect({ address }), namespace });
  const [, here] = /\((\w+)\)$/.exec(workerIdentity())!;
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
    await until(async () => (await pollingWorkers(client, 'q')).length > 1, 20);
    expect((await pollingWorkers(client, 'q')).sort()).toEqual(identities.slice(1).sort());
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await Promise.all(connections.map((connection) => connection.close()));
    await client.connection.close();
  }
});
