/**
 * A project with its databases, a Temporal namespace and workers, for one test: everything real. `close()` stops what was
 * started.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle, type WorkflowOptions } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import pino from 'pino';
import { startWorker, type RunningWorker, type WorkerOptions } from '../../src/worker/worker.ts';
import { loadWorkflowId, TASK_QUEUE, type LoadInput, type LoadResult } from '../../src/workflows/messages.ts';
import type { load } from '../../src/workflows/load.ts';
import { asMysql } from './as-mysql.ts';
import { wordsAt, type ServerWords } from './server-words.ts';
import { AS_THEY_ARE, PrefixedNames, type TableNames } from './table-names.ts';
import { openTestClient, type TestClient } from './test-client.ts';
import { bundledWorkflows, freshDatabase, workerProcess, type TestServer } from '../servers.ts';
import { freshNamespace, type FreshNamespace } from '../temporal-servers.ts';

export interface WorldOptions {
  /** Files of the project, by path. `waybill.yaml` has a default with connections `source` and `warehouse`. */
  files: Record<string, string>;
  /** SQL that makes the warehouse's (and the source's) tables. */
  warehouse?: string;
  /** The source's may be the servers' own. */
  source?: string | Record<ServerWords['family'], string>;
  /** What the warehouse needs besides, and only the servers' own SQL can say. */
  own?: Record<ServerWords['family'], string>;
  /** Default: a namespace of its own. */
  temporal?: { address: string; namespace: string };
}

/** How a load ended: its result, or its failure. */
export type Ended =
  | { ok: true; result: LoadResult }
  | { ok: false; type: string; message: string; where?: string | undefined; next?: string | undefined };

const WAYBILL_YAML = `
name: test
connections:
  source: { url: "\${SOURCE_URL}" }
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 }
defaults: { lanes: 2 }
`;

export class World {
  readonly workers: RunningWorker[] = [];
  readonly processes: ChildProcess[] = [];
  private readonly others: TestClient[] = [];

  private constructor(
    readonly directory: string,
    readonly env: NodeJS.ProcessEnv,
    /** What its servers say each in their own way: the warehouse's, and the source's. */
    readonly words: ServerWords,
    readonly sourceWords: ServerWords,
    readonly names: TableNames,
    private readonly sourceNames: TableNames,
    /** Connections of the test's own; bigints are text. */
    public warehouse: TestClient,
    readonly source: TestClient,
    readonly client: Client,
    readonly address: string,
    readonly namespace: string,
    private readonly drops: (() => Promise<void>)[],
  ) {}

  /**
   * On any server: what stands in `options` is SQL as PostgreSQL reads it (as-mysql.ts). Where the source is on another server,
   * SQL in the project's files is the warehouse's.
   */
  static async create(server: TestServer, options: WorldOptions, sourceServer = server): Promise<World> {
    const [words, sourceWords] = [wordsAt(server.url), wordsAt(sourceServer.url)];
    const [warehouse, source, { address, namespace, connection, release }] = await Promise.all([
      freshDatabase(server),
      freshDatabase(sourceServer),
      options.temporal ? connected(options.temporal) : freshNamespace(),
    ]);
    const names = words.family === 'postgres' ? AS_THEY_ARE : new PrefixedNames(warehouse.prefix);
    const othersNames = sourceWords.family === 'postgres' ? AS_THEY_ARE : new PrefixedNames(source.prefix);
    const sourceNames = sourceServer === server ? names : othersNames;
    const clients = await Promise.all([openTestClient(warehouse.url, names), openTestClient(source.url, sourceNames)]);
    if (options.warehouse) await clients[0].query(options.warehouse);
    if (options.own) await clients[0].query(options.own[words.family]);
    const onSource = typeof options.source === 'object' ? options.source[sourceWords.family] : options.source;
    if (onSource) await clients[1].query(onSource);
    const client = new Client({ connection, namespace });
    const env = { ...process.env, SOURCE_URL: source.url, WAREHOUSE_URL: warehouse.url };
    const directory = await mkdtemp(join(tmpdir(), 'waybill-test-'));
    const drops = [() => warehouse.drop(), () => source.drop(), release];
    const world = new World(
      directory,
      env,
      words,
      sourceWords,
      names,
      sourceNames,
      ...clients,
      client,
      address,
      namespace,
      drops,
    );
    const files = { 'waybill.yaml': WAYBILL_YAML, ...options.files };
    for (const path of Object.keys(files)) names.learnFile(path);
    for (const [path, text] of Object.entries(files)) await world.write(path, text);
    return world;
  }

