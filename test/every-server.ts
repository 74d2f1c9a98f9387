/**
 * Every server of this run, for tests of the engine: `describe.each(everyServer)('… on $name', …)`. One suite for all
 * dialects; what only PostgreSQL has stands under `servers` of servers.ts.
 */
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
 * One PostgreSQL, and MySQL or MariaDB: other ones with another seed, as with crash points. For the longest files, so that a run stays
 * short. All, where all is wanted.
 */
export const someServers: TestServer[] = [servers, everyServer.filter((server) => !servers.includes(server))].flatMap(
  (family, i) =>
    inject('seed').all || family.length < 2
      ? family
      : [family[(Number.parseInt(inject('seed').value.slice(-1), 16) >> i) % family.length]!],
);
