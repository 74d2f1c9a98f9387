/**
 * Every server of this run, for tests of the engine: `describe.each(everyServer)('… on $name', …)`. One suite for all
 * dialects; what only PostgreSQL has stands under `servers` of servers.ts.
 */
import { inject, test, type TestFunction, type TestOptions } from 'vitest';
import { mysqlServers } from './mysql-servers.ts';
import { hashOf } from './seed.ts';
import { servers, type TestServer } from './servers.ts';

export const everyServer: TestServer[] = [...servers, ...(await mysqlServers())].filter(({ name }) => isWanted(name));

/** WAYBILL_TEST_SERVERS='PostgreSQL 18,MariaDB' keeps to those whose names begin so: every crash point on all takes a day. */
function isWanted(name: string): boolean {
  const wanted = process.env['WAYBILL_TEST_SERVERS'];
  return wanted === undefined || wanted.split(',').some((beginning) => name.startsWith(beginning.trim()));
}

/**
 * One PostgreSQL, and MySQL or MariaDB: other ones for another file (`import.meta.url`) and with another seed, as with crash points.
 * For what is dear, so that a run stays short. All, where all is wanted (npm run test:all).
 */
export function oneOfEachFamily(file: string): TestServer[] {
  const hash = hashOf(file);
  const families = [true, false].map((postgres) =>
    everyServer.filter((server) => servers.includes(server) === postgres),
  );
  return families.flatMap((family, i) =>
    inject('seed').all || family.length < 2 ? family : [family[hash[i]! % family.length]!],
  );
}

/** One of those, of either family: for what is dear and says more of Temporal and of workers than of a server. All, where all is wanted. */
export function someServers(file: string): TestServer[] {
  const two = oneOfEachFamily(file);
  return inject('seed').all ? two : [two[hashOf(file)[2]! % two.length]!];
}

/**
 * `it` for a suite that stands on several servers and is dear: each of its tests runs on one of them, in turns, and the seed says
 * whose turn is first. So a run has every test, and every server the same part of them. All on all, where all is wanted. A test
 * that only some of the servers have is no turn: it takes the plain `test`. A suite has a test for each server at least, for vitest
 * takes an empty one for a failure.
 *
 * @param among the servers of the suite, in its order
 */
export function inTurns(
  file: string,
  server: { name: string },
  among: readonly { name: string }[] = oneOfEachFamily(file),
): (title: string, body: TestFunction, options?: TestOptions) => void {
  let turn = hashOf(file)[4]!;
  return (title, body, options = {}) => {
    const whose = among[turn++ % among.length]!;
    if (inject('seed').all || whose.name === server.name) test(title, options, body);
  };
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