  /** One more connection of the test's own. */
  async another(side: 'warehouse' | 'source', name = 'test'): Promise<TestClient> {
    const client =
      side === 'source'
        ? await openTestClient(this.env['SOURCE_URL']!, this.sourceNames, name)
        : await openTestClient(this.env['WAREHOUSE_URL']!, this.names, name);
    this.others.push(client);
    return client;
  }

  /** The test's own connection to the warehouse, anew: its server was restarted. */
  async reconnect(): Promise<void> {
    this.warehouse = await this.another('warehouse');
  }

  /** Writes a file of the project, with the names and the SQL of its server. */
  async write(path: string, text: string): Promise<void> {
    const file = join(this.directory, path);
    this.names.learnFile(path);
    await mkdir(dirname(file), { recursive: true });
    const named = this.sourceNames === this.names ? text : this.sourceNames.into(text);
    const known = this.words.family === 'postgres' ? named : asMysql(this.names.into(named));
    await writeFile(file, path === 'waybill.yaml' ? this.names.intoProject(known) : known);
  }

  /** A worker inside this process. */
  async worker(options: Partial<WorkerOptions> = {}): Promise<RunningWorker> {
    const worker = await startWorker({
      project: this.directory,
      log: pino({ level: process.env['WAYBILL_TEST_LOG'] ?? 'silent' }),
      temporal: { address: this.address, namespace: this.namespace, connection: { address: this.address } },
      env: this.env,
      bundle: { codePath: bundledWorkflows() },
      // A test that looks while one chunk waits counts on all others: those that share a transaction with it would wait, too.
      mostShared: 1,
      ...options,
    });
    this.workers.push(worker);
    return worker;
  }

