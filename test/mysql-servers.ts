/**
 * The real MySQL and MariaDB of this run: `describeOn(await mysqlServers(), '… on $name', …)`. They start when the first
 * file asks. The server's name belongs into the title: the count at the end of a run goes by it.
 */
import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { describe, inject, test } from 'vitest';
import type { MysqlAnswer, MysqlTestServer } from './mysql-on-demand.ts';

/** Those that are there; the end of the run says which were not, and how to get them. */
export async function mysqlServers(): Promise<MysqlTestServer[]> {
  const response = await fetch(inject('mysqlOnDemand'));
  if (!response.ok) throw new Error(await response.text());
  return ((await response.json()) as MysqlAnswer).servers;
}

/** Those of them beside which a test can start one of its own; of the others the end of the run says why not. */
export const ownServers = async (): Promise<MysqlTestServer[]> =>
  (await mysqlServers()).filter(({ noOwn }) => noOwn === undefined);

/**
 * Its list of connections. MySQL has an older one too, which cannot be read out while anybody, another test for one, runs a statement
 * with an emoji.
 *
 * @param url of the server
 */
export const processListAt = (url: string): string =>
  url.startsWith('mariadb') ? 'information_schema.processlist' : 'performance_schema.processlist';

/** `describe.each` that takes no servers, too: a skipped test then says what did not run. */
export function describeOn<T extends { name: string }>(servers: T[], title: string, suite: (server: T) => void): void {
  if (servers.length === 0) test.skip(title.replace('$name', 'MySQL and MariaDB'));
  else describe.each(servers)(title, suite);
}

/** A new, empty database on the server, of a name that no other test has. Servers end with the run; nobody drops it. */
export async function freshMysqlDatabase(server: MysqlTestServer): Promise<{ name: string; url: string }> {
  const name = `t_${process.pid}_${randomBytes(5).toString('hex')}`;
  const connection = await createConnection(server.url);
  try {
    await connection.query(`create database ${name}`);
  } finally {
    await connection.end();
  }
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return { name, url: url.href };
}
