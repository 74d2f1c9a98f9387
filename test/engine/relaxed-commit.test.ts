/**
 * A chunk's commit does not wait for the disk (docs/guarantees.md): what a crash of the server takes, and what it does not. On PostgreSQL
 * alone: on MySQL and MariaDB no session may choose that, and Waybill leaves the server's setting as it is.
 */
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { inTurns } from '../every-server.ts';
import { servers } from '../servers.ts';
import { activitiesOf, asActivity, OPEN_ORDER } from './activities.ts';
import { asleepAt, HELD_ORDERS, holdAt, installMoments } from './moments.ts';
import { expectWhole, ORDERS, World } from './orders.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import { ended, until } from './world.ts';

/** Nothing but a commit that waits brings the log out of memory, for as long as these tests take. */
const NOTHING_FLUSHES = { wal_writer_delay: '10s', wal_writer_flush_after: '100MB' };

const BATCH = { connection: 'warehouse', batchId: '1' };

describe.each(servers)('a crash of $name', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let own: OwnServer;
  let world: World;
  beforeEach(async () => {
    own = await startOwnServer(server, NOTHING_FLUSHES);
  });
  afterEach(async () => {
    await world.close();
    await own.remove();
  });

  const crash = async (): Promise<void> => {
    await own.stopAtOnce();
    await own.start();
    await world.reconnect();
  };

  it('takes no chunk of a lane that has come back, so that the next stage can begin', async () => {
    world = await World.create(own, ORDERS(500, { byKey: true }));
    const activities = await activitiesOf(world);
    await activities.openBatch(OPEN_ORDER);
    await asActivity(activities.takeSnapshot, BATCH);
    await activities.planStage({ ...BATCH, stage: 1 });
    const lane = await asActivity(activities.runLane, { ...BATCH, stage: 1, lane: 1, sliceMs: 60_000 });
    expect(lane).toMatchObject({ end: 'drained', chunks: 5, rows: 500 });
    await crash();
    expect(await world.value(`select count(*) from waybill.chunk where state = 'done'`)).toBe('5');
    await expectWhole(world);
  });

  it('takes chunks below the only one that a lane has found pending, and all of them are done again', async () => {
    world = await World.create(own, ORDERS(600, { byKey: true }));
    const activities = await activitiesOf(world);
    await activities.openBatch(OPEN_ORDER);
    await asActivity(activities.takeSnapshot, BATCH);
    await activities.planStage({ ...BATCH, stage: 1 });
    const holder = await world.another('warehouse');
    await holder.query('begin; select n from waybill.chunk where n = 6 for update');
    // As Temporal tries it again, should it meet the crash in one of the worker's own connections.
    const runLane = () => asActivity(activities.runLane, { ...BATCH, stage: 1, lane: 1, sliceMs: 60_000 });
    const lane = runLane().catch(runLane);
    lane.catch(() => undefined); // it is awaited below
    const lookedForMore = `select pid from pg_stat_activity where query ~ 'min\\(n\\)' and pid <> pg_backend_pid()`;
    const chunks = () => world.rows(`select n, finished_at from waybill.chunk where state = 'done' order by n`);
    await until(async () => (await chunks()).length === 5);
    await until(async () => (await world.count(lookedForMore)) === 1);
    const before = await chunks();
    await crash();
    expect(await lane).toMatchObject({ end: 'drained', stage: { planned: 6, pending: 0, done: 6 } });
    expect((await chunks()).slice(0, 5), 'chunks, of which the crash took some').not.toEqual(before);
    await expectWhole(world);
  });

  it('takes a chunk from ledger and tables alike, and it is done again, once', async () => {
    world = await World.create(own, HELD_ORDERS(500));
    await world.worker();
    await installMoments(world);
    await holdAt(world, 'the ledger row of a chunk');
    const handle = await world.start('core.order');
    await asleepAt(world, 'the ledger row of a chunk');
    await holdAt(world, undefined);
    await crash();
    // One statement, one snapshot: however far the worker has come again.
    const rows = 'select count(*) from core.orders';
    const done = `select count(*) * 100 from waybill.chunk where state = 'done'`;
    expect(await world.value(`select (${rows}) = (${done})`)).toBe(true);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 500 } });
    await expectWhole(world);
  });
});
