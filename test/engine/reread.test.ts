import { afterEach, describe, expect, test } from 'vitest';
import { forceReloadUpdate, pauseUpdate, progressQuery } from '../../src/workflows/message-definitions.ts';
import type { LoadInput } from '../../src/workflows/messages.ts';
import { someWays } from '../every-server.ts';
import {
  BY_ID,
  COLUMNS,
  expectAcquired,
  expectSameRows,
  ITEM,
  itemFile,
  ITEMS,
  PLAIN_SOURCE,
  retract,
  SLOW_SOURCE,
  windows,
} from './items.ts';
import { runSession } from './session-run.ts';
import { ended, until, World } from './world.ts';

const NOTHING = { ok: true, result: { status: 'nothing' } };

const NIGHTLY = {
  'waybill.yaml': `
name: test
connections:
  source: { url: "\${SOURCE_URL}" }
  warehouse: { url: "\${WAREHOUSE_URL}" }
sessions:
  nightly: { loads: [acquisition.item] }
`,
};

describe.each(someWays(import.meta.url))(
  '--since, --until and --full, from $source to $target',
  { timeout: 120_000 },
  (way) => {
    let world: World;
    afterEach(() => world.close());

    async function items(n: number, from = BY_ID): Promise<void> {
      world = await World.create(way.into, ITEMS({ source: PLAIN_SOURCE(n), columns: COLUMNS, from }), way.from);
      await world.worker();
    }
    const run = (asked: Omit<LoadInput, 'load'> = {}) => world.run({ load: ITEM, ...asked });
    const brought = (rowsWritten: number) => ({ ok: true, result: { status: 'finished', rowsWritten } });
    /** `from-to` of every batch. */
    const read = async (): Promise<string[]> =>
      (await windows(world)).map(({ window_from, window_to }) => `${window_from ?? ''}-${window_to ?? ''}`);
    /** What a start says that it leaves to the next one. */
    const leftBy = (end: Awaited<ReturnType<typeof run>>) => end.ok && end.result.more;
    const times = (id: number) => world.value('select count(*) from acq.item where id = $1', [id]);

    test('a window since a value is read again, up to where rows are now or up to a value; the event says who asked', async () => {
      await items(300);
      expect(await run()).toMatchObject(brought(300));
      expect(await run()).toMatchObject(NOTHING);
      expect(await run({ since: '201', until: '251', requestedBy: 'ada@host' })).toMatchObject(brought(50));
      expect(await run({ since: 251 })).toMatchObject(brought(50));
      expect(await read()).toEqual(['-301', '201-251', '251-301']);
      await expectSameRows(
        world,
        'select id, name, amount from item where id between 201 and 250',
        'select id, name, amount from acq.item where batch_id = 2',
      );
      expect([await times(200), await times(250), await times(300)]).toEqual(['1', '2', '2']);
      expect(
        await world.rows(
          `select batch_id, requested_by, reason from waybill.event where what = 'window_asked' order by 1`,
        ),
      ).toEqual([
        {
          batch_id: '2',
          requested_by: 'ada@host',
          reason: '--since 201 --until 251: what was read before is read again',
        },
        { batch_id: '3', requested_by: null, reason: '--since 251: what was read before is read again' },
      ]);
      // The position is the union of what is published: nothing is left, and what is new comes once.
      expect(await run()).toMatchObject(NOTHING);
      await world.source.query(`insert into item (id, name) select 300 + g, 'new' from generate_series(1, 5) g`);
      expect(await run()).toMatchObject(brought(5));
      expect((await read()).at(-1)).toBe('301-306');
    });

    test('a window beyond what was read leaves a gap, which the next plain start reads', async () => {
      await items(300, `${BY_ID}, start: 101`);
      expect(await run({ until: 151 })).toMatchObject(brought(50));
      expect(await run({ since: 201, until: 251 })).toMatchObject(brought(50));
      const gap = await run();
      expect(gap).toMatchObject(brought(50));
      expect(leftBy(gap)).toMatch(/^rows of source (public\.)?item from 251 on are not read yet$/);
      const last = await run();
      expect(last).toMatchObject(brought(50));
      expect(leftBy(last)).toBe(undefined);
      expect(await run()).toMatchObject(NOTHING);
      expect(await read()).toEqual(['101-151', '201-251', '151-201', '251-301']);
      await expectSameRows(world, 'select * from item where id > 100', 'select id, name, amount from acq.item');
    });

    test('one run of a session reads every gap between windows, one batch each, and then what is new', async () => {
      const options = ITEMS({ source: PLAIN_SOURCE(300), columns: COLUMNS, files: NIGHTLY });
      world = await World.create(way.into, options, way.from);
      await world.worker();
      expect(await run({ until: 51 })).toMatchObject(brought(50));
      expect(await run({ since: 101, until: 151 })).toMatchObject(brought(50));
      expect(await run({ since: 201, until: 251 })).toMatchObject(brought(50));
      const batch = (batchId: string) => ({ connection: 'warehouse', batchId });
      expect(await runSession(world)).toEqual({
        ok: true,
        result: {
          ...{ session: 'nightly', status: 'finished' },
          loads: [
            {
              ...{ load: ITEM, status: 'finished', rowsWritten: 50, batch: batch('6') },
              earlier: [batch('4'), batch('5')],
            },
          ],
        },
      });
      expect((await read()).slice(3)).toEqual(['51-101', '151-201', '251-301']);
      await expectAcquired(world);
      expect(await runSession(world)).toMatchObject({ ok: true, result: { loads: [{ status: 'nothing' }] } });
    });

    test('a gap whose rows fail is met by every start, which says from where on --since reads what is newer', async () => {
      const warehouse = 'alter table acq.item add constraint sane check (amount < 1000000);';
      const source = `${PLAIN_SOURCE(300)} update item set amount = 2000000 where id = 75;`;
      const options = ITEMS({ source, columns: COLUMNS, warehouse, files: NIGHTLY });
      world = await World.create(way.into, options, way.from);
      await world.worker();
      expect(await run({ until: 51 })).toMatchObject(brought(50));
      expect(await run({ since: 101, until: 251 })).toMatchObject(brought(150));
      expect(await runSession(world)).toMatchObject({ ok: false });
      expect(
        await world.rows(`select batch_id, reason from waybill.event where what = 'rows_left' order by batch_id`),
      ).toEqual([
        {
          batch_id: '3',
          reason: expect.stringMatching(/^rows of source (public\.)?item from 251 on$/) as string,
        },
      ]);
      expect(await run({ since: 251 })).toMatchObject(brought(50));
      await world.source.query('update item set amount = 1 where id = 75');
      expect(await runSession(world)).toMatchObject({ ok: true, result: { loads: [{ rowsWritten: 50 }] } });
      expect((await read()).slice(2)).toEqual(['51-101', '251-301', '51-101']);
      await expectAcquired(world);
    });

    test('until a value: gaps below it, none above, nothing where all is read; again it asks for nothing', async () => {
      await items(300);
      expect(await run({ until: 101 })).toMatchObject(brought(100));
      expect(await run({ until: 101 })).toMatchObject(NOTHING);
      expect(await run({ until: 51 })).toMatchObject(NOTHING);
      expect(await run({ until: 201 })).toMatchObject(brought(100));
      await retract(world, '1');
      // What was not asked for is not left.
      const below = await run({ until: 51 });
      expect(below).toMatchObject(brought(50));
      expect(leftBy(below)).toBe(undefined);
      const first = await run({ until: 9000 });
      expect(first).toMatchObject(brought(50));
      expect(leftBy(first)).toMatch(/ from 201 on are not read yet$/);
      expect(await run({ until: 9000 })).toMatchObject(brought(100));
      expect(await read()).toEqual(['-101', '101-201', '-51', '51-101', '201-301']);
      await expectSameRows(world, 'select * from item', 'select id, name, amount from acq.item');
      expect(await world.rows(`select reason from waybill.event where what = 'window_asked' and batch_id = 1`)).toEqual(
        [{ reason: '--until 101' }],
      );
    });

    test('full: everything from `start` on, in one batch; what is new meanwhile too', async () => {
      await items(300, `${BY_ID}, start: 101`);
      expect(await run()).toMatchObject(brought(200));
      // MySQL's numbers have gaps behind many rows, and a sequence of PostgreSQL must know what was given out.
      const isPostgres = world.sourceWords.family === 'postgres';
      await world.source.query(
        `insert into item ${isPostgres ? `(name) values ('new')` : `(id, name) values (301, 'new')`}`,
      );
      expect(await run({ full: true })).toMatchObject(brought(201));
      expect(await run()).toMatchObject(NOTHING);
      expect(await read()).toEqual(['101-301', '101-302']);
      expect([await times(100), await times(101), await times(301)]).toEqual(['0', '2', '1']);
      // One that fails is not done again by a plain start: the window was asked for once.
      await world.warehouse.query(`update waybill.batch set state = 'failed' where batch_id = 2`);
      await world.warehouse.query('delete from acq.item where batch_id = 2');
      expect(await run()).toMatchObject(brought(1));
      expect((await read()).at(-1)).toBe('301-302');
    });

    test('what was asked for is read by the batch after a force too, though the run before has continued as new', async () => {
      const source = SLOW_SOURCE(300, 0.01);
      const options = ITEMS({ source, columns: COLUMNS, from: BY_ID, chunkRows: 25, yaml: 'lanes: 1' });
      world = await World.create(way.into, options, way.from);
      await world.worker({ historyLimit: 1 });
      expect(await run()).toMatchObject(brought(300));
      const handle = await world.start({ load: ITEM, since: 101, until: 251 });
      const done = `select count(*) from waybill.chunk where state = 'done' and batch_id = 2`;
      await until(async () => (await world.value(done)) !== '0');
      // Its lane comes back, and the history is longer than it may be.
      const current = world.client.workflow.getHandle(handle.workflowId);
      await current.executeUpdate(pauseUpdate);
      await until(async () => (await current.query(progressQuery)).continued > 0);
      expect(await current.query(progressQuery)).toMatchObject({ paused: true });
      // A force is not kept waiting by the pause.
      expect(await current.executeUpdate(forceReloadUpdate, { args: [{}] })).toMatchObject({ answer: 'accepted' });
      expect(await ended(handle)).toMatchObject(brought(150));
      expect(await windows(world)).toMatchObject([
        { state: 'published' },
        { state: 'failed', window_from: '101', window_to: '251' },
        { state: 'published', window_from: '101', window_to: '251' },
      ]);
    });

    test('what does not fit is a configuration error, and opens no batch', async () => {
      await items(300, `${BY_ID}, start: 101`);
      const refused = async (asked: Omit<LoadInput, 'load'>, load = ITEM): Promise<string> => {
        const end = await world.run({ load, ...asked });
        expect(end).toMatchObject({ ok: false, type: 'Configuration' });
        return end.ok ? '' : end.message;
      };
      expect(await refused({ since: 'monday' })).toMatch(/^--since is monday, which is no bigint/);
      expect(await refused({ until: 'monday' })).toMatch(/^--until is monday, which is no bigint/);
      expect(await refused({ since: 100 })).toBe('--since 100 lies below from.start, 101: no row down there is read');
      for (const since of [200, 300])
        expect(await refused({ since, until: 200 })).toBe(
          `--until 200 does not lie above --since ${since}: no row is between them`,
        );
      expect(await refused({ since: 150, full: true })).toBe(
        '--since 150 --full: --full reads everything, without bounds',
      );
      expect(await refused({ since: 150, resume: true })).toBe(
        'the held batch has its window, and --since 150 asks for another',
      );
      await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item' }));
      expect(await refused({ full: true })).toBe(
        '--full is for acquisitions with a cursor, and acquisition.item has none',
      );
      expect(await world.rows('select batch_id from waybill.batch')).toEqual([]);
    });
  },
);
