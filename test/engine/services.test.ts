import { afterEach, describe, expect, test } from 'vitest';
import { servers } from '../servers.ts';
import { ended, until, World, type WorldOptions } from './world.ts';

/** A core load that lands rows of acq.<name> in core.<name>; while somebody holds the lock of that number it stands still. */
const producer = (name: string, lock: number): string => `
kind: core
connection: warehouse
inputs: [ { table: acq.${name}, external: true } ]
stages:
  - name: rows
    sql: |
      insert into core.${name} (id, kind, amount, batch_id)
      select i.id, i.id % 7, i.amount, :batch_id from {{ acq.${name} }} i, (select pg_advisory_xact_lock_shared(${lock})) held
outputs: [ core.${name} ]
`;

const LOCKS = { item: 1, other: 2, consumer: 3 };

/** What the services load makes of its batches: a row for each row, so that it can be compared row for row. */
const consumer = (options: { consumes?: string; chunk?: string; output?: string } = {}): string => `
kind: services
connection: warehouse
consumes: [ ${options.consumes ?? 'core.item'} ]
stages:
  - name: copies
    ${options.chunk ? `chunk: ${options.chunk}` : ''}
    sql: |
      insert into ${options.output ?? 'services.item'} (id, kind, amount, source_batch, batch_id)
      select i.id, i.kind, i.amount / (select divisor from core.settings), i.batch_id, :batch_id from {{ core.item }} i,
        (select pg_advisory_xact_lock_shared(${LOCKS.consumer})) held
outputs: [ ${options.output ?? 'services.item'} ]
`;

function PROJECT(files: Record<string, string>): WorldOptions {
  const table = 'id bigint, kind int, amount numeric, batch_id bigint not null';
  return {
    files: {
      'loads/core/item.yaml': producer('item', LOCKS.item),
      'loads/core/other.yaml': producer('other', LOCKS.other),
      'loads/services/item.yaml': consumer(),
      ...files,
    },
    warehouse: `
      create schema acq; create schema core; create schema services;
      create table acq.item (id bigint, amount numeric); create table acq.other (like acq.item);
      create table core.item (${table}); create table core.other (${table});
      create table services.item (id bigint, kind int, amount numeric, source_batch bigint, batch_id bigint not null);
      create table services.second (like services.item);
      create table core.settings (divisor int); insert into core.settings values (1);`,
  };
}

/** Every row of these published producers stands in the consumer's output once. */
async function expectConsumed(world: World, output = 'services.item', from = 'table core.item'): Promise<void> {
  const found = await world.rows(`
    with expected as (select id, kind, amount, batch_id from (${from}) c),
         found as (select id, kind, amount, source_batch from ${output})
    select (select count(*) from (table expected except all table found) m)::int as missing,
           (select count(*) from (table found except all table expected) s)::int as surplus`);
  expect(found).toEqual([{ missing: 0, surplus: 0 }]);
}

