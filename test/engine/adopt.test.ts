/** Cut-over: another tool left its unfinished snapshot behind. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { activitiesOf, OPEN_ORDER } from './activities.ts';
import { CUT_OVER } from './cut-over.ts';
import { batches, BREAKABLE, exists, land, mend } from './breakable-orders.ts';
import { letGo, lockAlone } from './latch.ts';
import { expectWhole, ORDERS, PLAIN_SQL, SLOW_SQL, World } from './orders.ts';
import { wordsAt, type ServerWords } from './server-words.ts';
import type { TestClient } from './test-client.ts';
import { ended, until } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Tables that could not serve as a snapshot: what is done to them, and what is said. */
interface Unadoptable {
  made: string;
  sql: string;
  reason: RegExp;
  next: RegExp;
}
const UNADOPTABLE: Record<ServerWords['family'], Unadoptable[]> = {
  mysql: [
    {
      made: 'one whose engine cannot roll back',
      sql: 'alter table acq.orders_processing engine = MyISAM',
      reason: /its engine is MyISAM/,
      next: /engine = InnoDB/,
    },
    {
      made: 'one that another table changes through a foreign key',
      sql: `create table core.customers (name varchar(200) primary key);
          insert into core.customers select distinct customer from acq.orders_processing;
          alter table acq.orders_processing add constraint of_customer foreign key (customer) references core.customers (name) on delete cascade`,
      reason: /foreign key of_customer is ON UPDATE .* ON DELETE CASCADE/,
      next: /Make it NO ACTION/,
    },
    {
      made: 'one that another table refers to',
      sql: `create table core.notes (id bigint, constraint of_order foreign key (id) references acq.orders_processing (id))`,
      reason: /foreign key of_order of core.notes refers to it/,
      next: /drop foreign key `of_order`\. Or put/,
    },
  ],
  postgres: [
    {
      made: 'one that is unlogged',
      sql: 'alter table acq.orders_processing set unlogged',
      reason: /acq.orders_processing is unlogged/,
      next: /set logged/,
    },
    {
      made: 'one with row level security',
      sql: 'alter table acq.orders_processing enable row level security',
      reason: /acq.orders_processing has row level security/,
      next: /disable row level security/,
    },
    {
      made: 'one that others inherit from',
      sql: 'create table acq.more () inherits (acq.orders_processing)',
      reason: /acq.more inherits from acq.orders_processing/,
      next: /no inherit/,
    },
    {
      made: 'one that another table changes through a foreign key',
      sql: `create table core.customers (name text primary key); insert into core.customers select distinct customer from acq.orders_processing;
          alter table acq.orders_processing add foreign key (customer) references core.customers on delete cascade`,
      reason: /foreign key orders_processing_customer_fkey of acq.orders_processing changes rows/,
      next: /on delete no action/,
    },
    {
      made: 'one that a view still reads',
      sql: 'create view core.peek as select id from acq.orders_processing',
      reason: /view core.peek depends on table acq.orders_processing/,
      next: /use the landing table/,
    },
    {
      made: 'one whose sequence the landing table still uses',
      sql: `create sequence acq.orders_id_seq owned by acq.orders_processing.id;
          alter table acq.orders alter id set default nextval('acq.orders_id_seq')`,
      reason: /default value for column id of table acq.orders depends on sequence acq.orders_id_seq/,
      next: /alter sequence acq.orders_id_seq owned by/,
    },
  ],
};

/** How many triggers the table has. */
const TRIGGERS = {
  postgres: `select count(*) from pg_trigger where tgrelid = 'acq.orders_processing'::regclass and not tgisinternal`,
  mysql: `select count(*) from information_schema.triggers where event_object_table = 'orders_processing'
          and event_object_schema = '<prefix>acq'`,
};

/** Writes that a snapshot refuses, and what is said. */
const WRITES: Record<ServerWords['family'], { refused: string[]; saying: RegExp }> = {
  postgres: {
    refused: [
      `insert into acq.orders_processing values (9002, 'later', 1)`,
      'delete from acq.orders_processing',
      'truncate acq.orders_processing',
      'set session_replication_role = replica; update acq.orders_processing set id = -id',
    ],
    saying: /of acq.orders_processing is refused/,
  },
  mysql: {
    refused: [
      `insert into acq.orders_processing values (9002, 'later', 1)`,
      'delete from acq.orders_processing',
      'update acq.orders_processing set id = -id',
    ],
    saying: /a batch of Waybill reads orders_processing: it takes no writes/,
  },
};

