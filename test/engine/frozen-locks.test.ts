/** A worker freezes while it holds tables against everybody: others wait for seconds, not until somebody finds out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { inTurns } from '../every-server.ts';
import { servers } from '../servers.ts';
import { CuttableWay } from './cuttable-way.ts';
import { freeze, type Place } from './frozen.ts';
import { expectWhole, ORDERS } from './orders.ts';
import { ended, World } from './world.ts';

const ORDER = 'core.order';

interface Freeze {
  title: string;
  at: Place;
  /** What somebody does meanwhile, for which the worker's locks are in the way. */
  meanwhile: string;
}

const FREEZES: Freeze[] = [
  {
    title: 'a snapshot, of which the locks are taken and the tables not yet renamed',
    at: 'before takeSnapshot | waybill N snapshot | release savepoint waybill_lock_tables #1',
    meanwhile: `insert into acq.orders values (501, 'later', 1)`,
  },
  {
    title: 'a snapshot that is about to commit',
    at: 'before takeSnapshot | waybill N snapshot | commit of insert into waybill.event (batch_id, load_name, what, requested_by, reason) select batch_i #1',
    meanwhile: `insert into acq.orders values (501, 'later', 1)`,
  },
  {
    title: 'a drop, which holds the table that the snapshot refers to, too',
    at: 'before dropSnapshot | waybill N drop of the snapshot | drop table "acq"."orders_processing" restrict #1',
    meanwhile: `insert into acq.customer values ('meanwhile')`,
  },
];

// Side by side: most of the time a test waits for the frozen worker's heartbeat to be missed.
describe.concurrent.each(servers)('a worker that freezes on $name in', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server, servers);

  const freezeAt = async ({ at, meanwhile }: Freeze): Promise<void> => {
    const orders = ORDERS(500, { lanes: 1 });
    const world = await World.create(server, {
      ...orders,
      warehouse: `${orders.warehouse}
        create table acq.customer (name text primary key);
        insert into acq.customer select distinct customer from acq.orders union select 'later';
        alter table acq.orders add foreign key (customer) references acq.customer`,
    });
    const directory = await mkdtemp(join(tmpdir(), 'waybill-frozen-'));
    const way = await CuttableWay.to(world.address);
    try {
      const handle = await world.start(ORDER);
      const frozen = await freeze(world, way, at, join(directory, 'statements'));
      way.cut(); // else Temporal goes on giving it tasks, and waits for each until its heartbeat is missed
      const held = await world.rows<{ mode: string }>(`
        select mode from pg_locks join pg_stat_activity using (pid)
        where mode = 'AccessExclusiveLock' and application_name like 'waybill%' and locktype = 'relation'`);
      expect(held.length).toBeGreaterThan(0);
      const began = Date.now();
      await world.warehouse.query(`set statement_timeout = '30s'; ${meanwhile}`);
      const waited = Date.now() - began;
      expect(waited).toBeGreaterThan(500); // it was in the way
      expect(waited).toBeLessThan(10_000);
      if (meanwhile.includes('orders')) await world.warehouse.query(`insert into kept.orders values (501, 'later', 1)`);
      await world.worker();
      expect(await ended(handle)).toMatchObject({ ok: true });
      await frozen.wake();
      expect(await world.states(ORDER)).toEqual(['published']);
      expect(await world.exists('acq.orders_processing')).toBe(false);
      expect(await world.value('select count(*) from acq.orders')).toBe('0');
      await expectWhole(world);
    } finally {
      await world.close();
      await way.close();
      await rm(directory, { recursive: true, force: true });
    }
  };

  for (const one of FREEZES) it(one.title, () => freezeAt(one));
});
