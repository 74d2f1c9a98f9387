/** For whom a connection waits, as another one of ours is told. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/dialect.ts';
import { LockWatch } from '../../src/database/lock-watch.ts';
import { Databases } from '../../src/database/databases.ts';
import { loadProject } from '../../src/config/load-project.ts';
import { raw, sql } from '../../src/database/sql.ts';
import { letGo, lockAlone } from '../engine/latch.ts';
import { until, World } from '../engine/world.ts';
import { everyServer } from '../every-server.ts';

describe.each(everyServer)('a wait for a lock on $name', { timeout: 60_000 }, (server) => {
  let world: World;
  let databases: Databases;
  beforeEach(async () => {
    world = await World.create(server, {
      files: {},
      warehouse: 'create schema acq; create table acq.item (id int primary key)',
    });
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
    const holder = await lockAlone(world, 'warehouse', 'acq.item');
    const watch = new LockWatch();
    try {
      const database = watch.over(databases).get('warehouse');
      expect(await look(database)).toMatchObject({ kind: 'transient', locked: true });
      const seen = await watch.seen();
      expect(seen?.waitingFor).toBe(item());
      if (!server.url.startsWith('mariadb')) expect(seen?.holders).toMatchObject([{ application: 'nightly job' }]);
      await letGo(world, holder);
      expect(await look(database)).toBe(false);
    } finally {
      watch.stop();
    }
  });

  test.each([
    // Who waits for a key that is not committed yet waits for a transaction, and PostgreSQL does not say of which table.
    { row: 'changed', by: 'update acq.item set id = 2', waiting: 'delete from', named: true },
    { row: 'inserted', by: 'insert into acq.item values (2)', waiting: 'insert into', named: false },
  ])('for a row that was $row is told with who holds it', async ({ by, waiting, named }) => {
    const holder = await world.another('warehouse', 'nightly job');
    const [self] = (await holder.query<{ id: unknown }>(world.words.self)).rows;
    await holder.query(`insert into acq.item values (1)`);
    await holder.query(`begin; ${by}`);
    const database = databases.get('warehouse');
    const session = await database.openSession('waybill lane');
    try {
      const wait = async () => {
        await sleep(200); // who asks MariaDB more often than ten times a second gets the same answer for ever
        return database.dialect.lockWait(database, session.connectionId);
      };
      expect(await wait()).toBeUndefined();
      const table = database.dialect.quoteTable(item());
      const done = session.query(
        sql`${raw(waiting)} ${raw(table)} ${raw(waiting === 'delete from' ? '' : 'values (2)')}`,
      );
      done.catch(() => undefined);
      const seen = await until(wait);
      if (named || world.words.family === 'mysql') expect(seen.waitingFor).toBe(item());
      expect(seen.holders.map(({ connectionId }) => connectionId)).toEqual([String(self!.id)]);
      await holder.query('rollback');
      await done;
      await until(async () => (await wait()) === undefined);
    } finally {
      await session.close();
    }
  });
});