describe.each(oneOfEachFamily(import.meta.url))('a snapshot of another tool on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('is refused, naming it, until --adopt takes it over; what landed since waits for the next load', async () => {
    world = await World.create(server, ORDERS(500));
    // The other tool had loaded ten of them, under an id of its own, and those rows are its business.
    await world.warehouse.query(`${CUT_OVER} insert into core.orders select 0, 'older', 0, 7000`);
    await land(world, 9001);
    await world.worker();
    for (const force of [false, true]) {
      const refused = await world.run({ load: 'core.order', force });
      expect(refused).toMatchObject({
        ok: false,
        type: 'Refused',
        message: 'acq.orders_processing exists, but no batch of core.order made it',
        where: 'load core.order, input acq.orders',
      });
      expect(!refused.ok && refused.next).toMatch(/waybill run core.order --adopt/);
    }
    expect(await world.states('core.order')).toEqual([]);
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('500');

    expect(await world.run({ load: 'core.order', adopt: true, requestedBy: 'mary' })).toMatchObject({
      ok: true,
      result: { rowsWritten: 500, batch: { batchId: '7001' } },
    });
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    expect(await world.value('select count(*) from acq.orders')).toBe('1');
    expect(await world.rows('select table_name, adopted from waybill.snapshot')).toEqual([
      { table_name: 'acq.orders', adopted: true },
    ]);
    expect(await world.rows(`select requested_by, reason from waybill.event where what = 'adopted'`)).toEqual([
      { requested_by: 'mary', reason: 'acq.orders_processing' },
    ]);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await world.warehouse.query('delete from core.orders where batch_id = 7000');
    await expectWhole(world);
  });

  it('is the load’s own once adopted: when that batch fails, a plain start takes it again', async () => {
    world = await World.create(server, BREAKABLE(500, { broken: 450 }));
    await world.warehouse.query(CUT_OVER);
    await world.worker();
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('500');
    await mend(world);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
    await expectWhole(world);
    expect(await batches(world)).toMatchObject([{ state: 'failed' }, { state: 'published', reprocess_of: '1' }]);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
  });

  it('that is there when a load has failed before it took one of its own is nobody’s: refused until --adopt', async () => {
    world = await World.create(server, ORDERS(300, { yaml: 'before: "insert into core.tried values (:batch_id)"' }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    await world.warehouse.query(`create table core.tried (batch_id bigint); ${CUT_OVER}`);
    for (const force of [false, true]) {
      expect(await world.run({ load: 'core.order', force })).toMatchObject({
        ok: false,
        type: 'Refused',
        message: 'acq.orders_processing exists, but no batch of core.order made it',
      });
    }
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({
      ok: true,
      result: { rowsWritten: 300, batch: { batchId: '2' } },
    });
    await expectWhole(world);
    expect(await world.rows('select batch_id, adopted from waybill.snapshot')).toEqual([
      { batch_id: '2', adopted: true },
    ]);
  });

  it('of one of two inputs: the other gets a snapshot of its own, and a failure in between changes nothing', async () => {
    const orders = ORDERS(300, { yaml: 'before: "insert into core.tried select 1 / ok from core.switch"' });
    world = await World.create(server, {
      files: {
        ...orders.files,
        'loads/core/order.yaml': orders.files['loads/core/order.yaml']!.replace(
          'external: true }',
          'external: true }, { table: acq.refunds, external: true }',
        ).replace(
          'outputs: [ core.orders ]',
          `  - { name: refunds, sql: "insert into core.refunds select r.id, :batch_id from {{ acq.refunds }} r" }
outputs: [ core.orders, core.refunds ]`,
        ),
      },
      warehouse: `${orders.warehouse} ${CUT_OVER}
        create table core.switch (ok int); create table core.tried (n int); insert into core.switch values (0);
        create table acq.refunds (id bigint primary key); insert into acq.refunds values (1), (2);
        create table core.refunds (id bigint, batch_id bigint);`,
    });
    await world.worker();
    // Fails before the second table's snapshot is taken.
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({ ok: false, type: 'Database' });
    expect(await exists(world, 'acq.refunds_processing')).toBe(false);
    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 302 } });
    await expectWhole(world);
    expect(await world.rows('select id, batch_id from core.refunds order by 1')).toEqual([
      { id: '1', batch_id: '2' },
      { id: '2', batch_id: '2' },
    ]);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    expect(await exists(world, 'acq.refunds_processing')).toBe(false);
  });

  it('that is no ordinary table, or whose landing table is missing, is refused: it would be dropped unread', async () => {
    world = await World.create(server, ORDERS(100));
    await world.worker();
    const adopt = () => world.run({ load: 'core.order', adopt: true });

    if (world.words.family === 'postgres') {
      await world.warehouse.query(`create table acq.orders_processing (like acq.orders) partition by range (id);
        create table acq.all_orders partition of acq.orders_processing default;
        insert into acq.orders_processing select id + 1000, customer, amount from acq.orders`);
      expect(await adopt()).toMatchObject({
        ok: false,
        type: 'Refused',
        message: 'acq.orders_processing cannot be adopted as a snapshot: acq.orders_processing is a partitioned table',
      });
      await world.warehouse.query('drop table acq.orders_processing');
    }
    await world.warehouse.query(`create view acq.orders_processing as select * from kept.orders`);
    expect(await adopt()).toMatchObject({
      ok: false,
      type: 'Refused',
      message: expect.stringMatching(
        /^acq.orders_processing cannot be adopted as a snapshot: (acq.orders_processing|it) is a view$/,
      ) as string,
    });
    await world.warehouse.query(`drop view acq.orders_processing;
                                 alter table acq.orders rename to orders_processing`);
    expect(await adopt()).toMatchObject({
      ok: false,
      type: 'Refused',
      message: 'acq.orders_processing is there, but acq.orders is not: the tool that renamed it stopped half-way',
    });
    expect(await world.states('core.order')).toEqual([]);

    await world.warehouse.query('create table acq.orders (like acq.orders_processing including all)');
    expect(await adopt()).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectWhole(world);
  });

  test.each(UNADOPTABLE[wordsAt(server.url).family])(
    '$made: refused, with the reason, and nothing is touched',
    async ({ sql, reason, next }) => {
      world = await World.create(server, ORDERS(100));
      await world.warehouse.query(`${CUT_OVER} ${sql}`);
      await world.worker();
      const refused = await world.run({ load: 'core.order', adopt: true });
      expect(refused).toMatchObject({ ok: false, type: 'Refused', where: 'load core.order, input acq.orders' });
      expect(!refused.ok && refused.message).toMatch(/^acq.orders_processing cannot be adopted as a snapshot: /);
      expect(!refused.ok && refused.message).toMatch(reason);
      expect(!refused.ok && refused.next).toMatch(next);
      expect(await world.states('core.order')).toEqual([]);
      expect(await world.value(TRIGGERS[world.words.family].replace('<prefix>', world.names.prefix))).toBe('0');
    },
  );

  it('stays as it is once adopted: whoever writes to it is waited for, and whoever comes later is refused', async () => {
    world = await World.create(server, BREAKABLE(300, { broken: 0, pause: 30 }));
    await world.warehouse.query(CUT_OVER);
    const writer = await world.another('warehouse', 'the old tool');
    const late = `(9001, 'late', 1)`;
    await writer.query(`begin; insert into acq.orders_processing values ${late}`);
    await world.worker();
    const handle = await world.start({ load: 'core.order', adopt: true });
    await until(async () => (await world.count(world.words.waiting)) > 0, 90);
    expect(await world.states('core.order')).toEqual([]);
    await writer.query('commit');
    await world.warehouse.query(`insert into kept.orders values ${late}`);
    await until(async () => (await world.value('select count(*) from waybill.chunk')) === '4', 90);
    const { refused, saying } = WRITES[world.words.family];
    for (const write of refused) await expect(writer.query(write)).rejects.toThrow(saying);
    await mend(world);
    await world.end(world.words.lanesAtWork);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 305 } });
    await expectWhole(world);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
  });

  it('whose writer does not end is not adopted: the load says who that is, and opens no batch', async () => {
    world = await World.create(server, ORDERS(100));
    await world.warehouse.query(CUT_OVER);
    const writer = await world.another('warehouse', 'the old tool');
    await writer.query(`begin; insert into acq.orders_processing values (9001, 'late', 1)`);
    const { openBatch } = await activitiesOf(world);
    await expect(openBatch({ ...OPEN_ORDER, adopt: true })).rejects.toMatchObject({
      type: 'Database',
      nonRetryable: false,
      message: expect.stringMatching(
        new RegExp(`acq.orders_processing is in use by ${world.words.holder('the old tool')}$`),
      ) as string,
    });
    expect(await world.states('core.order')).toEqual([]);
    await writer.query('rollback');
    expect(await openBatch({ ...OPEN_ORDER, adopt: true })).toMatchObject({ kind: 'opened', batch: { batchId: '1' } });
  });

  // On MySQL the attempt holds the row of the batch, which is to be seen again before it goes on.
  if (!server.name.startsWith('MySQL'))
    it('that another attempt of this start has adopted meanwhile does not end it: it goes on with that batch', async () => {
      world = await World.create(server, ORDERS(100));
      await world.warehouse.query(CUT_OVER);
      const { openBatch } = await activitiesOf(world);
      const start = () => openBatch({ ...OPEN_ORDER, adopt: true, force: true }); // forced: of an output that a batch has, too
      const once = { kind: 'opened', batch: { batchId: '1' } };
      expect(await start()).toMatchObject(once);
      // Nobody sees the batch until this attempt has looked whether there is one, and comes to the snapshots.
      await world.warehouse.query(`update waybill.batch set load_name = 'no load', first_run_id = 'no run'`);
      const locker = await lockAlone(world, 'warehouse', 'waybill.snapshot');
      const again = start().catch((error: unknown) => error);
      await until(async () => (await world.count(world.words.waiting)) > 0, 90);
      const { load, firstRunId } = OPEN_ORDER;
      await world.warehouse.query(`update waybill.batch set load_name = '${load}', first_run_id = '${firstRunId}'`);
      await letGo(world, locker);
      expect(await again).toMatchObject(once);
    });

  it('is not needed for --adopt to be harmless', async () => {
    world = await World.create(server, ORDERS(100));
    await world.worker();
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({
      ok: true,
      result: { rowsWritten: 100 },
    });
    await expectWhole(world);
    expect(await world.rows('select adopted from waybill.snapshot')).toEqual([{ adopted: false }]);
    expect(await world.run({ load: 'core.order', adopt: true })).toMatchObject({
      ok: true,
      result: { status: 'nothing' },
    });
  });
});

