import { afterEach, describe, expect, test } from 'vitest';
import { someServers } from '../every-server.ts';
import { World } from './world.ts';

describe.each(someServers(import.meta.url))(
  'a landing table that scripts fill, on $name',
  { timeout: 60_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    const create = (ready: string): Promise<World> =>
      World.create(server, {
        files: {
          'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true, ready: "${ready}" } ]
stages: [ { name: orders, sql: "insert into core.orders (id, batch_id) select o.id, :batch_id from {{ acq.orders }} o" } ]
outputs: [ core.orders ]
params: { least: 2 }
checks: [ { name: whole, sql: "select broken from acq.tempo", expect: 0 } ]
`,
        },
        // Without batch_id: those scripts know of no batches.
        warehouse: `
        create schema acq; create schema core;
        create table acq.tempo (done int, broken int); insert into acq.tempo values (0, 0);
        create table acq.orders (id bigint); insert into acq.orders values (1), (2);
        create table core.orders (id bigint, batch_id bigint not null);`,
      });

    test('is left alone until they are done', async () => {
      world = await create('select done from acq.tempo');
      await world.worker();
      const reason = expect.stringMatching(/acq\.orders is not ready$/) as string;
      expect(world.names.outOf(await world.run('core.order'))).toMatchObject({
        ok: true,
        result: { status: 'nothing', reason },
      });
      expect(await world.states('core.order')).toEqual([]);
      await world.warehouse.query('update acq.tempo set done = 3');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    });

    test.each([
      'select 1 = 0',
      'select null',
      `select 'soon'`,
      'select done from acq.tempo where done > 0',
      'select 1 where :params.least > 2',
    ])('is not ready when the answer is that of: %s', async (ready) => {
      world = await create(ready);
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { status: 'nothing' } });
    });

    test('whose snapshot was taken is not asked again: a failed batch is redone', async () => {
      world = await create('select done from acq.tempo');
      await world.worker();
      await world.warehouse.query('update acq.tempo set done = 1, broken = 1');
      expect(await world.run('core.order')).toMatchObject({ ok: false });
      await world.warehouse.query('update acq.tempo set done = 0, broken = 0');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    });

    test('and a query that fails are said as what they are', async () => {
      world = await create('select done from acq.tempi');
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({
        ok: false,
        type: 'Configuration',
        message: expect.stringContaining('is ready failed: ') as string,
      });
      expect(await world.states('core.order')).toEqual([]);
    });
  },
);
