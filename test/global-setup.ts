import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../src/dev/postgres-server.ts';
import { systemPostgres15 } from '../src/dev/postgres-binaries.ts';
import { findTemporal } from '../src/dev/temporal-binary.ts';
import { bundle } from '../src/worker/workflow-bundle.ts';
import { compileCli } from './compile-cli.ts';
import { compileWorkerProcess } from './compile-worker.ts';
import { offerMysql, type MysqlTestServer } from './mysql-on-demand.ts';

/** A real PostgreSQL that the tests run against. */
export interface TestServer {
  /** As it stands in the titles of tests, and in the count at the end: `PostgreSQL 18`. */
  name: string;
  /** Its superuser, in the database `postgres`. Tests use `freshDatabase`. */
  url: string;
}

/** A server that should have been there. */
export interface MissingServer {
  name: string;
  reason: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    postgresServers: TestServer[];
    missingServers: MissingServer[];
    /** Filled when a test file asks for them at `mysqlOnDemand`: see mysql-servers.ts. */
    mysqlServers: MysqlTestServer[];
    missingMysqlServers: MissingServer[];
    mysqlOnDemand: string;
    /** File with the bundled workflows: bundled once for the whole run. */
    workflowBundle: string;
    /** What Node runs for a worker process, which tests kill and freeze. */
    workerProcess: string[];
    /** The compiled command line, for tests that start it as a process. */
    cli: string;
    /** Decides which crash points a run takes; `all`: every one (npm run test:all). */
    seed: { value: string; all: boolean };
  }
}

/**
 * Fast, with the semantics of the real thing: commits, locks and crashes of sessions behave as ever; only a crash of the
 * whole machine would lose data, and no test does that.
 */
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  wal_level: 'logical',
  // Deadlock tests need not wait for a second each.
  deadlock_timeout: '500ms',
};

/**
 * One of each PostgreSQL for the whole run, and MySQL and MariaDB once a test asks for them. They end with it, even when it is
 * killed. Of Temporal only the program: temporal-servers.ts starts it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const has15 = systemPostgres15() !== undefined;
  const directory = await mkdtemp(join(tmpdir(), 'waybill-test-bundle-'));
  const workflowBundle = join(directory, 'workflows.js');
  const [postgres18, postgres15, workerProcess, mysql, cli] = await Promise.all([
    startPostgres({ version: 'embedded', settings: SETTINGS }),
    has15 ? startPostgres({ version: '15', settings: SETTINGS }) : undefined,
    compileWorkerProcess(),
    offerMysql(project),
    bundle().then(async ({ code }) => {
      await writeFile(workflowBundle, code);
      return compileCli(code);
    }),
    // Downloaded where need be: once, not by each test process.
    findTemporal({ external: false, onProgress: (message) => console.log(message) }),
  ]);
  const missing: MissingServer[] = [];
  if (postgres15 === undefined) {
    missing.push({ name: 'PostgreSQL 15', reason: 'not installed (Debian: apt-get install postgresql-15)' });
  }
  project.provide('workflowBundle', workflowBundle);
  project.provide('workerProcess', workerProcess.run);
  project.provide('cli', cli.main);
  const seed = process.env['WAYBILL_TEST_SEED'] ?? randomBytes(4).toString('hex');
  console.log(`Crash points, and the servers of the longest files, by seed: WAYBILL_TEST_SEED=${seed}`);
  project.provide('seed', { value: seed, all: process.env['WAYBILL_TEST_LONG'] === '1' });
  project.provide('postgresServers', [
    { name: 'PostgreSQL 18', url: postgres18.url() },
    ...(postgres15 === undefined ? [] : [{ name: 'PostgreSQL 15', url: postgres15.url() }]),
  ]);
  project.provide('missingServers', missing);
  return async () => {
    await Promise.all([postgres18.stop(), postgres15?.stop(), mysql.stop(), workerProcess.remove(), cli.remove()]);
    await rm(directory, { recursive: true, force: true });
  };
}
