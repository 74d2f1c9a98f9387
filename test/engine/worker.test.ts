import { afterEach, describe, expect, test } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { servers } from '../servers.ts';
import { asleep } from './moments.ts';
import { BREAKABLE, mend } from './breakable-orders.ts';
import { expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import { ended, until } from './world.ts';

const done = async (world: World): Promise<number> =>
  Number(await world.value(`select count(*) from waybill.chunk where state = 'done'`));

describe.each(oneOfEachFamily(import.meta.url))(
  'what happens to workers and files on $name',
  { timeout: 120_000 },
  (server) => {
    const it = inTurns(import.meta.url, server);
    let world: World;
    afterEach(() => world.close());

    it('a worker that is stopped ends its lanes after their chunks, and another goes on', async () => {
      world = await World.create(server, ORDERS(3000, { rows: 100, byKey: true, sql: SLOW_SQL(0.2) }));
      const first = await world.worker();
      const handle = await world.start('core.order');
      await until(async () => (await done(world)) > 2);
      await world.worker();
      await first.stop();
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 3000 } });
      await expectWhole(world);
      expect(await world.value('select max(attempts) from waybill.chunk')).toBe(0);
    });

    it('a worker that is stopped in a chunk longer than its grace gives it up, and another does it', async () => {
      const orders = ORDERS(300, { rows: 100, byKey: true, sql: SLOW_SQL(8), lanes: 3 });
      world = await World.create(server, orders);
      const first = await world.worker({ graceMs: 1000 });
      const handle = await world.start('core.order');
      await until(async () => (await asleep(world)) === 3);
      await world.worker();
      await first.stop();
      expect(await done(world)).toBe(0);
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
      await expectWhole(world);
    });

    it('a worker outlives the end of all its connections, those that it holds idle or works on too', async () => {
      world = await World.create(server, ORDERS(3000, { rows: 100, byKey: true, sql: SLOW_SQL(0.1) }));
      const child = await world.workerProcess();
      const handle = await world.start('core.order');
      await until(async () => (await done(world)) > 2);
      for (let i = 0; i < 5; i += 1) {
        await world.end(world.words.ours);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 3000 } });
      expect(child.exitCode).toBeNull();
      await expectWhole(world);
    });

    it('files that are broken while a load runs do not touch it, not even when it continues as new', async () => {
      world = await World.create(server, ORDERS(4000, { rows: 100, byKey: true, sql: SLOW_SQL(0.4) }));
      await world.worker({ historyLimit: 25 });
      const handle = await world.start('core.order');
      await until(async () => (await done(world)) > 0);
      await world.write('loads/core/order.yaml', 'kind: [');
      await world.write('loads/core/order.sql', 'select nonsense');
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 4000 } });
      await expectWhole(world);
      let runs = 0;
      for await (const run of world.client.workflow.list({ query: `WorkflowId = 'load/core.order'` })) {
        runs += run.status.name === 'CONTINUED_AS_NEW' ? 1 : 0;
      }
      expect(runs).toBeGreaterThanOrEqual(1);
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Configuration' });
    });

    it('a connection that is added, or leads elsewhere, after the worker has started needs another worker, which is said', async () => {
      world = await World.create(server, ORDERS(10));
      await world.worker();
      const yaml = (warehouse: string) => `
name: test
connections:
  source: { url: "\${SOURCE_URL}" }
  warehouse: { url: "${warehouse}" }
  other: { url: "\${WAREHOUSE_URL}" }
`;
      const order = ORDERS(10).files['loads/core/order.yaml']!;
      const restart = {
        ok: false,
        type: 'Configuration',
        next: expect.stringContaining('restart the workers') as string,
      };
      await world.write('waybill.yaml', yaml('${WAREHOUSE_URL}'));
      await world.write('loads/core/order.yaml', order.replace('connection: warehouse', 'connection: other'));
      expect(await world.run('core.order')).toMatchObject({
        ...restart,
        message: 'connection other was not declared in waybill.yaml when this worker started',
      });
      await world.write('waybill.yaml', yaml('${SOURCE_URL}'));
      await world.write('loads/core/order.yaml', order);
      expect(await world.run('core.order')).toMatchObject({
        ...restart,
        message: 'the URL of connection warehouse has changed since this worker started',
      });
      await world.write('waybill.yaml', yaml('${WAREHOUSE_URL}'));
      expect(await world.run('core.order')).toMatchObject({ ok: true });
    });

    it('rows of an earlier tool in an output that is added later are never taken for ours', async () => {
      const orders = ORDERS(10, { yaml: '' });
      world = await World.create(server, {
        ...orders,
        warehouse: `${orders.warehouse} create table core.legacy (id bigint, batch_id bigint);
                  insert into core.legacy select g, g from generate_series(1, 10) g;`,
      });
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '1' } } });
      await world.write(
        'loads/core/order.yaml',
        `${orders.files['loads/core/order.yaml']!.replace('outputs: [ core.orders ]', 'outputs: [ core.orders, core.legacy ]')}
checks: [ { name: never, sql: "select 1", expect: 0 } ]`,
      );
      await world.warehouse.query('insert into acq.orders table kept.orders');
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
      expect(await world.value('select count(*) from core.legacy')).toBe('10');
      expect(await world.value('select max(batch_id) from waybill.batch')).toBe('11');
    });

    it('each run of a cron workflow opens a batch of its own', async () => {
      world = await World.create(server, ORDERS(10));
      await world.worker();
      await world.client.workflow.start('load', {
        workflowId: 'load/core.order',
        taskQueue: 'waybill',
        args: [{ load: 'core.order' }],
        cronSchedule: '@every 1s',
      });
      await until(async () => (await world.states('core.order'))[0] === 'published');
      await world.warehouse.query(`insert into acq.orders values (77, 'late', 1)`);
      await until(async () => (await world.states('core.order'))[1] === 'published');
      await world.client.workflow.getHandle('load/core.order').terminate('the test');
      expect(await world.value('select count(*) from acq.orders')).toBe('0');
      expect(await world.value('select count(*) from core.orders')).toBe('11');
    });

    test('a run that Temporal starts with the input of one that had continued, and then failed, opens a batch of its own', async () => {
      world = await World.create(server, BREAKABLE(300, { broken: 250 }));
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      await mend(world);
      const batch = { connection: 'warehouse', batchId: '1' };
      const handle = await world.start({
        load: 'core.order',
        continued: { batch, attempt: 1, paused: true, interruption: { kind: 'timeout' }, runs: 1 },
      });
      await until(async () => (await world.states('core.order')).at(-1) === 'published', 30);
      expect(await ended(handle)).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
      await expectWhole(world);
    });

    it('an input that somebody wrote by hand means what it says, or nothing is done', async () => {
      world = await World.create(server, ORDERS(10));
      await world.worker();
      const refused = async (input: Record<string, unknown>, message: string, next: string): Promise<void> => {
        const end = await world.run({ load: 'core.order', ...input });
        expect(end).toMatchObject({ ok: false, type: 'Configuration', message, next });
      };
      const mend = 'correct it, or leave it out';
      const is = (key: string, value: string): string => `${key} in the input of load core.order is ${value}`;
      await refused({ force: 'no' }, `${is('force', '"no"')}, and must be true or false`, mend);
      await refused({ resume: null }, `${is('resume', 'null')}, and must be true or false`, mend);
      const params = 'an object whose values are texts, numbers, true, false or null';
      await refused({ params: [1, 2] }, `${is('params', '[1,2]')}, and must be ${params}`, mend);
      await refused({ params: { a: { b: 1 } } }, `${is('params', '{"a":{"b":1}}')}, and must be ${params}`, mend);
      await refused({ window: [] }, `${is('window', '[]')}, and must be an object`, mend);
      await refused({ keepRowsOf: ['x'] }, `${is('keepRowsOf', '["x"]')}, and must be a list of batch ids`, mend);
      await refused(
        { toString: 1 },
        'the input of load core.order has a key that means nothing: toString, 1',
        'leave it out; there are load, force, resume, adopt, since, until, full, params, requestedBy, project',
      );
      expect(await world.value('select count(*) from waybill.batch')).toBe('0');
      const session = await world.client.workflow.start('session', {
        ...{ workflowId: 'session/nightly', taskQueue: 'waybill', args: [{ session: 'nightly', force: true }] },
      });
      await expect(session.result()).rejects.toMatchObject({
        cause: { message: 'the input of session nightly has a key that means nothing: force, true' },
      });
      expect(await world.run({ load: 'core.order', force: false, params: {} })).toMatchObject({ ok: true });
    });
  },
);

// On MySQL and MariaDB: test/database/mysql/deletion.test.ts.
describe.each(servers)('a batch of many rows on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('a roll back takes bounded transactions, not one a page', async () => {
    world = await World.create(
      server,
      ORDERS(250_000, { rows: 50_000, yaml: 'checks: [ { name: never, sql: "select 1", expect: 0 } ]' }),
    );
    await world.warehouse.query(`
      create table kept.deletion (transaction bigint, at timestamptz default clock_timestamp());
      create function kept.note_deletion() returns trigger language plpgsql as
        'begin insert into kept.deletion (transaction) values (txid_current()); return null; end';
      create trigger deletion after delete on core.orders execute function kept.note_deletion()`);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    const transactions = Number(await world.value('select count(distinct transaction) from kept.deletion'));
    expect(transactions).toBeGreaterThan(1);
    expect(transactions).toBeLessThan(50);
  });
});
