import { afterEach, describe, expect, test } from 'vitest';
import { someServers } from '../every-server.ts';
import { servers } from '../servers.ts';
import {
  BY_ID,
  chunks,
  COLUMNS,
  expectAcquired,
  expectSameRows,
  ITEM,
  itemFile,
  ITEMS,
  PLAIN_SOURCE,
  retract,
  windows,
  settling,
} from './items.ts';
import { ended, World } from './world.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const NOTHING = {
  ok: true,
  result: { status: 'nothing', reason: expect.stringMatching(/^nothing new in source (public\.)?item$/) as string },
};

// Transactions of other tests on the same MySQL are waited for, too: hence the patience.

/** InnoDB takes numbers ahead for rows that it cannot count beforehand; the next number is the next one again after this. */
const tight = async (world: World): Promise<void> => {
  if (world.words.family === 'mysql') await world.source.query('alter table item auto_increment = 1');
};

/** Windows of times, and values of all types: acquisition.test.ts, test/database/mysql/windows.test.ts. */
describe.each(someServers(import.meta.url))(
  'what an acquisition reads by a number, on $name',
  { timeout: 300_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    test('copies by a growing number, in chunks; the next run only what is new; the one after that opens no batch', async () => {
      world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(1050), columns: COLUMNS }));
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
      expect(await world.run(ITEM)).toMatchObject(NOTHING);
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

    test('takes decimals of a fixed scale for a cursor, and the greatest integer that there is', async () => {
      const source = `create table item (id integer, step numeric(8,2));
      insert into item select g, g * 0.25 from generate_series(1, 300) g;
      insert into item values (2147483647, 80.01);`;
      world = await World.create(server, {
        ...ITEMS({ source, columns: 'id integer, step numeric(8,2)' }),
        files: {
          'loads/acquisition/item.yaml': itemFile({}),
          'loads/acquisition/step.yaml': itemFile({ from: 'table: public.item, cursor: step' }).replace(
            'acq.item',
            'acq.step',
          ),
        },
      });
      await world.warehouse.query('create table acq.step (like acq.item including all)');
      await world.worker();
      for (const table of ['item', 'step']) {
        expect(await world.run(`acquisition.${table}`)).toMatchObject({ ok: true, result: { rowsWritten: 301 } });
        await expectSameRows(world, 'select id, step from item', `select id, step from acq.${table}`);
      }
      expect((await windows(world)).map((window) => window.window_to)).toEqual(['2147483648', '80.02']);
      await world.source.query('insert into item values (17, 80.02)');
      expect(await world.run('acquisition.step')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING);
    });

    test('reads a table without cursor and key, or a view, as one chunk', async () => {
      const source = `create table stock (id bigint, name text, amount numeric(12,2));
      insert into stock select g % 5, 'x', null from generate_series(1, 500) g; create view item as select * from stock;`;
      world = await World.create(server, ITEMS({ source, columns: COLUMNS, from: 'table: public.item' }));
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 500, chunks: 1 } });
      await expectAcquired(world);
    });

    test('begins at `start`, and keeps what lies below out for good', async () => {
      world = await World.create(
        server,
        ITEMS({ source: PLAIN_SOURCE(300), columns: COLUMNS, from: `${BY_ID}, start: 201` }),
      );
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      await expectSameRows(world, 'select * from item where id > 200', 'select id, name, amount from acq.item');
      expect(await world.run(ITEM)).toMatchObject(NOTHING);
      await retract(world, '1');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      expect((await windows(world))[1]).toEqual({ state: 'published', window_from: '201', window_to: '301' });
      // A lower start brings what lies between; a higher one changes nothing that was read.
      await world.write('loads/acquisition/item.yaml', itemFile({ from: `${BY_ID}, start: 101` }));
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      await world.write('loads/acquisition/item.yaml', itemFile({ from: `${BY_ID}, start: 900` }));
      expect(await world.run(ITEM)).toMatchObject(NOTHING);
      await world.source.query('insert into item (id) values (301), (2000)');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
      await expectSameRows(world, 'select * from item where id > 100', 'select id, name, amount from acq.item');
    });
  },
);

