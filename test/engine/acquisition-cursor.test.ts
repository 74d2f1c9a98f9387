import { afterEach, describe, expect, test } from 'vitest';
import { someWays } from '../every-server.ts';
import {
  BY_ID,
  COLUMNS,
  expectAcquired,
  expectSameRows,
  ITEM,
  itemFile,
  ITEMS,
  NOTHING_NEW,
  PLAIN_SOURCE,
  retract,
  windows,
} from './items.ts';
import { World } from './world.ts';

/** InnoDB takes numbers ahead for rows that it cannot count beforehand; the next number is the next one again after this. */
const tight = async (world: World): Promise<void> => {
  if (world.sourceWords.family === 'mysql') await world.source.query('alter table item auto_increment = 1');
};

describe.each(someWays(import.meta.url))(
  'what an acquisition reads by a number, from $source to $target',
  { timeout: 300_000 },
  ({ from, into }) => {
    let world: World;
    afterEach(() => world.close());

    test('copies by a growing number, in chunks; the next run only what is new; the one after that opens no batch', async () => {
      world = await World.create(into, ITEMS({ source: PLAIN_SOURCE(1050), columns: COLUMNS }), from);
      await tight(world);
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({
        ok: true,
        result: { status: 'finished', rowsWritten: 1050, chunks: 11 },
      });
      await expectAcquired(world);
      expect(await world.value('select count(distinct ngdw_id) from acq.item')).toBe('1050');
      expect(await world.rows('select state, rows_read, rows_written from waybill.batch')).toEqual([
        { state: 'published', rows_read: '1050', rows_written: '1050' },
      ]);

      await world.source.query(`insert into item (name) select 'new' from generate_series(1, 7) g`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 7 } });
      await expectAcquired(world);
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      expect(await windows(world)).toEqual([
        { state: 'published', window_from: null, window_to: '1051' },
        { state: 'published', window_from: '1051', window_to: '1058' },
      ]);
      expect(
        await world.rows('select batch_id, count(*) as n from acq.item group by batch_id order by batch_id'),
      ).toEqual([
        { batch_id: '1', n: '1050' },
        { batch_id: '2', n: '7' },
      ]);
    });

    test('takes the greatest number of eight bytes', async () => {
      const source = `create table item (id bigint primary key, name text); insert into item values (1, 'first'), (9223372036854775807, 'last');`;
      world = await World.create(into, ITEMS({ source, columns: 'id bigint, name text' }), from);
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
      await expectSameRows(world, 'select id, name from item', 'select id, name from acq.item');
      expect((await windows(world)).map((window) => window.window_to)).toEqual(['9223372036854775808']);
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
    });

    test('takes decimals of a fixed scale for a cursor, and the greatest integer that there is', async () => {
      const source = `create table item (id integer, step numeric(8,2));
      insert into item select g, g * 0.25 from generate_series(1, 300) g;
      insert into item values (2147483647, 80.01);`;
      const step = itemFile({ from: 'table: public.item, cursor: step' }).replace('acq.item', 'acq.step');
      world = await World.create(
        into,
        ITEMS({
          source,
          columns: 'id integer, step numeric(8,2)',
          files: { 'loads/acquisition/step.yaml': step },
        }),
        from,
      );
      await world.warehouse.query('create table acq.step (like acq.item including all)');
      await world.worker();
      for (const table of ['item', 'step']) {
        expect(await world.run(`acquisition.${table}`)).toMatchObject({ ok: true, result: { rowsWritten: 301 } });
        await expectSameRows(world, 'select id, step from item', `select id, step from acq.${table}`);
      }
      expect((await windows(world)).map((window) => window.window_to)).toEqual(['2147483648', '80.02']);
      await world.source.query('insert into item values (17, 80.02)');
      expect(await world.run('acquisition.step')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
    });

    test('reads a table without cursor and key, or a view, as one chunk', async () => {
      const source = `create table stock (id bigint, name text, amount numeric(12,2));
      insert into stock select g % 5, 'x', null from generate_series(1, 500) g; create view item as select * from stock;`;
      world = await World.create(into, ITEMS({ source, columns: COLUMNS, from: 'table: public.item' }), from);
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 500, chunks: 1 } });
      await expectAcquired(world);
    });

    test('begins at `start`, and keeps what lies below out for good', async () => {
      world = await World.create(
        into,
        ITEMS({ source: PLAIN_SOURCE(300), columns: COLUMNS, from: `${BY_ID}, start: 201` }),
        from,
      );
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      await expectSameRows(world, 'select * from item where id > 200', 'select id, name, amount from acq.item');
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      await retract(world, '1');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      expect((await windows(world))[1]).toEqual({ state: 'published', window_from: '201', window_to: '301' });
      // A lower start brings what lies between; a higher one changes nothing that was read.
      await world.write('loads/acquisition/item.yaml', itemFile({ from: `${BY_ID}, start: 101` }));
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      await world.write('loads/acquisition/item.yaml', itemFile({ from: `${BY_ID}, start: 900` }));
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      await world.source.query('insert into item (id) values (301), (2000)');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
      await expectSameRows(world, 'select * from item where id > 100', 'select id, name, amount from acq.item');
    });
  },
);

