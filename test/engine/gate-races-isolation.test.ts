/**
 * What a role or a database gives every session by default. An older snapshot: whoever waits at the gate must read what is
 * true afterwards. Time limits: a fence or a roll back takes the time that it needs.
 */
import { sql } from '../../src/database/sql.ts';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { servers } from '../servers.ts';
import { activitiesOf, asActivity, OPEN_ORDER } from './activities.ts';
import { exists } from './breakable-orders.ts';
import { HELD_ORDERS } from './moments.ts';
import { expectWhole, ORDERS, World } from './orders.ts';
import { until } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const BATCH = { connection: 'warehouse', batchId: '1', firstRunId: OPEN_ORDER.firstRunId };
const STAGE = { ...BATCH, stage: 1 };

const WAITING = `select count(*) from pg_locks l join pg_database d on d.oid = l.database
  where not l.granted and d.datname = current_database()`;

const DEFAULTS = [
  ['the database', 'repeatable read', 'alter database %1$I set'],
  ['the role', 'serializable', 'alter role current_user in database %1$I set'],
] as const;

describe.each(servers)('on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  describe.each(DEFAULTS)('where %s has the default %s', (_whose, isolation, alter) => {
    async function create(n: number): Promise<World> {
      const yaml = 'before: "insert into core.steps values (1)"\nafter: "insert into core.steps values (2)"';
      const created = await World.create(server, ORDERS(n, { byKey: true, lanes: 4, rows: 20, yaml }));
      await created.warehouse.query(`create table core.steps (n int);
        do $$ begin execute format('${alter} default_transaction_isolation = %2$L', current_database(), '${isolation}'); end $$`);
      return created;
    }

    test('everything that queued behind a fence finds the gate shut', async () => {
      world = await create(500);
      const activities = await activitiesOf(world);
      await activities.openBatch(OPEN_ORDER);
      const other = await world.another('warehouse');
      expect((await other.query('show default_transaction_isolation')).rows[0]).toEqual({
        default_transaction_isolation: isolation,
      });

      /** It waits at the gate; when it gets in, the batch is no longer in the state in which it was. */
      async function queueBehindFence(work: () => Promise<unknown>, state = 'running'): Promise<unknown> {
        await world.warehouse.query(`update waybill.batch set state = '${state}'`);
        await world.warehouse.query(`begin isolation level read committed;
                                     select pg_advisory_xact_lock(hashtextextended('waybill:1', 0))`);
        const late = work().catch((error: unknown) => error);
        await until(async () => (await world.value(WAITING)) === '1', 90);
        await world.warehouse.query(`update waybill.batch set state = 'rolling_back'; commit`);
        return late;
      }
      const fenced = { type: 'Fenced' };

      expect(
        await queueBehindFence(() => asActivity(activities.runSteps, { ...BATCH, phase: 'before' as const })),
      ).toMatchObject(fenced);
      expect(await queueBehindFence(() => asActivity(activities.takeSnapshot, BATCH))).toMatchObject(fenced);
      expect(await exists(world, 'acq.orders_processing')).toBe(false);
      await world.warehouse.query(`update waybill.batch set state = 'running'`);
      await asActivity(activities.takeSnapshot, BATCH);
      expect(await queueBehindFence(() => activities.planStage(STAGE))).toMatchObject(fenced);
      expect(await world.value('select count(*) from waybill.chunk')).toBe('0');
      await world.warehouse.query(`update waybill.batch set state = 'running'`);
      await activities.planStage(STAGE);
      const lane = { ...STAGE, lane: 1, sliceMs: 60_000 };
      expect(await queueBehindFence(() => asActivity(activities.runLane, lane))).toMatchObject({
        end: 'fenced',
        rows: 0,
      });
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      await world.warehouse.query(`update waybill.batch set state = 'running'`);
      expect(await asActivity(activities.runLane, lane)).toMatchObject({ end: 'drained', rows: 500 });
      expect(await queueBehindFence(() => asActivity(activities.runChecks, BATCH))).toMatchObject(fenced);
      expect(await queueBehindFence(() => activities.publish(BATCH), 'checking')).toMatchObject(fenced);
      expect(await queueBehindFence(() => asActivity(activities.dropSnapshot, BATCH), 'published')).toMatchObject(
        fenced,
      );
      expect(
        await queueBehindFence(
          () => asActivity(activities.runSteps, { ...BATCH, phase: 'after' as const }),
          'published',
        ),
      ).toMatchObject(fenced);
      expect(await world.states('core.order')).toEqual(['rolling_back']);
      expect(await world.value('select count(*) from core.steps')).toBe('0');
    });

    test('four lanes work as ever, without a second attempt; nothing inherits it, inside a transaction or outside', async () => {
      world = await create(4000);
      const { databases } = await world.worker();
      const database = databases.get('warehouse');
      const aside = await database.openAside('test aside');
      const session = await database.openSession('test session');
      try {
        for (const connection of [database, aside, session]) {
          const { rows } = await connection.query(sql`select current_setting('transaction_isolation') as isolation`);
          expect(rows).toEqual([{ isolation: 'read committed' }]);
        }
      } finally {
        await Promise.all([aside.close(), session.close()]);
      }
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 4000, chunks: 200 } });
      await expectWhole(world);
      expect(await world.value('select max(attempts) from waybill.chunk')).toBe(0);
      expect(await world.value('select array_agg(attempts) from waybill.step')).toEqual([1, 1]);
    });
  });

  test('where the role has time limits of its own: a roll back takes its time, and a fence its turn', async () => {
    world = await World.create(server, HELD_ORDERS(500, { broken: 450, lanes: 1 }));
    await world.warehouse.query(`
      create function core.slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(2); return null; end $$;
      create trigger slowly after delete on core.orders for each statement execute function core.slowly();
      do $$ begin execute format('alter role current_user in database %I set statement_timeout = 500', current_database());
                  execute format('alter role current_user in database %I set lock_timeout = 100', current_database()); end $$`);
    const { databases } = await world.worker();
    const fence = await databases.get('warehouse').openAside('test aside');
    const { rows } = await fence.query(sql`select current_setting('lock_timeout') as longest`);
    expect(rows).toEqual([{ longest: '0' }]);
    await fence.close();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
  });
});
