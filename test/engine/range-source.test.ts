import { afterEach, describe, expect, test } from 'vitest';
import { someWays } from '../every-server.ts';
import { COLUMNS, expectAcquired, expectSameRows, ITEM, itemFile, ITEMS } from './items.ts';
import { servers } from '../servers.ts';
import { World } from './world.ts';

const RANGE = 'range: { column: id, step: 100 }';
/** Numbers with gaps, below zero too, some twice, and rows without one; no key. */
const SOURCE = `create table item (id bigint, name varchar(60), amount numeric(12,2));
  insert into item select g * 3 - 250, concat('item ', g), g from generate_series(0, 299) g;
  insert into item select 47, 'again', null from generate_series(1, 20) g;
  insert into item (name) values ('no number'), ('none');`;

describe.each(someWays(import.meta.url))('from.range, from $source to $target', { timeout: 120_000 }, (way) => {
  let world: World;
  afterEach(() => world.close());

  async function items(from: string, source = SOURCE, columns = COLUMNS): Promise<void> {
    world = await World.create(way.into, ITEMS({ source, columns, from }), way.from);
    await world.worker();
  }
  const sizes = () =>
    world.rows('select n, range_from, range_to, row_count from waybill.chunk where batch_id = 1 order by n');

  test('cuts a table without a key: each row once, the ends open, rows without a value apart', async () => {
    await items(`table: public.item, ${RANGE}`);
    // -250 … 647 in steps of 100, and the rows without a number
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 322, chunks: 10 } });
    await expectAcquired(world);
    const chunks = await sizes();
    expect(chunks[0]).toMatchObject({ range_from: null, range_to: '["-150"]' });
    expect(chunks[8]).toMatchObject({ range_from: '["550"]', range_to: null, row_count: '33' });
    expect(chunks[9]).toMatchObject({ range_from: 'null', row_count: '2' });
  });

  test('cuts a view and a query, and decimals', async () => {
    await items(`sql: "select i.id, i.name, i.amount from item i where i.id > 0", ${RANGE}`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 236, chunks: 7 } });
    await expectSameRows(
      world,
      'select id, name, amount from item where id > 0',
      'select id, name, amount from acq.item',
    );
    await world.source.query('create view priced as select id, name, amount from item where amount is not null');
    await world.write(
      'loads/acquisition/item.yaml',
      itemFile({ from: 'table: public.priced, range: { column: amount, step: 60 }' }),
    );
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300, chunks: 5 } });
    await expectSameRows(
      world,
      'select id, name, amount from priced',
      'select id, name, amount from acq.item where batch_id = 2',
    );
    await world.source.query('delete from item where amount is not null');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { status: 'nothing' } });
  });

  test('numbers beyond what a float holds; a step that is too small, a column of no numbers', async () => {
    await items(
      `table: public.item, range: { column: id, step: 9000000000000000 }`,
      `
      create table item (id bigint, name varchar(60), amount numeric(12,2));
      insert into item (id) values (-9007199254740993), (0), (9007199254740993)`,
    );
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 3, chunks: 3 } });
    await expectAcquired(world);
    const refused = async (from: string): Promise<string> => {
      await world.write('loads/acquisition/item.yaml', itemFile({ from }));
      const end = await world.run(ITEM);
      expect(end).toMatchObject({ ok: false, type: 'Configuration' });
      return end.ok ? '' : end.message;
    };
    expect(await refused('table: public.item, range: { column: id, step: 10 }')).toBe(
      'from.range cuts id from -9007199254740993 to 9007199254740993 into 1801439850948199 ranges, and 100000 are the most',
    );
    expect(await refused('table: public.item, range: { column: name, step: 10 }')).toMatch(
      /name is (varchar|character varying)\(60\): from\.range cuts numbers$/,
    );
    expect(await refused('table: public.item, range: { column: ids, step: 10 }')).toMatch(/has no column ids$/);
  });
});

// MySQL and MariaDB have neither.
describe(`from.range over NaN and infinity, on ${servers[0]!.name}`, { timeout: 120_000 }, () => {
  let world: World;
  afterEach(() => world.close());

  test('they are in the last range, minus infinity in the first, and alone in one that is open on both sides', async () => {
    const source = `create table item (id bigint, name text, amount numeric);
      insert into item select g, 'plain', g from generate_series(1, 9) g;
      insert into item values (10, 'a', 'NaN'), (11, 'b', 'Infinity'), (12, 'c', '-Infinity'), (13, 'd', null)`;
    const from = 'table: public.item, range: { column: amount, step: 3 }';
    const columns = 'id bigint, name text, amount numeric';
    world = await World.create(servers[0]!, ITEMS({ source, columns, from }));
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 13, chunks: 4 } });
    await expectAcquired(world);
    await world.source.query("delete from item where name = 'plain'");
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 4, chunks: 2 } });
  });
});
