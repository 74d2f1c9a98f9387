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
