import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import pino from 'pino';
import { parseDocument } from 'yaml';
import { startWorker } from '../src/worker/worker.ts';
import { loadWorkflowId, TASK_QUEUE } from '../src/workflows/messages.ts';
import type { load } from '../src/workflows/load.ts';
import type { Servers } from './servers.ts';
import { Timeline } from './timeline.ts';

const FLIGHTS = fileURLToPath(new URL('../examples/flights/', import.meta.url));

/** Files of a project, by path. */
export type ProjectFiles = Record<string, string>;

/** `waybill.yaml` of a project with the connections `source` and `warehouse`. */
export const waybillYaml = (lanes: number): string => `
name: bench
connections:
  source: { url: "\${SOURCE_URL}", max_connections: 12 }
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 12 }
defaults: { lanes: ${lanes} }
`;

/** The project of examples/flights, cut and run as the case wants, without checks and statistics: bare SQL makes none either. */
export async function flightsProject(options: { lanes: number; chunkRows: number }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-bench-'));
  await cp(join(FLIGHTS, 'loads'), join(folder, 'loads'), { recursive: true });
  await writeFile(join(folder, 'waybill.yaml'), waybillYaml(options.lanes));
  const core = join(folder, 'loads/core/flight.yaml');
  const document = parseDocument(await readFile(core, 'utf8'));
  for (const part of ['checks', 'after']) {
    if (!document.delete(part)) throw new Error(`${core} has no ${part} to leave out`);
  }
  document.setIn(['stages', 1, 'chunk', 'rows'], options.chunkRows);
  await writeFile(core, String(document));
  return folder;
}

export async function projectOf(files: ProjectFiles): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-bench-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

/** Starts loads and reads how long their parts took. */
export class Loads {
  private constructor(private readonly client: Client) {}

  static async connect({ temporal }: Servers): Promise<Loads> {
    const connection = await Connection.connect({ address: temporal.address });
    return new Loads(new Client({ connection, namespace: temporal.namespace }));
  }

  /** Runs a load to its end. `fails`: it has to end as failed, and does so by the case's own doing. */
  async run(name: string, { fails = false } = {}): Promise<Timeline> {
    const handle = await this.start(name);
    const status = await handle.result().then(
      (result) => result.status,
      (error: unknown) => (fails ? 'failed' : Promise.reject(error as Error)),
    );
    if (status !== (fails ? 'failed' : 'finished')) throw new Error(`${name} ended as ${status}`);
    return Timeline.of(handle);
  }

  /** Starts a load and leaves it to itself; `abandon` ends it, whatever it is at. */
  async leave(name: string): Promise<{ abandon(): Promise<void> }> {
    const handle = await this.start(name);
    return { abandon: async () => void (await handle.terminate()) };
  }

  /** Workers that ask for work now. */
  async workers(): Promise<number> {
    const { workflowService } = this.client.connection;
    const { pollers } = await workflowService.describeTaskQueue({
      namespace: this.client.options.namespace,
      taskQueue: { name: TASK_QUEUE },
      taskQueueType: ACTIVITIES,
    });
    return new Set(pollers?.map(({ identity }) => identity)).size;
  }

  close(): Promise<void> {
    return this.client.connection.close();
  }

  private start(name: string): Promise<WorkflowHandle<typeof load>> {
    return this.client.workflow.start<typeof load>('load', {
      workflowId: loadWorkflowId(name),
      taskQueue: TASK_QUEUE,
      args: [{ load: name }],
    });
  }
}

/** `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const ACTIVITIES = 2;

/** A project with a worker in this process, which waits for SQL only while it is measured. */
export interface RunningProject {
  loads: Loads;
  close(): Promise<void>;
}

export async function startProject(
  servers: Servers,
  folder: string,
  urls: { source?: string; warehouse: string },
): Promise<RunningProject> {
  const { address, namespace } = servers.temporal;
  const worker = await startWorker({
    project: folder,
    log: pino({ level: process.env['WAYBILL_BENCH_LOG'] ?? 'silent' }, pino.destination(2)),
    temporal: { address, namespace, connection: { address } },
    env: { ...process.env, SOURCE_URL: urls.source ?? urls.warehouse, WAREHOUSE_URL: urls.warehouse },
  });
  const loads = await Loads.connect(servers);
  return {
    loads,
    close: async () => {
      await worker.stop();
      await loads.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
