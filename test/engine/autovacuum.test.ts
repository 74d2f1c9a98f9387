/** A real autovacuum at work on an input while a load wants it, and writers write; on servers of the test's own. */
import { afterEach, describe, expect, vi } from 'vitest';
import type { BatchView } from '../../src/client/views.ts';
import { document, waybill } from '../cli/command-line.ts';
import { inTurns } from '../every-server.ts';
import { servers } from '../servers.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import { ended, until, World } from './world.ts';
import { expectWritten, FILES, LOCK_WAIT_S, longestInLine, PUT, SCHEMA, startWriting } from './writers.ts';

vi.setConfig({ testTimeout: 300_000 });

/** It looks every second; who is in its way asks it to go after a second, as everywhere. */
const SETTINGS = { autovacuum_naptime: '1s', deadlock_timeout: '1s' };
/** Minutes for a few hundred pages. */
const SLOWLY = 'autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1';
const ROWS = `insert into acq.a (writer, n) select repeat('x', 900), g from generate_series(1, 4000) g;`;

describe.each(servers)('an autovacuum of an input on $name', (like) => {
  const it = inTurns(import.meta.url, like, servers);
  let server: OwnServer;
  let world: World;
  afterEach(async () => {
    await world.close();
    await server.remove();
  });

  async function open(): Promise<void> {
    server = await startOwnServer(like, SETTINGS);
    world = await World.create(server, { files: FILES, warehouse: SCHEMA, own: PUT });
    await world.worker();
    await world.warehouse.query(ROWS);
  }
  const vacuum = async (): Promise<number | undefined> =>
    (
      await world.rows<{ pid: number }>(
        `select pid from pg_stat_activity where backend_type = 'autovacuum worker' and query like 'autovacuum: VACUUM%acq.a%'`,
      )
    )[0]?.pid;

  /** Writers write while a load runs that this is done beside. */
  async function underWriters(beside: (handle: Awaited<ReturnType<World['start']>>) => Promise<void>): Promise<void> {
    const writers = startWriting(world);
    const line = await longestInLine(world);
    const handle = await world.start('core.both');
    let written: Awaited<ReturnType<typeof writers.stop>>;
    try {
      await beside(handle);
      expect(await ended(handle)).toMatchObject({ ok: true, result: { status: 'finished' } });
    } finally {
      line.stop();
      written = await writers.stop();
    }
    expect(writers.failed()).toBeUndefined();
    expect(line.longest(), 'seconds that a writer stood in line').toBeLessThan(LOCK_WAIT_S + 1);
    expect(await world.run('core.both')).toMatchObject({ ok: true });
    await expectWritten(world, written, 3);
  }

  it('gives way to the snapshot: the load does not wait for its end', async () => {
    await open();
    await world.warehouse
      .query(`alter table acq.a set (${SLOWLY}, autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
      delete from acq.a where id % 2 = 0`);
    const worker = await until(vacuum, 90);
    await underWriters(async (handle) => {
      await ended(handle);
      expect(await vacuum()).not.toBe(worker);
    });
  });

  it('that must not give way, for the transaction ids run out, is waited for politely, and named', async () => {
    await open();
    // It begins at this age, which a hundred thousand transactions make.
    await world.warehouse.query(`alter table acq.a set (${SLOWLY}, autovacuum_freeze_max_age = 100000);
      create table core.ids ();
      do $$ begin for i in 1..110000 loop
        begin insert into core.ids default values; exception when division_by_zero then null; end;
      end loop; end $$`);
    await until(vacuum, 90);
    await underWriters(async () => {
      const waits = async () => (document(await waybill(world, 'status', '--json')) as BatchView[])[0]?.waiting;
      expect(await until(waits, 90)).toMatch(
        /^waits for acq.a, in use by connection \d+ \(autovacuum worker, query \d+ s\)/,
      );
      expect(await world.exists('acq.a_processing')).toBe(false);
      // It is ended, and the next one is quick: who changes this stands in line before it.
      const dba = await world.another('warehouse', 'a dba');
      const changed = dba.query(
        'alter table acq.a reset (autovacuum_vacuum_cost_delay, autovacuum_vacuum_cost_limit, autovacuum_freeze_max_age)',
      );
      await world.warehouse.query(`select pg_terminate_backend(${await vacuum()})`);
      await changed;
    });
  });
});