describe.each(servers)('consuming published batches on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const land = (table: string, from: number, to: number): Promise<unknown> =>
    world.warehouse.query(`insert into acq.${table} select g, g * 1.5 from generate_series(${from}, ${to}) g`);

  /** Lands rows and runs the producer. Answers with its batch id. */
  async function produce(table: 'item' | 'other', from: number, to: number): Promise<string> {
    await land(table, from, to);
    const end = await world.run(`core.${table}`);
    expect(end).toMatchObject({ ok: true, result: { status: 'finished' } });
    return (end as { result: { batch: { batchId: string } } }).result.batch.batchId;
  }

  const inputs = (batch: string): Promise<{ producer_batch_id: string; producer_load: string; via: string }[]> =>
    world.rows(
      'select producer_batch_id, producer_load, via from waybill.batch_input where batch_id = $1 order by 1, 3',
      [batch],
    );

  test('takes every published batch once, as a set; with nothing left it opens no batch', async () => {
    world = await World.create(server, PROJECT({}));
    await world.worker();
    for (const n of [0, 1, 2]) await produce('item', n * 100 + 1, n * 100 + 100);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectConsumed(world);
    expect(await inputs('4')).toEqual(
      ['1', '2', '3'].map((id) => ({ producer_batch_id: id, producer_load: 'core.item', via: 'consumes' })),
    );
    expect(await world.run('services.item')).toMatchObject({
      ok: true,
      result: { status: 'nothing', reason: 'every published batch of core.item has been consumed' },
    });
    await produce('item', 301, 350);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 50 } });
    await expectConsumed(world);
  });

  test('a batch that is published later under a lower number is not passed over', async () => {
    const both = consumer({ consumes: 'core.item, core.other' }).replace(
      'from {{ core.item }} i,',
      'from (select * from {{ core.item }} a union all select * from {{ core.other }} b) i,',
    );
    world = await World.create(server, PROJECT({ 'loads/services/item.yaml': both }));
    await world.worker();
    const holder = await world.another('warehouse');
    await holder.query(`select pg_advisory_lock(${LOCKS.item})`);
    await land('item', 1, 100);
    const slow = await world.start('core.item');
    await until(async () => (await world.states('core.item')).length === 1, 90);
    expect(await produce('other', 101, 150)).toBe('2');
    expect(await world.run('services.item')).toMatchObject({
      ok: true,
      result: { rowsWritten: 50, batch: { batchId: '3' } },
    });
    await holder.query(`select pg_advisory_unlock(${LOCKS.item})`);
    expect(await ended(slow)).toMatchObject({ ok: true, result: { batch: { batchId: '1' } } });
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectConsumed(world, 'services.item', 'table core.item union all table core.other');
    expect((await inputs('4')).map((row) => row.producer_batch_id)).toEqual(['1']);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { status: 'nothing' } });
  });

  test('a failed one is done again over the same set, whatever was published meanwhile; the next start takes that', async () => {
    world = await World.create(server, PROJECT({}));
    await world.worker();
    await produce('item', 1, 100);
    await produce('item', 101, 200);
    await world.warehouse.query('update core.settings set divisor = 0');
    expect(await world.run('services.item')).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.value('select count(*) from services.item')).toBe('0');
    await produce('item', 201, 300);
    expect(await world.run('services.item')).toMatchObject({ ok: false, type: 'Database' });
    await world.warehouse.query('update core.settings set divisor = 1');
    expect(await world.run('services.item')).toMatchObject({
      ok: true,
      result: { rowsWritten: 200, batch: { batchId: '6' } },
    });
    expect((await inputs('6')).map((row) => row.producer_batch_id)).toEqual(['1', '2']);
    expect(await world.value('select reprocess_of from waybill.batch where batch_id = 6')).toBe('5');
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    expect((await inputs('7')).map((row) => row.producer_batch_id)).toEqual(['4']);
    await expectConsumed(world);
    expect(await world.states('services.item')).toEqual(['failed', 'failed', 'published', 'published']);
  });

  test('what was retracted since it failed is not consumed', async () => {
    world = await World.create(server, PROJECT({}));
    await world.worker();
    await produce('item', 1, 100);
    await produce('item', 101, 200);
    await world.warehouse.query('update core.settings set divisor = 0');
    expect(await world.run('services.item')).toMatchObject({ ok: false });
    await world.warehouse.query(`update waybill.batch set state = 'retracted' where batch_id = 1;
      delete from core.item where batch_id = 1; update core.settings set divisor = 1`);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectConsumed(world);
    // A consumer that is taken back sets its batches free again.
    await world.warehouse.query(`update waybill.batch set state = 'retracted' where load_name = 'services.item';
      delete from services.item`);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectConsumed(world);
  });

  test.each([
    ['by its primary key', '{ input: core.item, rows: 60 }', 'alter table core.item add primary key (batch_id, id)'],
    ['by a key of several columns', '{ input: core.item, rows: 60, key: [kind, batch_id] }', ''],
    [
      'by a key with NULLs',
      '{ input: core.item, rows: 60, key: kind }',
      `create function core.forget() returns trigger language plpgsql as
         $$ begin if new.kind = 3 then new.kind := null; end if; return new; end $$;
       create trigger forget before insert on core.item for each row execute function core.forget()`,
    ],
  ])('cuts a consumed table into chunks %s, while others write to it', async (_how, chunk, sql) => {
    world = await World.create(server, PROJECT({ 'loads/services/item.yaml': consumer({ chunk }) }));
    if (sql) await world.warehouse.query(sql);
    await world.worker();
    await produce('item', 1, 500);
    await produce('item', 501, 1000);
    const holder = await world.another('warehouse');
    await holder.query(`select pg_advisory_lock(${LOCKS.consumer})`);
    const handle = await world.start('services.item');
    await until(
      async () =>
        (await world.value(`select count(*) from pg_locks where locktype = 'advisory' and not granted
                                                and objid = ${LOCKS.consumer}`)) !== '0',
      90,
    );
    await produce('item', 1, 300); // published meanwhile: the next batch's business
    await holder.query(`select pg_advisory_unlock(${LOCKS.consumer})`);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1000, batch: { batchId: '3' } } });
    expect(Number(await world.value('select count(*) from waybill.chunk where batch_id = 3'))).toBeGreaterThan(6);
    await expectConsumed(world, 'services.item', 'select * from core.item where batch_id <= 2');
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectConsumed(world);
  });

  test('a consumed table without a key cannot be cut, and the message says what to write', async () => {
    world = await World.create(
      server,
      PROJECT({ 'loads/services/item.yaml': consumer({ chunk: '{ input: core.item, rows: 60 }' }) }),
    );
    await world.worker();
    await produce('item', 1, 10);
    expect(await world.run('services.item')).toMatchObject({
      ok: false,
      type: 'Configuration',
      message: '`core.item` has no primary key and no unique index by which it could be cut into chunks',
      next: expect.stringContaining('Name the columns to cut by in `chunk.key`') as string,
    });
    expect(await world.states('services.item')).toEqual(['failed']);
  });

  test('two consumers of one producer keep their own accounts', async () => {
    world = await World.create(
      server,
      PROJECT({ 'loads/services/second.yaml': consumer({ output: 'services.second' }) }),
    );
    await world.worker();
    await produce('item', 1, 100);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await produce('item', 101, 130);
    const both = await Promise.all([world.run('services.item'), world.run('services.second')]);
    expect(both.map((end) => end.ok && end.result.rowsWritten)).toEqual([30, 130]);
    await expectConsumed(world);
    await expectConsumed(world, 'services.second');
  });

  test('a core load may consume acquisitions, so that a landing table can have several readers and is never renamed', async () => {
    const core = (name: string): string => `
kind: core
connection: warehouse
consumes: [ acquisition.thing ]
stages:
  - name: rows
    chunk: { input: acq.thing, rows: 50, key: id }
    sql: insert into core.${name} (id, batch_id) select t.id, :batch_id from {{ acq.thing }} t
outputs: [ core.${name} ]
`;
    const project = PROJECT({
      'loads/acquisition/thing.yaml': `
kind: acquisition
connection: warehouse
from: { connection: source, table: public.thing, cursor: id }
to: { table: acq.thing }
`,
      'loads/core/first.yaml': core('first'),
      'loads/core/second.yaml': core('second'),
    });
    world = await World.create(server, {
      ...project,
      source: 'create table thing (id bigint not null); insert into thing select generate_series(1, 200)',
      warehouse: `${project.warehouse}
        create table acq.thing (id bigint, batch_id bigint not null, ngdw_id bigserial);
        create table core.first (id bigint, batch_id bigint not null); create table core.second (like core.first);`,
    });
    await world.worker();
    expect(await world.run('acquisition.thing')).toMatchObject({ ok: true, result: { rowsWritten: 200 } });
    expect(await world.run('core.first')).toMatchObject({ ok: true, result: { rowsWritten: 200 } });
    await world.source.query('insert into thing select generate_series(201, 230)');
    expect(await world.run('acquisition.thing')).toMatchObject({ ok: true, result: { rowsWritten: 30 } });
    expect(await world.run('core.second')).toMatchObject({ ok: true, result: { rowsWritten: 230 } });
    expect(await world.run('core.first')).toMatchObject({ ok: true, result: { rowsWritten: 30 } });
    for (const name of ['first', 'second']) {
      expect(await world.value(`select count(*) from core.${name} join acq.thing using (id)`), name).toBe('230');
      expect(await world.value(`select count(*) from core.${name}`)).toBe('230');
    }
    expect(await world.value('select count(*) from acq.thing')).toBe('230');
    expect(await world.value(`select to_regclass('acq.thing_processing')`)).toBeNull();
    expect(await inputs('4')).toEqual(
      ['1', '3'].map((id) => ({ producer_batch_id: id, producer_load: 'acquisition.thing', via: 'consumes' })),
    );
  });

  test('is not published when a batch that it consumed was retracted while it ran', async () => {
    world = await World.create(server, PROJECT({}));
    await world.worker();
    await produce('item', 1, 100);
    await produce('item', 101, 200);
    const holder = await world.another('warehouse');
    await holder.query(`select pg_advisory_lock(${LOCKS.consumer})`);
    const handle = await world.start('services.item');
    await until(
      async () =>
        (await world.value(`select count(*) from pg_locks where locktype = 'advisory' and not granted
                                                and objid = ${LOCKS.consumer}`)) !== '0',
      90,
    );
    await world.warehouse.query(`update waybill.batch set state = 'retracted' where batch_id = 2;
      delete from core.item where batch_id = 2`);
    await holder.query(`select pg_advisory_unlock(${LOCKS.consumer})`);
    expect(await ended(handle)).toMatchObject({
      ok: false,
      type: 'LoadFailed',
      message: 'what this batch was made from is no longer published: core.item 2',
    });
    expect(await world.states('services.item')).toEqual(['failed']);
    expect(await world.value('select count(*) from services.item')).toBe('0');
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectConsumed(world);
  });
});
