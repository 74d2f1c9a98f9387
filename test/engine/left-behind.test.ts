/** What a user's SQL leaves on its connection is never met by another chunk, nor by another attempt at the same. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { someServers } from '../every-server.ts';
import { expectSameRows, ITEM, ITEMS, COLUMNS, PLAIN_SOURCE } from './items.ts';
import { comingAgain, expectWhole, ORDERS, World } from './orders.ts';

vi.setConfig({ testTimeout: 120_000 });

const ORDER = 'core.order';
/** As workers have it by default: chunks that take next to nothing share a transaction, if nothing keeps them from it. */
const SHARED = { mostShared: 64 };
const WITH_TABLE = `
create temporary table mine as select o.id, o.customer, o.amount from {{ acq.orders }} o;
select core.come_again();
insert into core.orders (id, customer, amount, batch_id) select id, customer, amount * 2, :batch_id from mine`;

describe.each(someServers(import.meta.url))('what SQL leaves on a connection of $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('a temporary table: the next chunk of the lane makes its own, the next attempt, too', async () => {
    world = await World.create(server, {
      ...ORDERS(500, { byKey: true, lanes: 1, sql: WITH_TABLE }),
      own: comingAgain('n = 3'),
    });
    await world.worker(SHARED);
    expect(await world.run(ORDER)).toMatchObject({ ok: true, result: { chunks: 5 } });
    await expectWhole(world);
    expect(await world.rows('select n, attempts from waybill.chunk where attempts > 0')).toEqual([
      { n: 3, attempts: 1 },
    ]);
  });

  if (server.name.startsWith('PostgreSQL')) return;

  test('variables: each chunk begins without any', async () => {
    const sql = `
set @seen = coalesce(@seen, 0) + 1;
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2 * @seen, :batch_id from {{ acq.orders }} o`;
    world = await World.create(server, ORDERS(500, { byKey: true, rows: 50, lanes: 2, sql }));
    await world.worker(SHARED);
    expect(await world.run(ORDER)).toMatchObject({ ok: true, result: { rowsWritten: 500, chunks: 10 } });
    await expectWhole(world);
  });

  test.each(['source', 'warehouse'])('variables of a query that is read, on the %s', async (connection) => {
    const query = `select i.id, i.name, case when c.seen = 1 then i.amount end as amount
                     from item i join (select @seen := coalesce(@seen, 0) + 1 as seen) c`;
    const from = `cursor: id, sql: "${query.replaceAll(/\s+/g, ' ')}"`;
    const { files, ...options } = ITEMS({ source: PLAIN_SOURCE(450), columns: COLUMNS, from });
    world = await World.create(server, {
      ...options,
      warehouse: `${options.warehouse!} ${PLAIN_SOURCE(450)}`,
      files: Object.fromEntries(
        Object.entries(files).map(([path, text]) => [
          path,
          text.replace('connection: source', `connection: ${connection}`),
        ]),
      ),
    });
    await world.worker(SHARED);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 450, chunks: 5 } });
    await expectSameRows(world, 'select id, name, amount from item', 'select id, name, amount from acq.item');
  });
});
