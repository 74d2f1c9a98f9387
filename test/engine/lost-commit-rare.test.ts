/** As lost-commit.test.ts, for what few loads do; each on one of the servers. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { land } from './breakable-orders.ts';
import { event, says } from './commit-proxy.ts';
import { cutEachCommit } from './cut-commits.ts';
import { HELD_ORDERS } from './moments.ts';
import { expectSame, expectWhole, ORDERS, PLAIN_SQL } from './orders.ts';
import { runSession, startSession } from './session-run.ts';
import { World } from './world.ts';

const ORDER = 'core.order';
const TOTAL = 'services.total';
const SALE = 'core.sale';

describe.each(oneOfEachFamily(import.meta.url))(
  'a connection to $name that is cut at COMMIT',
  { timeout: 180_000, retry: 0 },
  (server) => {
    const it = inTurns(import.meta.url, server);
    let world: World;
    beforeEach(() => expect.hasAssertions());
    afterEach(() => world.close());

    /** `before`: what is true for everybody else as long as it has not committed. */
    const transaction = (name: string, said: RegExp, before: string) => ({
      name,
      said,
      isBefore: async () => Number(await world.value(`select ${before}`)) === 1,
    });

    /** On a worker whose connections nobody cuts. */
    async function undisturbed<T>(work: () => Promise<T>): Promise<T> {
      const worker = await world.worker();
      const answer = await work();
      await worker.stop();
      return answer;
    }

    it('that resumes a held batch: it goes on, and no chunk of it is done twice', async () => {
      world = await World.create(server, HELD_ORDERS(500, { broken: 450, lanes: 1, yaml: 'on_failure: hold' }));
      expect(await undisturbed(() => world.run(ORDER))).toMatchObject({ ok: false, type: 'Database' });
      await world.warehouse.query('delete from core.broken');
      const end = await cutEachCommit(world, { load: ORDER, resume: true }, [
        transaction('resume', event('running'), `(select state = 'held' from waybill.batch)`),
      ]);
      expect(end).toMatchObject({ ok: true, result: { rowsWritten: 500, chunks: 5, batch: { batchId: '1' } } });
      await expectWhole(world);
      expect(await world.states(ORDER)).toEqual(['published']);
      expect(await world.rows(`select what from waybill.event where what in ('held', 'running')`)).toEqual([
        { what: 'held' },
        { what: 'running' },
      ]);
    });

    it('that opens a batch with what it consumes, or renames a history: each once', async () => {
      const orders = ORDERS(120, { lanes: 1 });
      const file = orders.files['loads/core/order.yaml']!;
      const total = (consumes: string): string => `
kind: services
connection: warehouse
consumes: [ ${consumes} ]
stages: [ { name: totals, sql: "insert into services.total select o.id, o.amount, :batch_id from {{ core.orders }} o" } ]
outputs: [ services.total ]`;
      world = await World.create(server, {
        files: { ...orders.files, 'loads/services/total.yaml': total(ORDER) },
        warehouse: `${orders.warehouse} create schema services;
          create table services.total (id bigint, amount numeric(20, 2), batch_id bigint not null);`,
      });
      expect(await undisturbed(() => world.run(ORDER))).toMatchObject({ ok: true });
      const end = await cutEachCommit(world, TOTAL, [
        transaction('open', event('opened'), 'not exists (select from waybill.batch_input)'),
        transaction('publish', event('published'), `(select state = 'checking' from waybill.batch where batch_id = 2)`),
      ]);
      expect(end).toMatchObject({ ok: true, result: { rowsWritten: 120, batch: { batchId: '2' } } });
      const inputs = () => world.rows('select batch_id, producer_batch_id, producer_load from waybill.batch_input');
      expect(await inputs()).toEqual([{ batch_id: '2', producer_batch_id: '1', producer_load: ORDER }]);

      await world.workers.at(-1)!.stop();
      await rm(join(world.directory, 'loads/core/order.yaml'));
      await world.write('loads/core/sale.yaml', `${file}\nrenamed_from: ${ORDER}`);
      await world.write('loads/services/total.yaml', total(SALE));
      await land(world, 9001);
      const renamed = await cutEachCommit(world, SALE, [
        transaction(
          'rename',
          event('renamed'),
          `(select load_name = '${ORDER}' from waybill.batch where batch_id = 1)`,
        ),
      ]);
      expect(renamed).toMatchObject({ ok: true, result: { rowsWritten: 1, batch: { batchId: '3' } } });
      await expectWhole(world);
      expect(await inputs()).toEqual([{ batch_id: '2', producer_batch_id: '1', producer_load: SALE }]);
      expect(await world.states(SALE)).toEqual(['published', 'published']);
      expect(await world.rows(`select load_name from waybill.event where what = 'renamed'`)).toEqual([
        { load_name: SALE },
      ]);
      const columns = ['id', 'amount'];
      const made = 'select id, amount from core.orders where batch_id = 1';
      await expectSame(world, made, 'select id, amount from services.total', columns);
    });

    it('that opens the window of a session: all its loads have that one, and the next begins where it ends', async () => {
      const orders = ORDERS(50, { lanes: 1 });
      world = await World.create(server, {
        ...orders,
        files: {
          ...orders.files,
          'waybill.yaml': `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 } }
sessions: { nightly: { loads: ["core.*"], window: shared } }`,
        },
      });
      expect(await undisturbed(() => runSession(world))).toMatchObject({ ok: true });
      await land(world, 9001);
      const handle = () => startSession(world) as unknown as ReturnType<World['start']>;
      const end = await cutEachCommit(world, handle, [
        transaction(
          'open',
          says('update', 'waybill.session_window', 'load_at'),
          '(select load_at is null from waybill.session_window)',
        ),
      ]);
      expect(end).toMatchObject({ ok: true, result: { status: 'finished' } });
      await expectWhole(world);
      const [first, second] = await world.rows<{ last_load_at: Date | null; load_at: Date }>(
        'select last_load_at, load_at from waybill.batch order by batch_id',
      );
      expect(second!.last_load_at).toEqual(first!.load_at);
      expect(await world.rows('select last_load_at, load_at from waybill.session_window')).toEqual([
        { last_load_at: second!.load_at, load_at: null },
      ]);
    });

    it('that halves a chunk, or writes a bad row down: it stands alone, once, and every other row is there', async () => {
      const sql = PLAIN_SQL.replace('o.amount * 2', 'o.amount * 2 / (case when o.id = 5 then 0 else 1 end)');
      const options = { rows: 8, byKey: true, lanes: 1, sql, yaml: 'on_bad_row: quarantine' };
      world = await World.create(server, ORDERS(8, options));
      const transactions = [
        transaction(
          'half',
          says('update', 'waybill.stage', 'planned_chunks \\+'),
          '(select planned_chunks = 1 from waybill.stage)',
        ),
        transaction('row', says('into', 'waybill.rejected_row', ''), 'not exists (select from waybill.rejected_row)'),
      ];
      const end = await cutEachCommit(world, ORDER, transactions, { searchMs: 0 });
      expect(end).toMatchObject({ ok: true, result: { rowsWritten: 7 } });
      await expectWhole(world, '(select * from kept.orders where id <> 5) good');
      const rejected = await world.rows<{ row_key: string }>('select row_key from waybill.rejected_row');
      expect(rejected.map(({ row_key }) => JSON.parse(row_key) as unknown)).toEqual([
        { id: expect.anything() as unknown },
      ]);
      const chunks = await world.rows<{ n: number }>(`select n from waybill.chunk where state = 'done' order by n`);
      expect(chunks).toHaveLength(Number(await world.value('select planned_chunks from waybill.stage')));
    });
  },
);
