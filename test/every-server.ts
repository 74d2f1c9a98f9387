/**
 * Every server of this run, for tests of the engine: `describe.each(everyServer)('… on $name', …)`. One suite for all
 * dialects; what only PostgreSQL has stands under `servers` of servers.ts.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { inject } from 'vitest';
import { mysqlServers } from './mysql-servers.ts';
import { servers, type TestServer } from './servers.ts';

export const everyServer: TestServer[] = [...servers, ...(await mysqlServers())];

/**
 * The newest PostgreSQL and MySQL: for what is dear, and says more of Temporal and of workers than of a server. All, where all is
 * wanted (npm run test:all).
 */
export const oneOfEachFamily: TestServer[] = everyServer.filter(
  ({ name }, _, all) => inject('seed').all || name === all[0]!.name || name.startsWith('MySQL'),
);

/**
 * One PostgreSQL, and MySQL or MariaDB: other ones for another file (`import.meta.url`) and with another seed, as with crash points.
 * For what is dear, so that a run stays short. All, where all is wanted.
 */
export function someServers(file: string): TestServer[] {
  const { value, all } = inject('seed');
  const hash = createHash('sha256')
    .update(`${value} ${basename(file)}`)
    .digest();
  return [servers, everyServer.filter((server) => !servers.includes(server))].flatMap((family, i) =>
    all || family.length < 2 ? family : [family[hash[i]! % family.length]!],
  );
}

/** From where to where an acquisition goes; the names are for titles. */
export interface Way {
  from: TestServer;
  into: TestServer;
  source: string;
  target: string;
}

/**
 * Ways within and across the families, for what comes to the warehouse in the source's words: those of `someServers`, four. All
 * but those between two PostgreSQL, where all are wanted.
 */
export function ways(file: string): Way[] {
  const some = someServers(file);
  return some.flatMap((from) =>
    some
      .filter((into) => into === from || !(servers.includes(from) && servers.includes(into)))
      .map((into) => ({ from, into, source: from.name, target: into.name })),
  );
}

/** Two of them, within the families or across them, as the run's seed has it: for what is dear. */
export function someWays(file: string): Way[] {
  const { value, all } = inject('seed');
  const across =
    createHash('sha256')
      .update(`ways ${value} ${basename(file)}`)
      .digest()[0]! %
      2 ===
    0;
  const some = ways(file).filter(({ from, into }) => all || (from !== into) === across);
  // Without MySQL and MariaDB there is nothing to cross.
  return some.length > 0 ? some : ways(file);
}
