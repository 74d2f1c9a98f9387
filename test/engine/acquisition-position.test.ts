/** Where a cursor by time stands: after failures, on clocks that go wrong, with gaps. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { someWays } from '../every-server.ts';
import { COLUMNS, expectAcquired, ITEM, ITEMS, NOTHING_NEW, PLAIN_SOURCE, retract, windows } from './items.ts';
import { World } from './world.ts';

describe.each(someWays(import.meta.url))(
  'where a cursor stands, from $source to $target',
  { timeout: 300_000 },
  ({ from, into }) => {
    let world: World;
    afterEach(() => world.close());

    /** A hundred rows of yesterday, read once. */
    async function yesterday(type: 'timestamp' | 'timestamptz', lag: string): Promise<void> {
      // MySQL's `timestamp` has no digits behind the second unless it says so.
      const at = (family: string): string => (type === 'timestamp' && family === 'mysql' ? 'datetime(6)' : type);
      const source = (family: string): string => `create table item (id bigint, at ${at(family)} not null);
        insert into item select g, now() - interval '1 day' from generate_series(1, 100) g;`;
      world = await World.create(
        into,
        ITEMS({
          source: { postgres: source('postgres'), mysql: source('mysql') },
          columns: `id bigint, at ${at(into.url.startsWith('postgres') ? 'postgres' : 'mysql')}`,
          from: `table: public.item, cursor: at, lag: ${lag}`,
        }),
        from,
      );
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    }
    const writeNow = () => world.source.query('insert into item values (101, clock_timestamp())');
    /** What the clock of the source shows so much later or earlier, as the source writes it. */
    const clock = async (shift: string): Promise<string> => {
      const { rows } = await world.source.query<{ at: string }>(`select (clock_timestamp() ${shift})::text as at`);
      return rows[0]!.at;
    };
    /** The end of what was read is moved in the ledger: nobody sets a server's clock. */
    const endAt = async (shift: string) =>
      world.warehouse.query('update waybill.batch set window_to = $1', [await clock(shift)]);

    test('a failed batch leaves no window: the next one reads the same', async () => {
      world = await World.create(
        into,
        ITEMS({ source: PLAIN_SOURCE(250), columns: `${COLUMNS}, constraint not_that check (id <> 222)` }),
        from,
      );
      await world.worker();
      const failed = await world.run(ITEM);
      expect(failed).toMatchObject({ ok: false, type: 'Database' });
      expect(!failed.ok && failed.message).toMatch(/^chunk 3 of 3: .*\bnot_that\b/);
      expect(!failed.ok && failed.message).not.toContain('222');
      expect(await windows(world)).toMatchObject([{ state: 'failed' }]);
      expect(await world.value('select count(*) from acq.item')).toBe('0');
      await world.warehouse.query('alter table acq.item drop constraint not_that');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 250 } });
      await expectAcquired(world);
    });

    test('a window that ends ahead of the clock by less than the lag, as of one that was set back: no row is lost, and none read twice', async () => {
      await yesterday('timestamptz', '3s');
      // As if it had been two seconds ahead then: that window ends later than one of now would.
      await endAt(`- interval '1 second'`);
      await writeNow();
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      await pause(3_500);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      await expectAcquired(world, 'id, at');
    });

    test('a window that ends ahead of the clock by more, as of one that was set back: refused, for rows of now would never be read, until it has caught up', async () => {
      await yesterday('timestamp', '500ms');
      await endAt(`+ interval '3 second'`);
      const refused = await world.run(ITEM);
      expect(refused).toMatchObject({ ok: false, type: 'LoadFailed' });
      expect(!refused.ok && refused.message).toMatch(
        /^it is 2\S+ \S+ on source, which batch 1 has read, and all that was read reaches up to 2.*: the clock, or the time zone of the role, was set back, and rows that are written now would never be read$/,
      );
      expect(!refused.ok && refused.next).toMatch(/^start again when it is later than 2/);
      expect(await world.states(ITEM)).toEqual(['published']);
      await pause(3_100);
      await writeNow();
      await pause(600);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectAcquired(world, 'id, at');
    });

    test('a gap that reaches into the future is read up to now only', async () => {
      await yesterday('timestamptz', '0s');
      // The clock ran an hour ahead for a while, and the window of that while is published; the first one is retracted.
      await world.warehouse.query(`update waybill.batch set state = 'published', window_from = $1, window_to = $2`, [
        await clock(`+ interval '1 hour'`),
        await clock(`+ interval '2 hours'`),
      ]);
      await world.warehouse.query('truncate acq.item');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
      await writeNow();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectAcquired(world, 'id, at');
    });

    test('a window that was retracted is read again, from where the one before it ends to where the one behind it begins', async () => {
      await yesterday('timestamptz', '0s');
      await writeNow();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await world.source.query('insert into item values (102, clock_timestamp()), (103, clock_timestamp())');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
      const [, second] = await windows(world);
      await retract(world, '2');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect((await windows(world)).at(-1)).toEqual({ ...second, state: 'published' });
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      await expectAcquired(world, 'id, at');
    });
  },
);
