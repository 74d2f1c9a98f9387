/** For whom a connection waits, as another one of ours is told. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/dialect.ts';
import { LockWatch } from '../../src/database/lock-watch.ts';
import { Databases } from '../../src/database/databases.ts';
import { loadProject } from '../../src/config/load-project.ts';
import { raw, sql } from '../../src/database/sql.ts';
import { until, World } from '../engine/world.ts';
import { everyServer } from '../every-server.ts';

describe.each(everyServer)('a wait for a lock on $name', { timeout: 60_000 }, (server) => {
  let world: World;
  let databases: Databases;
  beforeEach(async () => {
    world = await World.create(server, { files: {}, warehouse: 'create schema acq; create table acq.item (id int)' });
    const project = await loadProject(world.directory, { env: world.env });
    databases = new Databases(project.connections);
  });
  afterEach(async () => {
    await databases.close();
    await world.close();
  });

  const item = (): string => world.names.into('acq.item');
  const look = async (database: Database): Promise<unknown> => {
    const session = await database.openSession('waybill look', { looking: true });
    try {
      return await database.dialect
        .hasRows(session, item())
        .catch((error: unknown) => database.dialect.classify(error));
    } finally {
      await session.close();
    }
  };

  test('ends after two seconds, and is told with the table and, where the server tells, who holds it', async () => {
    const holder = await world.another('warehouse', 'nightly job');
    const postgres = world.words.family === 'postgres';
    await holder.query(postgres ? 'begin; lock table acq.item' : 'lock tables acq.item write');
    const watch = new LockWatch();
    try {
      const database = watch.over(databases).get('warehouse');
      expect(await look(database)).toMatchObject({ kind: 'transient', locked: true });
      const seen = await watch.seen();
      expect(seen?.waitingFor).toBe(item());
      if (!server.url.startsWith('mariadb')) expect(seen?.holders).toMatchObject([{ application: 'nightly job' }]);
      await holder.query(postgres ? 'commit' : 'unlock tables');
      expect(await look(database)).toBe(false);
    } finally {
      watch.stop();
    }
  });

  test('for a row is told with its table and who holds it', async () => {
    const holder = await world.another('warehouse', 'nightly job');
    await holder.query('insert into acq.item values (1)');
    await holder.query('begin; update acq.item set id = 2');
    const database = databases.get('warehouse');
    const session = await database.openSession('waybill lane');
    try {
      const wait = () => database.dialect.lockWait(database, session.connectionId);
      expect(await wait()).toBeUndefined();
      const deleted = session.query(sql`delete from ${raw(database.dialect.quoteTable(item()))}`);
      const seen = await until(wait);
      expect(seen.waitingFor).toBe(item());
      expect(seen.holders).toMatchObject([
        {
          connectionId: expect.any(String) as string,
          ...(!server.url.startsWith('mariadb') && { application: 'nightly job' }),
        },
      ]);
      await holder.query('commit');
      await deleted;
      await until(async () => (await wait()) === undefined); // MariaDB keeps its lists for a moment
    } finally {
      await session.close();
    }
  });
});
