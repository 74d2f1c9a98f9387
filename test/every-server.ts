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
