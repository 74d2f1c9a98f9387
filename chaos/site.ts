/** Everything that runs: a database server behind a proxy, Temporal, workers. Each part can be broken, and started again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { ServerName } from '../bench/benchmark.ts';
import { endWithUs, stopProcess } from '../src/dev/server-process.ts';
import { startTemporal, type TemporalServer } from '../src/dev/temporal-server.ts';
import { CommitProxy } from '../test/engine/commit-proxy.ts';
import { startOwnServer, type OwnServer } from '../test/engine/own-server.ts';
import { wordsAt, type ServerWords } from '../test/engine/server-words.ts';
import { AS_THEY_ARE } from '../test/engine/table-names.ts';
import { openTestClient, type TestClient } from '../test/engine/test-client.ts';
import type { Diary } from './diary.ts';
import { SCHEMA, writeProject } from './project.ts';

const NAMES: Record<ServerName, { name: string; url: string }> = {
  postgres: { name: 'PostgreSQL 18', url: 'postgres://' },
  mysql: { name: 'MySQL', url: 'mysql://' },
  mariadb: { name: 'MariaDB', url: 'mariadb://' },
};
const WORKERS = 2;
const ANSWERED_MS = 10_000;

interface Slot {
  name: string;
  child: ChildProcess | undefined;
  /** Nobody starts it before this time. */
  notBefore: number;
  /** It polls, and is not frozen: only then is it worth a fault. */
  works: boolean;
}

export class Site {
  readonly words: ServerWords;
  readonly project: string;
  private readonly slots: Slot[];
  /** Connections that were ended on purpose since the server's last start, and how often it has started. */
  private readonly ended = new Set<string>();
  private starts = 1;
  private isUp = true;
  private closing = false;

  private constructor(
    /** Logs, project, Temporal's file. */
    readonly folder: string,
    private readonly program: string,
    private readonly diary: Diary,
    private readonly server: OwnServer,
    private readonly proxy: CommitProxy,
    private temporal: TemporalServer,
  ) {
    this.words = wordsAt(server.url);
    this.project = join(folder, 'project');
    this.slots = Array.from({ length: WORKERS }, (_, i) => ({
      ...{ name: `worker-${i + 1}`, child: undefined, notBefore: 0, works: false },
    }));
  }

  /** @param program a compiled Waybill (bench/compiled-worker.ts) */
  static async open(server: ServerName, folder: string, program: string, diary: Diary): Promise<Site> {
    mkdirSync(join(folder, 'temporal'), { recursive: true });
    const [own, temporal] = await Promise.all([
      startOwnServer(NAMES[server], { max_connections: '200' }),
      startTemporal({ external: false, dbFilename: temporalFile(folder) }),
    ]);
    const client = await openTestClient(own.url, AS_THEY_ARE);
    await client.query(SCHEMA);
    await client.end();
    // The database of the URL is where names without one are looked up.
    const url = new URL(own.url);
    if (server !== 'postgres') url.pathname = '/src';
    const site = new Site(
      folder,
      program,
      diary,
      { ...own, url: url.href },
      await CommitProxy.create(url.href),
      temporal,
    );
    await writeProject(site.project, server === 'postgres');
    for (const slot of site.slots) site.startWorker(slot);
    void site.keepWorkers();
    return site;
  }

