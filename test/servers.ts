/**
 * The real servers that `global-setup.ts` started, for tests: `describe.each(servers)('claiming a chunk on $name', …)`. The
 * server's name belongs into the title: the count at the end of a run goes by it.
 */
import { randomBytes } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { Client } from 'pg';
import { inject } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../src/workflows/messages.ts';
import type { TestServer } from './global-setup.ts';

export type { TestServer } from './global-setup.ts';

/** Every PostgreSQL of this run: 18 always, 15 where it is installed. */
export const servers: TestServer[] = inject('postgresServers');

export interface FreshDatabase {
  url: string;
  name: string;
  /** Ends all its sessions and drops it. Servers end with the run, so a test that fails may leave its database. */
  drop(): Promise<void>;
}

/** A new, empty database on the server, of a name that no other test has. Copying files takes a third of what writing them to the log does. */
export async function freshDatabase(server: TestServer): Promise<FreshDatabase> {
  const name = `t_${process.pid}_${randomBytes(5).toString('hex')}`;
  await asSuperuser(server, `create database ${name} strategy file_copy`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return { url: url.href, name, drop: () => asSuperuser(server, `drop database if exists ${name} with (force)`) };
}

/** `host:port` of the run's Temporal. */
export function temporalAddress(): string {
  return inject('temporal').address;
}

/** The file that has the run's bundled workflows. */
export function bundledWorkflows(): string {
  return inject('workflowBundle');
}

/** The file that has the run's worker process. */
export function workerProcess(): string {
  return inject('workerProcess');
}

/** The Web UI of the run's Temporal. */
export function temporalUi(): string {
  return inject('temporal').uiUrl;
}

/**
 * A new Temporal namespace with Waybill's search attributes (about 30 ms). Workflow ids are `load/<name>`, so tests that
 * run beside each other need one each.
 */
export async function freshNamespace(): Promise<string> {
  const namespace = `t-${process.pid}-${randomBytes(5).toString('hex')}`;
  const connection = await Connection.connect({ address: temporalAddress() });
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: attributeTypes() });
  } finally {
    await connection.close();
  }
  return namespace;
}

function attributeTypes(): Record<string, number> {
  const numbers = { Keyword: 2, Int: 3 }; // temporal.api.enums.v1.IndexedValueType
  return Object.fromEntries(Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => [name, numbers[type]]));
}

const superusers = new Map<string, Promise<Client>>();

/** One connection a server serves all tests of this process: another one takes 12 ms of a processor. */
async function asSuperuser({ url }: TestServer, sql: string): Promise<void> {
  const known = superusers.get(url);
  const client = await (known ?? connectSuperuser(url));
  await client.query(sql);
}

function connectSuperuser(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => superusers.delete(url)); // the server is stopped, as some tests do with their own
  const connected = client.connect().then(() => client);
  connected.catch(() => superusers.delete(url));
  superusers.set(url, connected);
  return connected;
}
