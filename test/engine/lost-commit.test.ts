/** A connection is cut exactly at COMMIT: it never arrived, or it was done and nobody heard of it. Nobody can tell which. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { oneOfEachFamily } from '../every-server.ts';
import { event, says } from './commit-proxy.ts';
import { cutEachCommit } from './cut-commits.ts';
import { HELD_ORDERS, isBefore, ON_THE_WAY, ON_THE_WAY_BACK, steps, type MomentName } from './moments.ts';
import { expectWhole } from './orders.ts';
import type { ServerWords } from './server-words.ts';
import { World, type Ended } from './world.ts';

/** As a load comes to them. */
const IN_ORDER: MomentName[] = [...Object.keys(ON_THE_WAY), ...Object.keys(ON_THE_WAY_BACK)] as MomentName[];

type Transactions = Partial<Record<MomentName, RegExp>>;

const STEP = says('update', 'waybill.step', `set state = ('done'|\\?.*done)`);
const FORWARD: Transactions = {
  open: event('opened'),
  'a step before': STEP,
  plan: says('into', 'waybill.chunk', ''),
  'the statements of a chunk': says('update', 'waybill.chunk', `set state = 'done'`),
  'the begin of the checks': event('checking'),
  publish: event('published'),
  'a step after': STEP,
};
/** Of MySQL each statement that changes tables is a transaction of its own: the crash points stand for these, here is the ledger's part. */
const OF_TABLES: Record<ServerWords['family'], Transactions> = {
  postgres: { snapshot: event('snapshot'), 'the drop of the snapshot': event('snapshot_dropped') },
  mysql: {
    'the intent of a swap': says('into', 'waybill.swap_intent', ''),
    snapshot: event('snapshot'),
    'the drop of the snapshot': says('update', 'waybill.snapshot', 'dropped_at'),
  },
};
const BACK: Transactions = {
  fence: event('rolling_back'),
  'the roll back of an output': says('delete from( only)?', 'core.orders', ''),
  'the end of the roll back': event('failed'),
};

const events = async (world: World): Promise<string[]> =>
  (await world.rows<{ what: string }>('select what from waybill.event order by event_id')).map(({ what }) => what);

describe.each(oneOfEachFamily(import.meta.url))(
  'a connection to $name that is cut at COMMIT',
  { timeout: 180_000, retry: 0 },
  (server) => {
    let world: World;
    beforeEach(() => expect.hasAssertions());
    afterEach(() => world.close());

    async function runThrough(transactions: Transactions): Promise<Ended> {
      const each = IN_ORDER.filter((name) => name in transactions).map((name) => ({
        name,
        said: transactions[name]!,
        isBefore: () => isBefore(world, name),
      }));
      return cutEachCommit(world, 'core.order', each);
    }

    test(`in each transaction of a load, from open to the step after: all of it happens, and once`, async () => {
      world = await World.create(server, HELD_ORDERS(500, { lanes: 1 }));
      expect(await runThrough({ ...FORWARD, ...OF_TABLES[world.words.family] })).toMatchObject({
        ok: true,
        result: { rowsWritten: 500, chunks: 5 },
      });
      await expectWhole(world);
      expect(await steps(world)).toEqual(['after', 'before']);
      expect(await world.rows('select batch_id, state, rows_written, rows_read from waybill.batch')).toEqual([
        { batch_id: '1', state: 'published', rows_written: '500', rows_read: '500' },
      ]);
      // Of MySQL the table has gone with the first attempt, of which nobody has heard.
      const dropped = { postgres: ['snapshot_dropped'], mysql: ['snapshot_gone'] }[world.words.family];
      expect(await events(world)).toEqual(['opened', 'snapshot', 'checking', 'published', ...dropped]);
    });

    test(`in each transaction of a roll back: nothing stays, and the next start has every row`, async () => {
      world = await World.create(server, HELD_ORDERS(500, { broken: 450, lanes: 1 }));
      expect(await runThrough(BACK)).toMatchObject({ ok: false, type: 'Database' });
      expect(await world.states('core.order')).toEqual(['failed']);
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      expect(await events(world)).toEqual(['opened', 'snapshot', 'rolling_back', 'failed']);
      await world.warehouse.query('delete from core.broken');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 500 } });
      await expectWhole(world);
      expect(await steps(world)).toEqual(['after', 'before', 'before']);
    });
  },
);
