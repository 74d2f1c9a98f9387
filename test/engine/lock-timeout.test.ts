import { afterEach, describe, test } from 'vitest';
import { someServers } from '../every-server.ts';
import { expectStatementOnce, STATEMENT_WAITS } from './lock-timeout.ts';
import { World } from './world.ts';

describe.each(someServers(import.meta.url))('a lock that is not to be had in time, on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('ends an attempt at a chunk of two statements: the next one does both, once', async () => {
    world = await World.create(server, STATEMENT_WAITS(server));
    await expectStatementOnce(world);
  });
});
