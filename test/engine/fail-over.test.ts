/**
 * The warehouse fails over under a load: the server at its address takes no writes, a standby of PostgreSQL that is not promoted yet, or
 * a primary of MySQL or MariaDB that was set read only. Then it does again. On servers of their own: all tests would find it so.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { asLoader } from './as-loader.ts';
import { done } from './breakable-orders.ts';
import { expectCancelled, expectWhole, ORDERS, SLOW_SQL, type OrdersOptions } from './orders.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import type { ServerWords } from './server-words.ts';
import { ended, until, World } from './world.ts';

/** What a server says then. */
const REFUSES: Record<ServerWords['family'], RegExp> = {
  postgres: /read-write mode.*SQLSTATE 0A000|read-only transaction.*SQLSTATE 25006/,
  mysql: /running with the --(super-)?read-only option.*\(error 1290\)/,
};
const SLOW_CHECK = 'checks: [ { name: slow, sql: "select count(*) from (select pg_sleep(2)) pause", expect: 1 } ]';

describe.each(oneOfEachFamily(import.meta.url))('a fail-over of $name', { timeout: 180_000 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let own: OwnServer;
  let world: World;
  beforeAll(async () => {
    own = await startOwnServer(server, server.url.startsWith('postgres') ? { wal_level: 'replica' } : {});
  }, 240_000);
  afterEach(() => world.close());
  afterAll(() => own.remove());

  async function orders(options: OrdersOptions): Promise<void> {
    world = await World.create(own, ORDERS(300, options));
    // Who may do everything may write all the same on MariaDB, as on a MySQL that is no more than read_only.
    if (world.words.family === 'mysql') await asLoader(world);
    await world.worker({ longestBackoffMs: 500 });
  }

  const takesWrites: Record<ServerWords['family'], { no: () => Promise<void>; again: () => Promise<unknown> }> = {
    postgres: {
      no: async () => {
        const directory = String(await world.value(`select current_setting('data_directory')`));
        await own.stopAtOnce();
        await writeFile(join(directory, 'standby.signal'), '');
        await own.start();
        await world.reconnect();
        expect(await world.value('select pg_is_in_recovery()')).toBe(true);
      },
      again: () => world.warehouse.query('select pg_promote()'),
    },
    mysql: {
      no: async () => {
        await world.warehouse.query(`set global ${own.url.startsWith('mariadb') ? '' : 'super_'}read_only = 1`);
      },
      again: () => world.warehouse.query('set global read_only = 0'),
    },
  };
  const noWrites = (): Promise<void> => takesWrites[world.words.family].no();
  const writesAgain = (): Promise<unknown> => takesWrites[world.words.family].again();

  /** Its rows are written and a check is under way when the server fails over. */
  async function inTheChecks(): Promise<WorkflowHandle> {
    await orders({ yaml: SLOW_CHECK });
    const handle = await world.start('core.order');
    await until(async () => (await world.states('core.order'))[0] === 'checking');
    await noWrites();
    return handle;
  }

  /** An activity of this kind has been refused because of that, and will be tried again. */
  const refusedAgain = (handle: WorkflowHandle, activity: string) =>
    until(async () => {
      const { raw } = await handle.describe();
      const pending = raw.pendingActivities?.find(({ activityType }) => activityType?.name === activity);
      const failure = pending?.lastFailure;
      return REFUSES[world.words.family].test(failure?.message ?? '') && failure;
    }, 60);

  async function expectPublished(handle: WorkflowHandle): Promise<void> {
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['published']);
  }

  it('in the checks: the load waits until the server takes writes, and goes on', async () => {
    const handle = await inTheChecks();
    await refusedAgain(handle, 'runChecks');
    await writesAgain();
    await expectPublished(handle);
  });

  it('in the chunks: the load waits, and does each once', async () => {
    await orders({ rows: 20, byKey: true, sql: SLOW_SQL(0.3) });
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 2);
    await noWrites();
    await refusedAgain(handle, 'runLane');
    await writesAgain();
    await expectPublished(handle);
    expect(await world.value('select max(attempts) from waybill.chunk')).toBe(0);
  });

  it('before a fence: it waits, too, and what was written is taken back', async () => {
    const handle = await inTheChecks();
    await handle.cancel();
    await refusedAgain(handle, 'fenceBatch');
    await writesAgain();
    await expectCancelled(world, handle, 300);
  });

  it('before a start: that says what the server lacks, and opens nothing', async () => {
    await orders({});
    await waybill(world, 'migrate');
    await noWrites();
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      type: 'Database',
      message: expect.stringMatching(REFUSES[world.words.family]) as string,
      next: expect.stringMatching(/^give the URL of the server that takes writes/) as string,
    });
    await writesAgain();
    expect(await world.states('core.order')).toEqual([]);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectWhole(world);
  });
});