  /** A worker in a process of its own, which can be killed or frozen. Resolves once it polls. */
  async workerProcess(env: NodeJS.ProcessEnv = {}): Promise<ChildProcess> {
    const child = this.spawnWorker({ TEMPORAL_DEBUG: '', ...env }); // its workflows in a thread, as in production
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (data: Buffer) => data.toString().includes('polling') && resolve());
      child.on('exit', (code) => reject(new Error(`the worker process ended with ${code}`)));
    });
    return child;
  }

  /** The same, not waited for: it may die before it polls, or lives for seconds. `env`: where it dies (crash/points.ts). */
  spawnWorker(env: NodeJS.ProcessEnv = {}): ChildProcess & { stdout: Readable } {
    const child = spawn(process.execPath, workerProcess(), {
      env: {
        ...this.env,
        WAYBILL_TEST_PROJECT: this.directory,
        WAYBILL_TEST_BUNDLE: bundledWorkflows(),
        TEMPORAL_ADDRESS: this.address,
        TEMPORAL_NAMESPACE: this.namespace,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.processes.push(child);
    return child;
  }

  /** `options`: what whoever starts it may ask of Temporal besides. */
  async start(
    input: LoadInput | string,
    options: Pick<WorkflowOptions, 'workflowRunTimeout'> = {},
  ): Promise<WorkflowHandle<typeof load>> {
    const request = typeof input === 'string' ? { load: input } : input;
    return this.client.workflow.start<typeof load>('load', {
      workflowId: loadWorkflowId(request.load),
      taskQueue: TASK_QUEUE,
      args: [request],
      ...options,
    });
  }

  /** Starts a load and waits for its end. */
  async run(input: LoadInput | string): Promise<Ended> {
    return this.sourceNames.outOf(this.names.outOf(await ended(await this.start(input))));
  }

  /** Rows of a query on the warehouse. */
  async rows<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    // InnoDB makes this list anew only when nobody has looked at it for a tenth of a second.
    if (text.includes('innodb_trx')) await new Promise((done) => setTimeout(done, 150 + 150 * Math.random()));
    // PostgreSQL shows a transaction who was there when it first asked: none that has connected since.
    if (text.includes('pg_stat_activity')) await this.warehouse.query('select pg_stat_clear_snapshot()');
    return (await this.warehouse.query<Row>(text, values)).rows;
  }

  /** First column of the first row. */
  async value(text: string, values: readonly unknown[] = []): Promise<unknown> {
    const [row] = await this.rows<Record<string, unknown>>(text, values);
    return row && Object.values(row)[0];
  }

  /** Whether a table of this name is there. */
  async exists(table: string): Promise<boolean> {
    return (await this.value(this.words.exists, this.partsOf(table))) === true;
  }

  /** Which table has this name now. */
  identity(table: string): Promise<unknown> {
    return this.value(this.words.identity, this.partsOf(table));
  }

  private partsOf(table: string): string[] {
    return [...this.names.into(table).matchAll(/"([^"]*)"|(\w+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
  }

  /** How many connections these words mean. */
  async count(connections: string): Promise<number> {
    return (await this.rows(connections)).length;
  }

  /** Ends the connections that these words mean, and waits until they are gone; how many. */
  async end(connections: string, on = this.warehouse): Promise<number> {
    const words = on === this.source ? this.sourceWords : this.words;
    const ids = (await on.query<{ id: number | string }>(connections)).rows.map(({ id }) => String(id));
    for (const id of ids) await on.query(words.end(id)).catch(() => undefined); // gone by itself
    await until(async () => {
      const { rows: left } = await on.query<{ id: number | string }>(words.connections);
      return left.every(({ id }) => !ids.includes(String(id)));
    });
    return ids.length;
  }

  async states(load: string): Promise<string[]> {
    const rows = await this.rows<{ state: string }>(
      'select state from waybill.batch where load_name = $1 order by batch_id',
      [load],
    );
    return rows.map((row) => row.state);
  }

  /** What a test has started besides, to be ended when all that uses it has. */
  atClose(end: () => Promise<void>): void {
    this.drops.push(end);
  }

  async close(): Promise<void> {
    for (const child of this.processes) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGCONT');
        child.kill('SIGKILL');
      }
    }
    await Promise.allSettled(this.workers.map((worker) => worker.stop()));
    await Promise.allSettled([this.warehouse, this.source, ...this.others].map((client) => client.end()));
    await Promise.allSettled(this.drops.map((drop) => drop()));
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function connected(at: { address: string; namespace: string }): Promise<FreshNamespace> {
  const connection = await Connection.connect({ address: at.address });
  return { ...at, connection, release: () => connection.close() };
}

/** Waits for the end of a load. A test that fails before it comes to wait for this leaves no rejection behind that nobody handles. */
export function ended(handle: WorkflowHandle<typeof load>): Promise<Ended> {
  const end = endOf(handle);
  end.catch(() => undefined);
  return end;
}

async function endOf(handle: WorkflowHandle<typeof load>): Promise<Ended> {
  try {
    return { ok: true, result: await handle.result() };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof CancelledFailure) return { ok: false, type: 'Canceled', message: cause.message };
    if (cause instanceof ApplicationFailure) {
      const details = (cause.details?.[0] ?? {}) as { where?: string; next?: string };
      return { ok: false, type: cause.type ?? '', message: cause.message, ...details };
    }
    return { ok: false, type: cause?.name ?? 'unknown', message: cause?.message ?? '' };
  }
}

/** Waits until `probe` gives something; fails after `seconds`. */
export async function until<T>(probe: () => Promise<T | undefined | false | null>, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`nothing came of it within ${seconds} s: ${probe.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
