/** As lost-commit.test.ts, for what only other kinds of loads have: copies, ranges, results of checks. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { oneOfEachFamily } from '../every-server.ts';
import { event, says } from './commit-proxy.ts';
import { cutEachCommit } from './cut-commits.ts';
import { COLUMNS, expectAcquired, ITEM, ITEMS, PLAIN_SOURCE } from './items.ts';
import { expectSeenOnce, TASK, VEHICLES } from './vehicles.ts';
import { World, type Ended } from './world.ts';

/** A transaction, known by what is said in it, and what is true for everybody else as long as it has not committed. */
type Transactions = [name: string, said: RegExp, before: string][];

/** In their order; `wrote`: the table that the first chunk writes to. */
const transactions = (wrote: string): Transactions => [
  ['open', event('opened'), 'not exists (select from waybill.batch)'],
  ['plan', says('into', 'waybill.chunk', ''), '(select planned_chunks is null from waybill.stage)'],
  ['chunk', says('update', 'waybill.chunk', `set state = 'done'`), `not exists (select from ${wrote})`],
  ['the begin of the checks', event('checking'), `(select state = 'running' from waybill.batch)`],
  ['the result of a check', says('into', 'waybill.check_result', ''), 'not exists (select from waybill.check_result)'],
  ['publish', event('published'), `(select state = 'checking' from waybill.batch)`],
];

describe.each(oneOfEachFamily(import.meta.url))(
  'a connection to $name that is cut at COMMIT',
  { timeout: 180_000, retry: 0 },
  (server) => {
    let world: World;
    beforeEach(() => expect.hasAssertions());
    afterEach(() => world.close());

    async function runThrough(load: string, wrote: string): Promise<Ended> {
      const each = transactions(wrote).map(([name, said, before]) => ({
        name,
        said,
        isBefore: async () => Number(await world.value(`select ${before}`)) === 1,
      }));
      return cutEachCommit(world, load, each);
    }

    /** One batch, published, and its one check stands once. */
    async function expectOneBatch(rows: number): Promise<void> {
      expect(await world.rows('select batch_id, state, rows_written from waybill.batch')).toEqual([
        { batch_id: '1', state: 'published', rows_written: String(rows) },
      ]);
      expect(await world.rows('select n, passed from waybill.check_result')).toEqual([{ n: 1, passed: true }]);
      expect(await world.rows('select what from waybill.event order by event_id')).toEqual(
        ['opened', 'checking', 'published'].map((what) => ({ what })),
      );
    }

    test('in each transaction of an acquisition: every row is copied, once', async () => {
      const checks = 'checks: [ { name: all, sql: "select count(*) from acq.item", expect: 300 } ]';
      world = await World.create(
        server,
        ITEMS({ source: PLAIN_SOURCE(300), columns: COLUMNS, yaml: `lanes: 1\n${checks}` }),
      );
      const end = await runThrough(ITEM, 'acq.item');
      expect(end).toMatchObject({ ok: true, result: { rowsWritten: 300, chunks: 3 } });
      await expectAcquired(world);
      await expectOneBatch(300);
    });

    test('in each transaction of a task: every range is done, once', async () => {
      const checks = 'checks: [ { name: all, sql: "select count(*) from core.vehicle where seen = 1", expect: 30 } ]';
      world = await World.create(server, VEHICLES(30, { lanes: 1, yaml: checks }));
      const end = await runThrough(TASK, 'core.ran');
      expect(end).toMatchObject({ ok: true, result: { chunks: 3 } });
      await expectSeenOnce(world);
      await expectOneBatch(33);
    });
  },
);
