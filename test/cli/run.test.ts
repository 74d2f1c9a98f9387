import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../../src/dev/free-port.ts';
import { findTemporal } from '../../src/dev/temporal-binary.ts';
import { batches, BREAKABLE, done, land, mend } from '../engine/breakable-orders.ts';
import { FILE, item } from '../engine/csv-files.ts';
import { CUT_OVER } from '../engine/cut-over.ts';
import { historyOf, textsIn } from '../engine/history.ts';
import { COLUMNS, ITEM, ITEMS, PLAIN_SOURCE, windows } from '../engine/items.ts';
import { expectWhole, ORDERS, PLAIN_SQL, SLOW_SQL, World } from '../engine/orders.ts';
import { until } from '../engine/world.ts';
import { someServers } from '../every-server.ts';
import { document, environment, run, waybill } from './command-line.ts';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const text = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

/** A published batch of core.order: every key, and no other. */
const published = (rows: number, chunks: number, id = '1') => ({
  load: 'core.order',
  kind: 'core',
  status: 'finished',
  state: 'published',
  batch_id: id,
  rows_read: rows,
  rows_written: rows,
  rows_rejected: 0,
  chunks: { done: chunks, total: chunks },
  started_at: text(ISO),
  finished_at: text(ISO),
  error: null,
});