describe.each(oneOfEachFamily(import.meta.url))('a snapshot of another load on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  const OTHER = 'core.other';

  /** From now on acq.orders is an input of core.other, and core.order takes acq.more. */
  async function recut(): Promise<void> {
    await world.warehouse.query(`create table acq.more (like acq.orders including all);
      create table core.others (id bigint, customer text, amount numeric(12,2), batch_id bigint not null)`);
    const yaml = ORDERS(0).files['loads/core/order.yaml']!;
    await world.write('loads/core/order.yaml', yaml.replaceAll('acq.orders', 'acq.more'));
    await world.write('loads/core/order.sql', PLAIN_SQL.replace('acq.orders', 'acq.more'));
    await world.write(
      'loads/core/other.yaml',
      yaml.replace('order.sql', 'other.sql').replace('core.orders', 'core.others'),
    );
    await world.write('loads/core/other.sql', PLAIN_SQL.replace('core.orders', 'core.others'));
  }

  it('is taken over by nobody while its batch is held; once that has failed --adopt takes it, and the other load goes on without', async () => {
    world = await World.create(server, BREAKABLE(300, { yaml: 'on_failure: hold' }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    await recut();
    for (const adopt of [false, true]) {
      expect(await world.run({ load: OTHER, adopt })).toMatchObject({
        ok: false,
        type: 'Refused',
        message: 'acq.orders_processing is the snapshot of batch 1 of core.order, which is held',
        next: expect.stringMatching(
          /waybill run core\.order\); then start core\.other again; where core\.order is no more in the project, put its file back for that as it was, and until then take acq\.orders out of the inputs of core\.other, or /,
        ) as string,
      });
    }
    const edited = "the inputs of core.order were edited while batch 1's snapshot is open";
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Refused', message: edited });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.run(OTHER)).toMatchObject({
      ok: false,
      type: 'Refused',
      message:
        'acq.orders_processing exists: batch 1 of core.order (failed) had a snapshot of this name, and did not publish its rows',
      next:
        'if core.other is to load them: waybill run core.other --adopt; ' +
        'if core.order is to: put acq.orders back into its inputs and start that',
    });
    expect(await world.states(OTHER)).toEqual([]);
    expect(await world.run({ load: OTHER, adopt: true })).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    await world.warehouse.query(`insert into acq.more values (1, 'one', 1)`);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await world.warehouse.query('delete from core.orders; insert into core.orders select * from core.others');
    await expectWhole(world);
  });

  it('is one of several of a failed batch: the load that had them goes on with the others', async () => {
    const tables = (name: string): string => `
      create table kept.${name} (id bigint primary key, name text);
      insert into kept.${name} values (1, '${name} 1'), (2, '${name} 2');
      create table acq.${name} (id bigint, name text, batch_id bigint not null,
        ngdw_id bigint generated by default as identity primary key);
      create table core.${name} (id bigint, name text, batch_id bigint not null);`;
    const acquisition = (name: string): string => `
kind: acquisition
connection: warehouse
from: { connection: warehouse, table: kept.${name}, cursor: id }
to: { table: acq.${name} }
`;
    const core = (...names: string[]): string => `
kind: core
connection: warehouse
inputs: [ ${names.map((name) => `acq.${name}`).join(', ')} ]
stages:
${names.map((name) => `  - { name: ${name}, sql: "insert into core.${name} select i.id / s.ok, i.name, :batch_id from {{ acq.${name} }} i cross join core.switch s" }`).join('\n')}
outputs: [ ${names.map((name) => `core.${name}`).join(', ')} ]
`;
    world = await World.create(server, {
      files: {
        'loads/acquisition/orders.yaml': acquisition('orders'),
        'loads/acquisition/more.yaml': acquisition('more'),
        'loads/core/order.yaml': core('orders', 'more'),
      },
      warehouse: `create schema acq; create schema core; create schema kept; ${tables('orders')} ${tables('more')}
        create table core.switch (ok int); insert into core.switch values (0);`,
    });
    await world.worker();
    for (const load of ['acquisition.orders', 'acquisition.more'])
      expect(await world.run(load)).toMatchObject({ ok: true });
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    await world.warehouse.query('update core.switch set ok = 1');

    await world.write('loads/core/order.yaml', core('orders'));
    await world.write('loads/core/other.yaml', core('more'));
    expect(await world.run({ load: OTHER, adopt: true })).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    for (const name of ['orders', 'more']) {
      expect(await world.rows(`select id, name from core.${name} order by id`)).toEqual([
        { id: '1', name: `${name} 1` },
        { id: '2', name: `${name} 2` },
      ]);
    }
    const lineage = `select batch_id, producer_load from waybill.batch_input where via = 'snapshot' and batch_id > 3 order by 1`;
    expect(await world.rows(lineage)).toEqual([
      { batch_id: '4', producer_load: 'acquisition.more' },
      { batch_id: '5', producer_load: 'acquisition.orders' },
    ]);
  });

  /** Batch 1 of core.order is published, and has not dropped its snapshot, which this reads; acq.orders is an input of core.other then. */
  async function leaveUndropped(): Promise<TestClient> {
    world = await World.create(server, ORDERS(200, { sql: SLOW_SQL(0.3) }));
    await world.worker({ dropLimitMs: 500 });
    const reader = await world.another('warehouse', 'an analyst');
    const handle = await world.start('core.order');
    await until(async () => (await world.value('select count(*) from waybill.snapshot')) === '1', 90);
    await reader.query('begin; select count(*) from acq.orders_processing');
    expect(await ended(handle)).toMatchObject({ ok: true });
    await expectWhole(world);
    await recut();
    return reader;
  }

  it('that is published, of a load that is no more in the project, is dropped by a person, as the start says', async () => {
    await (await leaveUndropped()).query('commit');
    const file = join(world.directory, 'loads/core/order.yaml');
    const yaml = await readFile(file, 'utf8');
    await rm(file);
    await land(world, 9001);
    expect(await world.run({ load: OTHER, adopt: true })).toMatchObject({
      ok: false,
      type: 'Refused',
      message:
        'acq.orders_processing is the snapshot of batch 1 of core.order, which is published and has not dropped it yet',
      next: expect.stringMatching(
        /; where core\.order is no more in the project, drop acq\.orders_processing yourself$/,
      ) as string,
    });
    await world.warehouse.query('drop table acq.orders_processing');
    expect(await world.run(OTHER)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await writeFile(file, yaml);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
  });

  it('that is published is not what has its name now: another table may be adopted', async () => {
    await (await leaveUndropped()).query('commit');
    await world.warehouse.query(`drop table acq.orders_processing;
      create table acq.orders_processing (like acq.orders including all);
      insert into acq.orders_processing values (9001, 'other', 1)`);
    expect(await world.run(OTHER)).toMatchObject({
      ok: false,
      type: 'Refused',
      message:
        'acq.orders_processing exists, and is not known as what it was: batch 1 of core.order, which is published, had a snapshot of this name, and did not drop it',
    });
    expect(await world.run({ load: OTHER, adopt: true })).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.run('core.order')).toMatchObject({ ok: true });
  });

  it('that is published, and not dropped yet, is dropped by that load, and adopted by none', async () => {
    const reader = await leaveUndropped();
    await land(world, 9001);
    for (const adopt of [false, true]) {
      expect(await world.run({ load: OTHER, adopt })).toMatchObject({
        ok: false,
        type: 'Refused',
        message:
          'acq.orders_processing is the snapshot of batch 1 of core.order, which is published and has not dropped it yet',
        next: expect.stringMatching(
          /^its rows are published: waybill run core\.order drops it first, once nobody reads it; then start core\.other again; /,
        ) as string,
      });
    }
    await reader.query('commit');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.run(OTHER)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
  });
});
