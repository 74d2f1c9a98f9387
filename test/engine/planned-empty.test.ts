/** DESIGN §3, "Plan": a plan of nothing has no chunk that would prove what it read. */
import { afterEach, describe, expect, test } from 'vitest';
import { pauseUpdate, resumeUpdate } from '../../src/workflows/message-definitions.ts';
import { oneOfEachFamily } from '../every-server.ts';
import { done } from './breakable-orders.ts';
import { holdLatch, LATCHES, WAIT, waitsAtLatch } from './latch.ts';
import { expectWhole, ORDERS, World } from './orders.ts';
import { ended, until, type Ended } from './world.ts';

describe.each(oneOfEachFamily(import.meta.url))(
  'a snapshot on $name, before the stage that it cuts is planned',
  { timeout: 120_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    /** `change` between the load's two stages. */
    async function changed(change: string): Promise<Ended> {
      const options = ORDERS(300);
      const file = 'loads/core/order.yaml';
      const first = `stages:\n  - { name: first, sql: "${WAIT(1)}" }`;
      const yaml = options.files[file]!.replace('stages:', first);
      world = await World.create(server, { ...options, files: { ...options.files, [file]: yaml } });
      await world.warehouse.query(LATCHES);
      await world.worker();
      const letGo = await holdLatch(world, 1);
      const handle = await world.start('core.order');
      await waitsAtLatch(world);
      await handle.executeUpdate(pauseUpdate);
      await letGo();
      await until(async () => (await done(world)) === 1);
      await world.warehouse.query(change);
      await handle.executeUpdate(resumeUpdate);
      return world.names.outOf(await ended(handle));
    }

    test('exchanged for an empty table: the batch fails, though it has nothing to do, and the next start has every row', async () => {
      const end = await changed(`alter table acq.orders_processing rename to aside;
        create table acq.orders_processing (like acq.aside including all)`);
      expect(end).toMatchObject({
        ok: false,
        // Of MySQL and MariaDB the other one is alike to its comment.
        message: expect.stringMatching(
          /^(acq\.orders_processing is another table than the snapshot of batch 1|the snapshot acq\.orders_processing was rewritten or emptied .*)$/,
        ) as string,
        next: 'leave _processing tables alone; start the load again',
      });
      expect(await world.states('core.order')).toEqual(['failed']);
      await world.warehouse.query(
        'drop table acq.orders_processing; alter table acq.aside rename to orders_processing',
      );
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
      await expectWhole(world);
    });

    test('emptied past its triggers: the batch fails, though it has nothing to do', async () => {
      const truncate = 'truncate acq.orders_processing';
      const end = await changed(
        server.url.startsWith('mysql') || server.url.startsWith('mariadb')
          ? truncate
          : `begin; alter table acq.orders_processing disable trigger all; ${truncate}; commit`,
      );
      expect(end).toMatchObject({
        ok: false,
        message:
          'the snapshot acq.orders_processing was rewritten or emptied (TRUNCATE, VACUUM FULL, CLUSTER): its rows are not where they were',
      });
      expect(await world.states('core.order')).toEqual(['failed']);
    });
  },
);