  /** What a command of this project, and a worker, finds in its environment. */
  get environment(): NodeJS.ProcessEnv {
    const { address, namespace } = this.temporal;
    const own = { SOURCE_URL: this.proxy.url, WAREHOUSE_URL: this.proxy.url };
    return { ...process.env, ...own, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
  }

  /** What stands in no message. */
  get password(): string {
    return new URL(this.server.url).password;
  }

  /** Past the proxy. Waits until the server is up. */
  async connect(name = 'chaos'): Promise<TestClient> {
    for (;;) {
      try {
        return await openTestClient(this.server.url, AS_THEY_ARE, name);
      } catch (error) {
        if (this.isUp) this.diary.note(`no connection: ${String(error)}`);
        await sleep(200);
      }
    }
  }

  /** Whether a connection of this number may be gone: it was ended, or the server has stopped since it was this old. */
  mayBeGone(connection: { id: string; starts: number }): boolean {
    return !this.isUp || connection.starts !== this.starts || this.ended.has(connection.id);
  }

  get serverStarts(): number {
    return this.starts;
  }

  async crashDatabase(pauseMs: number): Promise<void> {
    this.isUp = false;
    await this.server.stopAtOnce();
    await sleep(pauseMs);
    await this.server.start();
    this.starts += 1;
    this.ended.clear();
    this.isUp = true;
  }

  async endConnection(by: TestClient, id: string): Promise<void> {
    this.ended.add(id);
    await by.query(this.words.end(id)).catch(() => undefined); // gone by itself, or one of the server's own, or `by`
  }

  /** The next COMMIT of a worker is lost, or its answer is, and for a while nothing passes. */
  async cutCommit(cut: 'lost' | 'unanswered', pauseMs: number): Promise<void> {
    const over = this.proxy
      .cutAtCommit(cut, () => true)
      .catch(() => undefined) // none came
      .then(() => sleep(pauseMs))
      .then(() => this.proxy.resume());
    // An answer never comes when its server has crashed: nothing would pass until the proxy gives up.
    await Promise.race([over, sleep(ANSWERED_MS + pauseMs)]);
    this.proxy.withdraw();
    this.proxy.resume();
  }

  async crashTemporal(pauseMs: number, { forgets }: { forgets: boolean }): Promise<void> {
    const { pid, address } = this.temporal;
    await stopProcess(pid!, [{ signal: 'SIGKILL', waitMs: 10_000 }]);
    await sleep(pauseMs);
    const dbFilename = temporalFile(this.folder);
    if (forgets) for (const end of ['', '-wal', '-shm', '-journal']) await rm(`${dbFilename}${end}`, { force: true });
    this.temporal = await startTemporal({ external: false, dbFilename, port: Number(address.split(':')[1]) });
  }

  async terminate(workflowId: string): Promise<string> {
    const { address, namespace } = this.temporal;
    try {
      const connection = await Connection.connect({ address, connectTimeout: '3s' });
      try {
        await new Client({ connection, namespace }).workflow.getHandle(workflowId).terminate('chaos');
        return 'terminated';
      } finally {
        await connection.close();
      }
    } catch (error) {
      return error instanceof Error ? error.name : String(error);
    }
  }

  /** The workers that work, by name. */
  get workers(): string[] {
    return this.slots.filter(({ works }) => works).map(({ name }) => name);
  }

  killWorker(name: string, pauseMs: number): void {
    const slot = this.slot(name);
    slot.notBefore = Date.now() + pauseMs;
    slot.child?.kill('SIGKILL');
    Object.assign(slot, { child: undefined, works: false });
  }

  async freezeWorker(name: string, ms: number): Promise<void> {
    const slot = this.slot(name);
    const { child } = slot;
    slot.works = false;
    child?.kill('SIGSTOP');
    await sleep(ms);
    child?.kill('SIGCONT');
    slot.works = true;
  }

  /** Until all of them work. */
  async workersWork(): Promise<void> {
    while (this.workers.length < this.slots.length) await sleep(100);
  }

  /** Ends the workers, as one that is well ended: lanes end after their chunk. */
  async stopWorkers(): Promise<void> {
    this.closing = true;
    const ends = this.slots.map(async ({ child, name }) => {
      if (child === undefined) return;
      await stopProcess(child.pid!, [{ signal: 'SIGTERM', waitMs: 30_000 }], () => isRunning(child));
      if (child.signalCode === 'SIGKILL') this.diary.problem(`${name} did not stop within 30 s of its SIGTERM`);
    });
    await Promise.all(ends);
  }

  async close(): Promise<void> {
    this.closing = true;
    for (const { child } of this.slots) child?.kill('SIGKILL');
    await this.proxy.close();
    await Promise.allSettled([this.temporal.stop(), this.server.remove()]);
  }

  private slot(name: string): Slot {
    return this.slots.find((slot) => slot.name === name)!;
  }

  /** As a service manager does. */
  private async keepWorkers(): Promise<void> {
    while (!this.closing) {
      for (const slot of this.slots)
        if (slot.child === undefined && Date.now() >= slot.notBefore) this.startWorker(slot);
      await sleep(200);
    }
  }

  private startWorker(slot: Slot): void {
    const child = spawn(process.execPath, [this.program, '--project', this.project, 'worker'], {
      env: this.environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (said: Buffer) => {
      appendFileSync(join(this.folder, `${slot.name}.log`), said);
      if (slot.child === child && said.includes('the worker polls')) slot.works = true;
    });
    slot.child = child;
    const watchdog = endWithUs(child.pid!, 'SIGKILL'); // also when somebody kills us, and while it is frozen
    child.on('exit', (code, signal) => {
      watchdog.dismiss();
      if (slot.child !== child || this.closing) return; // we have killed it
      Object.assign(slot, { child: undefined, works: false, notBefore: Date.now() + 1_000 });
      this.diary.workerEnded(slot.name, code, signal);
    });
  }
}

const temporalFile = (folder: string): string => join(folder, 'temporal', 'temporal.db');

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;
