import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { expect, test, vi } from 'vitest';
import { Waybill } from '../../src/client/index.ts';
import { BASE_PROJECT, ENVIRONMENT, withProject } from '../config/project-folder.ts';
import { freshNamespace } from '../temporal-servers.ts';
import { until } from '../engine/world.ts';

/** A way to a server that can be cut, and mended. */
class Wire {
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((client) => {
    const [hostname, port] = this.to.split(':');
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  });
  private port = 0;

  constructor(private readonly to: string) {}

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async mend(): Promise<void> {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  async cut(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

/** A run that nobody works on, and the way to its server. */
async function startedRun(): Promise<{
  run: WorkflowHandle;
  wire: Wire;
  namespace: string;
  close: () => Promise<void>;
}> {
  const { address, namespace, release } = await freshNamespace();
  const wire = new Wire(address);
  await wire.mend();
  const client = new Client({ connection: await Connection.connect({ address }), namespace });
  const args = [{ load: 'core.flight' }];
  const run = await client.workflow.start('load', { workflowId: 'load/core.flight', taskQueue: 'q', args });
  const close = async (): Promise<void> => {
    await client.connection.close();
    await release();
  };
  return { run, wire, namespace, close };
}

test('Temporal may be away more than once while a run is followed, be it an hour after the first time', async () => {
  const { run, wire, namespace, close } = await startedRun();
  // Without what tries a call again for 20 s: each outage comes to the follower at once.
  const connection = { address: wire.address, interceptors: [] };
  const answers = async (): Promise<boolean> => {
    const again = await Connection.connect({ ...connection, connectTimeout: 1_000 }).catch(() => undefined);
    await again?.close();
    return again !== undefined;
  };
  let ahead = 0;
  const now = Date.now.bind(Date);
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + ahead);
  try {
    await withProject(BASE_PROJECT, async (project) => {
      const temporal = { connection, namespace, address: wire.address };
      const waybill = await Waybill.open({ project, env: ENVIRONMENT, temporal });
      let end: unknown;
      const ended = (await waybill.follow('core.flight')).result().then(
        (result) => (end = result),
        (error: unknown) => (end = error),
      );
      for (let outage = 1; outage <= 2; outage += 1) {
        await wire.cut();
        await sleep(2_000);
        await wire.mend();
        await until(answers, 20);
        await sleep(5_000); // it asks again after a second, and its connection is made anew some seconds later
        expect(end, `outage ${outage}`).toBeUndefined();
        ahead += 3_600_000;
      }
      await run.terminate('by a test');
      await ended;
      expect(end).toMatchObject({ status: 'failed', error: { type: 'Terminated' } });
      await waybill.close();
    });
  } finally {
    clock.mockRestore();
    await wire.cut();
    await close();
  }
});

test('who leaves a run while Temporal is away leaves no question behind that ends the process', async () => {
  const { run, wire, namespace, close } = await startedRun();
  const uncaught: unknown[] = [];
  const hear = (error: unknown): void => void uncaught.push(error);
  process.prependListener('uncaughtException', hear);
  try {
    await withProject(BASE_PROJECT, async (project) => {
      const temporal = { connection: { address: wire.address }, namespace, address: wire.address };
      const waybill = await Waybill.open({ project, env: ENVIRONMENT, temporal });
      const follower = await waybill.follow('core.flight');
      const ended = follower.result().catch((error: unknown) => error);
      await follower.look();
      await wire.cut();
      await sleep(1_000);
      await follower.look();
      await waybill.close();
      const closed = Date.now();
      await expect(ended).resolves.toBeInstanceOf(Error);
      expect(Date.now() - closed).toBeLessThan(15_000); // the next time that the call is tried again, and a second
    });
    await sleep(25_000); // as long as calls are tried again
    expect(uncaught).toEqual([]);
  } finally {
    process.off('uncaughtException', hear);
    await run.terminate('by a test');
    await close();
  }
});