describe.each(someServers(import.meta.url))('waybill run on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('ends with 0 and its batch; a second time there is nothing to do, with 0 too', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    await world.worker();
    const first = await waybill(world, 'run', 'core.order', '--json');
    expect(first.exitCode).toBe(0);
    expect(document(first)).toEqual(published(500, 5));

    const second = await waybill(world, 'run', 'core.order', '--json');
    expect(second.exitCode).toBe(0);
    expect(document(second)).toMatchObject({ status: 'nothing', batch_id: null, reason: 'no rows in acq.orders' });

    const status = await waybill(world, 'status', '--json');
    expect(document(status)).toEqual([published(500, 5)]);
  });

  test('tells a person how it goes, and ends with a table', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    await world.worker();
    const answer = await waybill(world, 'run', 'core.order');
    expect(answer.stderr).toContain('core.order · orders: done: 5 of 5 chunks, 500 rows');
    expect(answer.stdout).toMatch(
      /^load +batch +status +rows +took\ncore\.order +1 +published +500 +\d+\.\d s\nTemporal: http:\/\/ui\/namespaces\/test-\d+\/workflows\/load%2Fcore\.order\/\S+\n$/,
    );
    expect((await waybill(world, 'run', 'core.order')).stdout).toContain(
      'core.order: nothing to do, no rows in acq.orders\n',
    );
  });

  test('has its description in `plan` and `show`, whose documents have the keys that docs/cli.md gives them', async () => {
    world = await World.create(server, ORDERS(10, { yaml: 'description: orders of the shop' }));
    await world.worker();
    expect(await waybill(world, 'run', 'core.order')).toMatchObject({ exitCode: 0 });
    expect((await waybill(world, 'plan', 'core.order')).stdout).toMatch(
      /^core\.order \(core, connection warehouse\)\n {2}orders of the shop\n/,
    );
    expect((await waybill(world, 'show', '1')).stdout).toMatch(/\n {2}about {4}orders of the shop\n/);
    const description = 'orders of the shop';
    const docs = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    for (const argv of [
      ['plan', 'core.order'],
      ['show', '1'],
    ]) {
      const shown = document(await waybill(world, ...argv, '--json')) as Record<string, unknown>;
      expect(shown).toMatchObject({ description });
      const row = docs.split('\n').find((line) => line.startsWith(`| \`${argv[0]}\` |`));
      const ofBatch = Object.keys(argv[0] === 'show' ? published(10, 1) : {});
      const keys = Object.keys(shown).filter((key) => !ofBatch.includes(key));
      expect(keys.filter((key) => !new RegExp(`["\`]${key}["\`]`).test(row!))).toEqual([]);
    }
  });

  test('without control tables ends with 2 and says how to make them', async () => {
    world = await World.create(server, ORDERS(1));
    expect(await waybill(world, 'status')).toMatchObject({
      exitCode: 2,
      stderr: text(/next: {2}run `waybill migrate`/),
    });
    expect(await waybill(world, 'migrate')).toMatchObject({ exitCode: 0, stdout: text(/^warehouse: applied 001\./) });
    expect(await waybill(world, 'migrate')).toMatchObject({ exitCode: 0, stdout: 'warehouse: up to date\n' });
    expect(await waybill(world, 'status')).toMatchObject({ exitCode: 0, stdout: text(/core\.order +– +never ran/) });
    expect(document(await waybill(world, 'status', '--json'))).toEqual([]);
  });

  test('with control tables of an older version ends with 2, and so does a worker that is to leave them as they are', async () => {
    world = await World.create(server, ORDERS(1));
    await waybill(world, 'migrate');
    await world.warehouse.query('delete from waybill.migration where version = 5');
    const older = {
      exitCode: 2,
      stderr: text(
        /^waybill: the control tables on warehouse are those of an older Waybill\n.+\n {2}next: {2}run `waybill migrate`/,
      ),
    };
    expect(await waybill(world, 'worker', '--no-migrate')).toMatchObject(older);
    expect(await waybill(world, 'status')).toMatchObject(older);
  });

  test('is asked for while Temporal does not answer: the ledger says what it knows, and it is said once what it does not', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    await world.worker();
    expect(await waybill(world, 'run', 'core.order')).toMatchObject({ exitCode: 0 });
    const address = `127.0.0.1:${await freePort()}`;
    const at = { env: { ...environment(world), TEMPORAL_ADDRESS: address }, cwd: world.directory };
    const words = `which loads run, and for whom a start waits, is not known: the Temporal server at ${address} does not answer`;

    const answer = await run(['status'], at);
    expect(answer).toMatchObject({ exitCode: 0, stdout: text(/core\.order +1 +published/) });
    expect(answer.stderr.split(words)).toHaveLength(2);
    const json = await run(['status', '--json'], at);
    expect(document(json)).toEqual([published(500, 5)]);
    expect(json.stderr).toContain(words);
    expect((await waybill(world, 'status')).stderr).toBe('');
  });

  test('that no worker would hear ends with 5, and starts nothing', async () => {
    world = await World.create(server, ORDERS(1));
    const answer = await waybill(world, 'run', 'core.order', '--json');
    expect(answer.exitCode).toBe(5);
    expect(document(answer)).toEqual({
      error: {
        type: 'Unreachable',
        message: 'no worker polls task queue waybill',
        where: `Temporal namespace ${world.namespace}`,
        next: text(/waybill worker/),
      },
    });
    await expect(world.client.workflow.getHandle('load/core.order').describe()).rejects.toThrow();
  });

  test('whose batch fails ends with 1 and the whole message, which Temporal’s history does not hold', async () => {
    const amount = server.name.startsWith('PostgreSQL') ? 'o.customer::numeric' : 'o.customer';
    world = await World.create(
      server,
      ORDERS(300, {
        byKey: true,
        sql: `insert into core.orders (id, customer, amount, batch_id)
              select o.id, o.customer, case when o.id = 250 then ${amount} else o.amount end, :batch_id
              from {{ acq.orders }} o`,
      }),
    );
    await world.worker();
    const answer = await waybill(world, 'run', 'core.order', '--json');
    expect(answer.exitCode).toBe(1);
    expect(document(answer)).toMatchObject({
      load: 'core.order',
      status: 'error',
      state: 'failed',
      batch_id: '1',
      rows_written: 0,
      chunks: { total: 3 },
      error: {
        type: 'Database',
        message: text(/chunk 3 of 3: .*["']customer 56["']/),
        where: text(/load core\.order, batch 1, stage orders/),
        next: text(/waybill run core\.order/),
      },
    });
    expect(answer.stderr).toContain('customer 56');
    const history = textsIn(await historyOf(world, 'core.order'));
    expect(history).toMatch(/invalid (?:text for the type|value)/);
    expect(history).not.toContain('customer 56');

    const shown = await waybill(world, 'show', '1');
    expect(shown.stdout).toMatch(/orders, chunk 3, .*: failed after 1 attempt/);
    expect(shown.stdout).toMatch(/Next: mend the cause, then: waybill run core\.order/);
    expect(document(await waybill(world, 'status', '--json'))).toMatchObject([
      { state: 'failed', error: { type: 'Database', message: text(/customer 56/) } },
    ]);
  });

  test('of a failing check ends with 1 and says which', async () => {
    world = await World.create(
      server,
      ORDERS(10, {
        yaml: `checks:
  - { name: none is cheap, sql: "select count(*) from core.orders where batch_id = :batch_id and amount < 1", expect: 0 }
  - { name: a few, sql: "select count(*) from core.orders where batch_id = :batch_id", expect: ">100", severity: warn }`,
      }),
    );
    await world.worker();
    const error = { type: 'CheckFailed', message: text(/"none is cheap" found \d, expected 0/) };
    const answer = await waybill(world, 'run', 'core.order', '--json');
    expect(answer.exitCode).toBe(1);
    expect(document(answer)).toMatchObject({
      ...{ status: 'error', error },
      warnings: ['"a few" found 10, expected >100'],
    });
    expect(document(await waybill(world, 'status', '--json'))).toMatchObject([
      { error, warnings: ['"a few" found 10, expected >100'] },
    ]);
    expect(document(await waybill(world, 'show', '1', '--json'))).toMatchObject({ error });
  });

  test('of a load that rejects more rows than it may says how many, and so does status', async () => {
    const orders = (most: number) =>
      ORDERS(300, {
        byKey: true,
        sql: PLAIN_SQL.replace('o.amount * 2', 'o.amount * 2 / (case when o.id in (10, 20, 30) then 0 else 1 end)'),
        yaml: `on_bad_row: quarantine\nmax_rejected: ${most}`,
      });
    world = await World.create(server, orders(2));
    await world.worker();
    const failed = document(await waybill(world, 'run', 'core.order', '--json'));
    expect(failed).toMatchObject({
      ...{ state: 'failed', rows_written: 0, rows_rejected: 3 },
      error: { message: text(/3 rows were rejected, more than max_rejected \(2\)/) },
    });
    expect(document(await waybill(world, 'status', '--json'))).toMatchObject([{ state: 'failed', rows_rejected: 3 }]);

    const file = 'loads/core/order.yaml';
    await world.write(file, orders(3).files[file]!);
    const mended = document(await waybill(world, 'run', 'core.order', '--json'));
    expect(mended).toMatchObject({ state: 'published', rows_written: 297, rows_rejected: 3 });
    expect(document(await waybill(world, 'status', '--json'))).toEqual([mended]);
  });

  test('of a load that runs ends with 4 and names it; --attach follows it to its end', async () => {
    world = await World.create(server, BREAKABLE(1000, { broken: 0, pause: 0.2 }));
    await world.worker();
    const first = waybill(world, 'run', 'core.order', '--json');
    await until(async () => (await batches(world).catch(() => [])).length > 0);
    const second = await waybill(world, 'run', 'core.order', '--json');
    expect(second.exitCode).toBe(4);
    expect(document(second)).toMatchObject({
      error: {
        type: 'AlreadyRunning',
        message: text(/core\.order is running already, since/),
        where: text(/workflow load\/core\.order, run /),
        next: text(/--attach/),
      },
    });
    const attached = await waybill(world, 'run', 'core.order', '--attach', '--json');
    expect(attached.exitCode).toBe(0);
    expect(document(attached)).toEqual(document(await first));
  });

  test('that is cancelled ends with 3, its rows gone; cancel itself ends with 0', async () => {
    world = await World.create(server, BREAKABLE(5000, { broken: 0, pause: 0.2 }));
    await world.worker();
    const running = waybill(world, 'run', 'core.order', '--json');
    await until(async () => (await done(world).catch(() => 0)) > 2);
    const cancelled = await waybill(world, 'cancel', 'core.order', '--reason', 'the wrong day', '--json');
    expect(cancelled.exitCode).toBe(0);
    expect(document(cancelled)).toMatchObject({ state: 'cancelled', status: 'error', batch_id: '1', rows_written: 0 });
    const ended = await running;
    expect(ended.exitCode).toBe(3);
    expect(document(ended)).toMatchObject({ state: 'cancelled', error: { type: 'Cancelled' } });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect((await waybill(world, 'show', 'warehouse/1')).stdout).toMatch(
      /cancel requested by \S+@\S+ \(the wrong day\)/,
    );

    const again = await waybill(world, 'cancel', 'core.order');
    expect(again).toMatchObject({
      exitCode: 1,
      stderr: text(/core\.order is not running; its newest batch, 1, is cancelled/),
    });
  });

  test('--force on a running load rolls its batch back and begins anew in the same workflow', async () => {
    world = await World.create(server, BREAKABLE(3000, { broken: 0, pause: 0.3, yaml: 'params: { region: US }' }));
    await world.worker();
    expect((await waybill(world, 'run', 'core.order', '--detach')).exitCode).toBe(0);
    await until(async () => (await done(world).catch(() => 0)) > 2);
    // The run has parameters of its own, which a force leaves as they are.
    for (const flag of ['--force', '--attach']) {
      expect(await waybill(world, 'run', 'core.order', flag, '--param', 'region=EU')).toMatchObject({
        exitCode: 4,
        stderr: text(/--param region=EU cannot be given to a run that is there: start it when this one is over/),
      });
    }
    await world.warehouse.query('update core.settings set pause = 0');
    const forced = await waybill(world, 'run', 'core.order', '--force', '--json');
    expect(forced.exitCode).toBe(0);
    expect(document(forced)).toMatchObject({ batch_id: '2', state: 'published', rows_written: 3000 + 30 });
    expect(await batches(world)).toMatchObject([{ state: 'failed', error_class: 'forced' }, { state: 'published' }]);
  });

  test('of a held batch goes on in it with --resume', async () => {
    world = await World.create(server, BREAKABLE(300, { broken: 250, yaml: 'on_failure: hold' }));
    await world.worker();
    const held = await waybill(world, 'run', 'core.order', '--json');
    expect(held.exitCode).toBe(1);
    expect(document(held)).toMatchObject({ state: 'held', error: { next: text(/--resume/) } });
    expect(await waybill(world, 'resume', 'core.order')).toMatchObject({
      exitCode: 1,
      stderr: text(/waybill run core\.order --resume/),
    });
    await mend(world);
    const resumed = await waybill(world, 'run', 'core.order', '--resume', '--json');
    expect(resumed.exitCode).toBe(0);
    expect(document(resumed)).toMatchObject({ batch_id: '1', state: 'published' });
  });

  test('over the snapshot of another tool ends with 1 and names it, until --adopt takes it over; a session does not take it', async () => {
    const orders = ORDERS(300);
    world = await World.create(server, {
      ...orders,
      files: {
        ...orders.files,
        'waybill.yaml': `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}" } }
sessions: { nightly: { loads: [core.*] } }`,
      },
      warehouse: `${orders.warehouse} ${CUT_OVER}`,
    });
    await world.worker();
    const refused = await waybill(world, 'run', 'core.order', '--json');
    expect(refused.exitCode).toBe(1);
    expect(document(refused)).toMatchObject({
      error: { type: 'Refused', message: text(/acq\.orders_processing exists/), next: text(/--adopt/) },
    });
    expect(await waybill(world, 'run', 'nightly', '--adopt')).toMatchObject({
      exitCode: 2,
      stderr: text(/--adopt is for a load, and nightly is a session[^]*waybill run LOAD --adopt/),
    });
    expect(await batches(world)).toEqual([]);
    const adopted = await waybill(world, 'run', 'core.order', '--adopt', '--json');
    expect(adopted.exitCode).toBe(0);
    expect(document(adopted)).toMatchObject({ state: 'published', batch_id: '1', rows_written: 300 });
    expect(await world.rows('select adopted from waybill.snapshot')).toEqual([{ adopted: true }]);
    await expectWhole(world);
  });

  test('that is published, but whose `after` fails, ends with 1 as a published batch; the next start goes on', async () => {
    world = await World.create(
      server,
      ORDERS(10, {
        yaml: 'after: ["insert into core.ready values (:batch_id)", "delete from core.orders where id < 0"]',
      }),
    );
    await world.worker();
    const answer = await waybill(world, 'run', 'core.order', '--json');
    expect(answer.exitCode).toBe(1);
    expect(document(answer)).toMatchObject({
      status: 'finished',
      state: 'published',
      rows_written: 10,
      error: { type: 'AfterFailed', message: text(/batch 1 is published, but what comes after failed: .*core\.ready/) },
    });
    expect((await waybill(world, 'show', '1')).stdout).toMatch(
      /after step 1: failed: .*core\.ready[^]*Next: `after` is not done/,
    );
    await world.warehouse.query('create table core.ready (batch_id bigint)');
    expect((await waybill(world, 'run', 'core.order')).exitCode).toBe(0);
    expect(await world.rows('select batch_id from core.ready')).toEqual([{ batch_id: '1' }]);
  });

  test('counts batches by connection: where two have the same number, it has to be said which', async () => {
    const orders = ORDERS(10);
    world = await World.create(server, {
      ...orders,
      files: {
        ...orders.files,
        'loads/core/stock.yaml': `
kind: core
connection: source
inputs: [ { table: public.stock_in, external: true } ]
stages: [ { name: stock, sql: "insert into public.stock select s.n, :batch_id from {{ public.stock_in }} s" } ]
outputs: [ public.stock ]`,
      },
      source:
        'create table stock_in (n int); insert into stock_in values (1); create table stock (n int, batch_id bigint)',
    });
    // Where schemas are databases of one server, both connections would have the same one.
    await world.write(
      'waybill.yaml',
      `name: test
connections:
  source: { url: "\${SOURCE_URL}", control_schema: ${world.names.prefix}of_source }
  warehouse: { url: "\${WAREHOUSE_URL}" }`,
    );
    await world.worker();
    await waybill(world, 'run', 'core.order');
    await waybill(world, 'run', 'core.stock');
    expect(await waybill(world, 'show', '1')).toMatchObject({
      exitCode: 2,
      stderr: text(/several connections have a batch 1[^]*write source\/1 or warehouse\/1/),
    });
    expect(document(await waybill(world, 'show', 'source/1', '--json'))).toMatchObject({ load: 'core.stock' });
    expect((await waybill(world, 'status')).stdout).toMatch(
      /core\.order +warehouse\/1 +published[^]*core\.stock +source\/1 +pub/,
    );
  });

  test('of a session gives its loads; one that fails takes with it those that need it', async () => {
    const orders = BREAKABLE(200, { broken: 150 });
    world = await World.create(server, {
      ...orders,
      files: {
        ...orders.files,
        'waybill.yaml': `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}" } }
sessions: { nightly: { loads: [core.*, services.*] } }`,
        'loads/services/total.yaml': `
kind: services
connection: warehouse
consumes: [core.order]
stages: [ { name: total, sql: "insert into core.total select sum(o.amount), :batch_id from {{ core.orders }} o" } ]
outputs: [ core.total ]`,
      },
      warehouse: `${orders.warehouse} create table core.total (amount numeric, batch_id bigint);`,
    });
    await world.worker();
    const failed = await waybill(world, 'run', 'nightly', '--json');
    expect(failed.exitCode).toBe(1);
    expect(document(failed)).toMatchObject({
      session: 'nightly',
      status: 'error',
      loads: [
        { load: 'core.order', state: 'failed', batch_id: '1', error: { type: 'Database' } },
        { load: 'services.total', status: 'skipped', batch_id: null, error: { message: 'needs core.order' } },
      ],
      error: { type: 'LoadFailed', where: 'session nightly, load core.order, batch 1, stage orders, chunk 2' },
    });

    await mend(world);
    await land(world, 1000);
    const mended = await waybill(world, 'run', 'nightly', '--json');
    expect(mended.exitCode).toBe(0);
    const [again, ...newest] = [
      { load: 'core.order', status: 'finished', batch_id: '2', rows_read: 200 },
      { load: 'core.order', status: 'finished', batch_id: '3', rows_read: 1 },
      { load: 'services.total', status: 'finished', batch_id: '4', rows_written: 1 },
    ];
    expect(document(mended)).toMatchObject({ session: 'nightly', status: 'finished', loads: [again, ...newest] });
    expect(document(await waybill(world, 'status', 'nightly', '--json'))).toMatchObject(newest);
    expect((await waybill(world, 'show', '4')).stdout).toContain('core.order (consumes) 2, 3');
  });

  test('of a session says why a load had nothing to do, and so does its page in the Temporal UI', async () => {
    const orders = ORDERS(10);
    world = await World.create(server, {
      files: {
        ...orders.files,
        'waybill.yaml': `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}" } }
sessions: { nightly: { loads: [acquisition.*, core.*] } }`,
        [FILE]: item('files: data/*.csv'),
      },
      warehouse: `${orders.warehouse} create table acq.item
        (id bigint, batch_id bigint not null, ngdw_id bigint generated by default as identity primary key)`,
    });
    await world.worker();
    const none = text(/^no file is data\/\*\.csv, on worker \S+$/);
    const first = document(await waybill(world, 'run', 'nightly', '--json')) as { loads: unknown[] };
    expect(first.loads).toEqual([
      expect.objectContaining({ load: 'acquisition.item', status: 'nothing', batch_id: null, reason: none }),
      published(10, 1),
    ]);

    const second = await waybill(world, 'run', 'nightly');
    expect(second).toMatchObject({
      exitCode: 0,
      stdout: text(
        /\nacquisition\.item: no file is data\/\*\.csv, on worker \S+\ncore\.order: no rows in acq\.orders\n/,
      ),
    });
    const session = world.client.workflow.getHandle('session/nightly');
    const { currentDetails } = await session.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toMatch(/core\.order.*nothing: no rows in \S*orders/);
  });

  test('of a load that had failed says what has come since', async () => {
    world = await World.create(server, BREAKABLE(200, { broken: 150 }));
    await world.worker();
    expect(await waybill(world, 'run', 'core.order')).toMatchObject({ exitCode: 1 });
    await mend(world);
    await land(world, 1000);
    const answer = await waybill(world, 'run', 'core.order', '--json');
    expect(document(answer)).toMatchObject({
      ...{ status: 'finished', rows_read: 200 },
      waiting: text(/^rows have come into \S*orders since; the next start takes them$/),
    });
    const next = document(await waybill(world, 'run', 'core.order', '--json'));
    expect(next).toMatchObject({ status: 'finished', rows_read: 1 });
    expect(next).not.toHaveProperty('waiting');
  });

  test('of a load that had failed is done, also where nobody can see any more what has come since', async () => {
    world = await World.create(server, BREAKABLE(200, { broken: 150, yaml: "after: 'delete from core.ran'" }));
    await world.worker();
    expect(await waybill(world, 'run', 'core.order')).toMatchObject({ exitCode: 1 });
    await mend(world);
    await world.warehouse.query('drop table acq.orders');
    const answer = await waybill(world, 'run', 'core.order', '--json');
    expect(answer).toMatchObject({ exitCode: 0 });
    expect(document(answer)).toMatchObject({
      ...{ batch_id: '2', status: 'finished', rows_read: 200 },
      waiting: text(
        /^more may have come since, which cannot be looked for now \(.*orders.*\); the next start takes them$/,
      ),
    });
    expect(await world.value('select count(*) from core.ran')).toBe('0');
  });

  test('of a load that had failed is done, also where somebody has to himself what it would look at', async () => {
    world = await World.create(server, BREAKABLE(200, { broken: 150 }));
    await world.worker();
    expect(await waybill(world, 'run', 'core.order')).toMatchObject({ exitCode: 1 });
    await mend(world);
    const holder = await world.another('warehouse');
    await holder.query(
      world.words.family === 'postgres' ? 'begin; lock table acq.orders' : 'lock tables acq.orders write',
    );
    const answer = await waybill(world, 'run', 'core.order', '--json');
    expect(document(answer)).toMatchObject({
      ...{ batch_id: '2', status: 'finished', rows_read: 200 },
      waiting: text(
        /^more may have come since, which cannot be looked for now \(.*lock.*\); the next start takes them$/i,
      ),
    });
    await holder.query(world.words.family === 'postgres' ? 'commit' : 'unlock tables');
  });

  test('takes parameters, each in the type that the load declares', async () => {
    world = await World.create(
      server,
      ORDERS(10, {
        yaml: 'params: { factor: 2, city: Rome }',
        sql: `insert into core.orders (id, customer, amount, batch_id)
              select o.id, :params.city, o.amount * :params.factor, :batch_id from {{ acq.orders }} o`,
      }),
    );
    await world.worker();
    const answer = await waybill(world, 'run', 'core.order', '--param', 'factor=3', '--param', 'city=Bath = Spa');
    expect(answer.exitCode).toBe(0);
    expect(await world.rows('select distinct customer from core.orders')).toEqual([{ customer: 'Bath = Spa' }]);
    expect(await waybill(world, 'run', 'core.order', '--param', 'factor=three')).toMatchObject({
      exitCode: 2,
      stderr: text(/parameter factor is a number, and three is none/),
    });
  });

  test('is not the only way in: what the plain temporal CLI starts, status and --attach know', async () => {
    world = await World.create(server, ORDERS(2000, { byKey: true, sql: SLOW_SQL(0.05) }));
    await world.worker();
    const temporal = await findTemporal({ external: false });
    if (temporal.kind !== 'binary') throw new Error('no temporal binary');
    const started = spawnSync(
      temporal.path,
      [
        ...['workflow', 'start', '--type', 'load', '--task-queue', 'waybill', '--workflow-id', 'load/core.order'],
        ...['--input', '{"load":"core.order"}', '--address', world.address, '--namespace', world.namespace],
      ],
      { encoding: 'utf8' },
    );
    expect(started).toMatchObject({ status: 0 });
    const attached = await waybill(world, 'run', 'core.order', '--attach', '--json');
    expect(attached.exitCode).toBe(0);
    expect(document(attached)).toEqual(published(2000, 20));
    expect(document(await waybill(world, 'status', 'core.order', '--json'))).toEqual([published(2000, 20)]);
  });

  test('with --since, --until and --full reads what they say, and the batch keeps who asked for what', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(300), columns: COLUMNS }));
    await world.worker();
    const read = async (...options: string[]): Promise<unknown> =>
      document(await waybill(world, 'run', ITEM, ...options, '--json'));
    expect(await read('--until', '101')).toMatchObject({ state: 'published', rows_written: 100 });
    expect(await read()).toMatchObject({ state: 'published', rows_written: 200 });
    expect(await read('--since', '201', '--until', '251')).toMatchObject({ state: 'published', rows_written: 50 });
    expect(await read('--since=251')).toMatchObject({ state: 'published', rows_written: 50 });
    expect(await read('--full')).toMatchObject({ state: 'published', rows_written: 300 });
    expect(await read()).toMatchObject({ status: 'nothing' });
    expect((await windows(world)).map(({ window_from: from, window_to: to }) => `${from} – ${to}`)).toEqual([
      ...['null – 101', '101 – 301', '201 – 251', '251 – 301', 'null – 301'],
    ]);
    const shown = await waybill(world, 'show', '3');
    expect(shown.stdout).toContain('from 201 up to, not with, 251');
    expect(shown.stdout).toMatch(/window asked .*--since 201 --until 251/);
  });
});
