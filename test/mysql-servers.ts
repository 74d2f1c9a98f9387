/**
 * The real MySQL and MariaDB of this run: `describeOn(await mysqlServers(), '… on $name', …)`. They start when the first
 * file asks. The server's name belongs into the title: the count at the end of a run goes by it.
 */
import { describe, inject, test } from 'vitest';
import type { MysqlAnswer, MysqlTestServer } from './mysql-on-demand.ts';

/** Those that are there; the end of the run says which were not, and how to get them. */
export async function mysqlServers(): Promise<MysqlTestServer[]> {
  const response = await fetch(inject('mysqlOnDemand'));
  if (!response.ok) throw new Error(await response.text());
  return ((await response.json()) as MysqlAnswer).servers;
}

/** `describe.each` that takes no servers, too: a skipped test then says what did not run. */
export function describeOn<T extends MysqlTestServer>(servers: T[], title: string, suite: (server: T) => void): void {
  if (servers.length === 0) test.skip(title.replace('$name', 'MySQL and MariaDB'));
  else describe.each(servers)(title, suite);
}