describe.each(someServers(import.meta.url))(
  'transactions on the source that are open, on $name',
  { timeout: 300_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    test('a transaction that opened before the window and commits late is waited for, and none of its rows is missed', async () => {
      world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(100), columns: COLUMNS }));
      await world.worker();
      const late = await world.another('source');
      // Its ids are lower than those of rows that others commit before it.
      await late.query(`begin; insert into item (name) select 'late' from generate_series(1, 50) g`);
      await world.source.query(`insert into item (name) select 'early' from generate_series(1, 50) g`);
      const handle = await world.start(ITEM);
      await settling(handle);
      await pause(700);
      expect((await chunks(world)).all).toBe(0);
      // One that opens now is none of our business, even when it never ends.
      const later = await world.another('source');
      await later.query(`begin; insert into item (name) values ('later')`);
      await late.query('commit');
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 200 } });
      await expectAcquired(world);
      await later.query('commit');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectAcquired(world);
    });

    test('one that rolls back leaves nothing behind, and ids that commit out of order land once', async () => {
      world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
      await world.worker();
      const others = await Promise.all([1, 2, 3, 4].map(() => world.another('source')));
      for (const other of others) {
        await other.query(`begin; insert into item (name) select 'of one' from generate_series(1, 30) g`);
      }
      await others[3]!.query('commit');
      const handle = await world.start(ITEM);
      await settling(handle);
      await pause(700);
      expect((await chunks(world)).all).toBe(0);
      await others[1]!.query('commit');
      await others[2]!.query('rollback');
      await others[0]!.query('commit');
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      await expectAcquired(world);
      expect(await world.run(ITEM)).toMatchObject(NOTHING);
    });
  },
);

// On MySQL and MariaDB those of other tests stay open, too: test/database/mysql/open-transactions.test.ts.
describe.each(servers)('transactions on the source, on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('one that stays open fails the load after a while, which names it; the next run has its rows too', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.worker({ settleLimitMs: 1_500 });
    const open = await world.another('source', 'monthly report');
    await open.query(`begin; insert into item (name) values ('open')`);
    await world.source.query(`insert into item (name) values ('shut')`);
    const [{ id }] = (await open.query<{ id: number }>(world.words.self)).rows as [{ id: number }];
    const failed = await world.run(ITEM);
    expect(failed).toMatchObject({ ok: false, type: 'LoadFailed' });
    expect(!failed.ok && failed.message).toMatch(
      /^1 transaction on source stayed open for 1.5 s, and it could still commit rows into this window: connection \d+ \(\w+, monthly report, open \d+ s\)$/,
    );
    expect(!failed.ok && failed.message).toContain(`connection ${id} `);
    expect(await world.states(ITEM)).toEqual(['failed']);
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    await open.query('commit');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 12 } });
    await expectAcquired(world);
  });
});

describe.each(someServers(import.meta.url))(
  'where a cursor by a number stands, on $name',
  { timeout: 300_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    /** Three published windows of 100 rows each. */
    async function three(): Promise<void> {
      world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(100), columns: COLUMNS }));
      await world.worker();
      for (const round of [1, 2, 3]) {
        await tight(world);
        if (round > 1) await world.source.query(`insert into item (name) select 'x' from generate_series(1, 100) g`);
        expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      }
      await tight(world);
    }

    test('a window that was retracted in the middle is read again, exactly that gap, and then what is new', async () => {
      await three();
      await retract(world, '2');
      await world.source.query(`insert into item (name) select 'new' from generate_series(1, 5) g`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 5 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING);
      await expectAcquired(world);
      expect((await windows(world)).slice(3)).toEqual([
        { state: 'published', window_from: '101', window_to: '201' },
        { state: 'published', window_from: '301', window_to: '306' },
      ]);
    });

    test('the first window, open below, is read again when it was retracted', async () => {
      await three();
      await world.source.query(`insert into item (id, name) values (-5, 'below zero')`);
      await retract(world, '1');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 101 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING);
      await expectAcquired(world);
      expect((await windows(world))[3]).toEqual({ state: 'published', window_from: null, window_to: '101' });
    });

    test('all windows retracted: everything is read again; the last one only: from where it began', async () => {
      await three();
      await retract(world, '3');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      await expectAcquired(world);
      for (const batch of ['1', '2', '4']) await retract(world, batch);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
      await expectAcquired(world);
    });

    test('a gap whose rows are gone from the source does not keep what is new out', async () => {
      await three();
      await retract(world, '2');
      await world.source.query(`delete from item where id between 101 and 200`);
      await world.source.query(`insert into item (name) values ('new')`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING);
      await expectAcquired(world);
      // A row that turns up in the gap after all is still wanted.
      await world.source.query(`insert into item (id, name) values (150, 'back')`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectAcquired(world);
    });

    test('another cursor is refused once windows were published, for they say nothing about it', async () => {
      world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
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