describe.each(someWays(import.meta.url))(
  'where a cursor by a number stands, from $source to $target',
  { timeout: 300_000 },
  ({ from, into }) => {
    let world: World;
    afterEach(() => world.close());

    /** Three published windows of 100 rows each. */
    async function three(): Promise<void> {
      world = await World.create(into, ITEMS({ source: PLAIN_SOURCE(100), columns: COLUMNS }), from);
      await world.worker();
      for (const round of [1, 2, 3]) {
        await tight(world);
        if (round > 1) await world.source.query(`insert into item (name) select 'x' from generate_series(1, 100) g`);
        expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      }
      await tight(world);
    }

    test('a window that was retracted is read again, exactly that gap, and then what is new: in the middle, the first, the last', async () => {
      await three();
      await retract(world, '2');
      await world.source.query(`insert into item (name) select 'new' from generate_series(1, 5) g`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 5 } });
      await expectAcquired(world);
      // The first one is open below.
      await world.source.query(`insert into item (id, name) values (-5, 'below zero')`);
      await retract(world, '1');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 101 } });
      await expectAcquired(world);
      await retract(world, '5');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 5 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      await expectAcquired(world);
      expect((await windows(world)).slice(3)).toEqual([
        { state: 'published', window_from: '101', window_to: '201' },
        { state: 'retracted', window_from: '301', window_to: '306' },
        { state: 'published', window_from: null, window_to: '101' },
        { state: 'published', window_from: '301', window_to: '306' },
      ]);
    });

    test('a gap whose rows are gone from the source does not keep what is new out; where all windows are retracted, everything is read', async () => {
      await three();
      await retract(world, '2');
      await world.source.query(`delete from item where id between 101 and 200`);
      await world.source.query(`insert into item (name) values ('new')`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      await expectAcquired(world);
      // A row that turns up in the gap after all is still wanted.
      await world.source.query(`insert into item (id, name) values (150, 'back')`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectAcquired(world);
      for (const batch of ['1', '3', '4', '5']) await retract(world, batch);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 202 } });
      await expectAcquired(world);
    });

    test('another cursor is refused once windows were published, for they say nothing about it', async () => {
      world = await World.create(into, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }), from);
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true });
      await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item, cursor: amount' }));
      const refused = await world.run(ITEM);
      expect(refused).toMatchObject({ ok: false, type: 'Configuration' });
      expect(!refused.ok && refused.message).toBe(
        'acquisition.item was read by cursor id so far: what was read is not known in terms of amount',
      );
      expect(await world.states(ITEM)).toEqual(['published']);
    });
  },
);
