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
 * One PostgreSQL, and MySQL or MariaDB: other ones for another file (`import.meta.url`) and with another seed, as with crash points.
 * For what is dear, so that a run stays short. All, where all is wanted (npm run test:all).
 */
export function oneOfEachFamily(file: string): TestServer[] {
  const hash = hashOf(file);
  return [servers, everyServer.filter((server) => !servers.includes(server))].flatMap((family, i) =>
    inject('seed').all || family.length < 2 ? family : [family[hash[i]! % family.length]!],
  );
}

/** One of those, of either family: for what is dear and says more of Temporal and of workers than of a server. All, where all is wanted. */
export function someServers(file: string): TestServer[] {
  const two = oneOfEachFamily(file);
  return inject('seed').all ? two : [two[hashOf(file)[2]! % two.length]!];
}

function hashOf(file: string): Buffer {
  return createHash('sha256')
    .update(`${inject('seed').value} ${basename(file)}`)
    .digest();
}

/** From where to where an acquisition goes; the names are for titles. */
export interface Way {
  from: TestServer;
  into: TestServer;
  source: string;
  target: string;
}

/**
 * Ways within and across the families, for what comes to the warehouse in the source's words: those of `oneOfEachFamily`, four. All
 * but those between two PostgreSQL, where all are wanted.
 */
export function ways(file: string): Way[] {
  const some = oneOfEachFamily(file);
  return some.flatMap((from) =>
    some
      .filter((into) => into === from || !(servers.includes(from) && servers.includes(into)))
      .map((into) => ({ from, into, source: from.name, target: into.name })),
  );
}

/** One of them, as the run's seed has it: for what is dear. */
export function someWays(file: string): Way[] {
  const four = ways(file);
  return inject('seed').all ? four : [four[hashOf(file)[3]! % four.length]!];
}
