/**
 * The real servers that `global-setup.ts` started, for tests: `describe.each(servers)('claiming a chunk on $name', …)`. The
 * server's name belongs into the title: the count at the end of a run goes by it.
 */
import { randomBytes } from 'node:crypto';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { Pool } from 'pg';
import { inject } from 'vitest';
import type { TestServer } from './global-setup.ts';

export type { TestServer } from './global-setup.ts';

/** Every PostgreSQL of this run: 18 always, 15 where it is installed. */
export const servers: TestServer[] = inject('postgresServers');

export interface FreshDatabase {
  url: string;
  name: string;
  /** What the names of further databases of the same test begin with, where one schema is one database. */
  prefix: string;
  /** Ends all its sessions and drops it. Servers end with the run, so a test that fails may leave its database. */
  drop(): Promise<void>;
}

/**
 * A new, empty database on the server, of a name that no other test has. PostgreSQL copies its files, which takes a third of
 * what it takes to write them to the log.
 */
export async function freshDatabase(server: TestServer): Promise<FreshDatabase> {
  const prefix = `t${randomBytes(4).toString('hex')}_`;
  const name = `${prefix}db`;
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  const database = { url: url.href, name, prefix };
  if (!server.url.startsWith('postgres')) {
    await onMysql(server, (connection) => connection.query(`create database ${name}`));
    return { ...database, drop: () => onMysql(server, (connection) => dropWithPrefix(connection, prefix)) };
  }
  await asSuperuser(server, `create database ${name} strategy file_copy`);
  return { ...database, drop: () => asSuperuser(server, `drop database if exists ${name} with (force)`) };
}

async function dropWithPrefix(connection: Connection, prefix: string): Promise<void> {
  const [rows] = await connection.query<RowDataPacket[]>(
    'select schema_name as name from information_schema.schemata where left(schema_name, ?) = ?',
    [prefix.length, prefix],
  );
  for (const { name } of rows) await connection.query(`drop database ${String(name)}`);
}

async function onMysql(server: TestServer, work: (connection: Connection) => Promise<unknown>): Promise<void> {
  const connection = await createConnection(server.url.replace(/^mariadb:/, 'mysql:'));
  try {
    await work(connection);
  } finally {
    await connection.end();
  }
}

/** The file that has the run's bundled workflows. */
export function bundledWorkflows(): string {
  return inject('workflowBundle');
}

/** What Node is to run for a worker process. */
export function workerProcess(): string[] {
  return inject('workerProcess');
}

/** The program of the run's compiled command line. */
export function compiledCli(): string {
  return inject('cli');
}

const superusers = new Map<string, Pool>();

/** One connection a server serves all tests of this process: another one takes 12 ms of a processor. */
async function asSuperuser({ url }: TestServer, sql: string): Promise<void> {
  let pool = superusers.get(url);
  if (!pool) {
    pool = new Pool({ connectionString: url, max: 1, idleTimeoutMillis: 0, allowExitOnIdle: true });
    pool.on('error', () => undefined); // the server is stopped, as some tests do with their own
    superusers.set(url, pool);
  }
  await pool.query(sql);
}
