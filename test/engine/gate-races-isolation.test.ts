/**
 * What a role or a database gives every session by default. An older snapshot: whoever waits at the gate must read what is
 * true afterwards. Time limits: a fence or a roll back takes the time that it needs. (Accounts of MySQL and MariaDB have no such
 * defaults; what their server has, server-settings.test.ts sets.)
 */
import { sql } from '../../src/database/sql.ts';
import { afterEach, describe, expect, vi } from 'vitest';
import { inTurns } from '../every-server.ts';
import { servers } from '../servers.ts';
import { expectGateShut, STEPPED_ORDERS } from './behind-fence.ts';
import { HELD_ORDERS } from './moments.ts';
import { expectWhole, World } from './orders.ts';

vi.setConfig({ testTimeout: 180_000 });

const DEFAULTS = [
  ['the database', 'repeatable read', 'alter database %1$I set'],
  ['the role', 'serializable', 'alter role current_user in database %1$I set'],
] as const;

describe.each(servers)('on $name', { retry: 0 }, (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let world: World;
  afterEach(() => world.close());

  describe.each(DEFAULTS)('where %s has the default %s', (_whose, isolation, alter) => {
    async function create(n: number): Promise<World> {
      const created = await World.create(server, STEPPED_ORDERS(n));
      await created.warehouse.query(`
        do $$ begin execute format('${alter} default_transaction_isolation = %2$L', current_database(), '${isolation}'); end $$`);
      return created;
    }

    it('everything that queued behind a fence finds the gate shut', async () => {
      world = await create(500);
      const other = await world.another('warehouse');
      expect((await other.query('show default_transaction_isolation')).rows[0]).toEqual({
        default_transaction_isolation: isolation,
      });
      await expectGateShut(world);
    });

    it('four lanes work as ever, without a second attempt; nothing inherits it, inside a transaction or outside', async () => {
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

  it('where the role has limits of its own: a load writes, a roll back takes its time, and a fence its turn', async () => {
    world = await World.create(server, HELD_ORDERS(500, { broken: 450, lanes: 1 }));
    await world.warehouse.query(`
      create function core.slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(2); return null; end $$;
      create trigger slowly after delete on core.orders for each statement execute function core.slowly();
      do $$ begin execute format('alter role current_user in database %I set statement_timeout = 500', current_database());
                  execute format('alter role current_user in database %I set lock_timeout = 100', current_database());
                  execute format('alter role current_user in database %I set default_transaction_read_only = on', current_database());
                  if current_setting('server_version_num')::int >= 170000 then
                    execute format('alter role current_user in database %I set transaction_timeout = 1500', current_database());
                  end if; end $$`);
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
