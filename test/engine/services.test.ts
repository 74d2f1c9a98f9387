import { afterEach, describe, expect, test } from 'vitest';
import { pauseUpdate, resumeUpdate } from '../../src/workflows/message-definitions.ts';
import { oneOfEachFamily, someServers } from '../every-server.ts';
import { holdLatch, LATCHES, WAIT, waitsAtLatch } from './latch.ts';
import { expectSame } from './orders.ts';
import type { ServerWords } from './server-words.ts';
import { ended, until, World, type WorldOptions } from './world.ts';

/** A core load that lands rows of acq.<name> in core.<name>; while a test holds that latch it stands still. */
const producer = (name: string, latch: number): string => `
kind: core
connection: warehouse
inputs: [ { table: acq.${name}, external: true } ]
stages:
  - name: rows
    sql: |
      insert into core.${name}s (id, kind, amount, batch_id)
      select i.id, i.id % 7, i.amount, :batch_id from {{ acq.${name} }} i, (${WAIT(latch)}) held
outputs: [ core.${name}s ]
`;

const LATCH = { item: 1, other: 2, consumer: 3 };

/** What the services load makes of its batches: a row for each row, so that it can be compared row for row. */
const consumer = (options: { consumes?: string; chunk?: string; output?: string } = {}): string => `
kind: services
connection: warehouse
consumes: [ ${options.consumes ?? 'core.item'} ]
stages:
  - name: copies
    ${options.chunk ? `chunk: ${options.chunk}` : ''}
    sql: |
      insert into ${options.output ?? 'services.items'} (id, kind, amount, source_batch, batch_id)
      select i.id, i.kind, i.amount / (select divisor from core.settings), i.batch_id, :batch_id from {{ core.items }} i,
        (${WAIT(LATCH.consumer)}) held
outputs: [ ${options.output ?? 'services.items'} ]
`;

function PROJECT(files: Record<string, string>): WorldOptions {
  const table = 'id bigint, kind int, amount numeric(20, 4), batch_id bigint not null';
  return {
    files: {
      'loads/core/item.yaml': producer('item', LATCH.item),
      'loads/core/other.yaml': producer('other', LATCH.other),
      'loads/services/item.yaml': consumer(),
      ...files,
    },
    warehouse: `
      create schema acq; create schema core; create schema services; ${LATCHES}
      create table acq.item (id bigint primary key, amount numeric(20, 4)); create table acq.other (id bigint primary key, amount numeric(20, 4));
      create table core.items (${table}); create table core.others (${table});
      create table services.items (id bigint, kind int, amount numeric(20, 4), source_batch bigint, batch_id bigint not null);
      create table services.seconds (like services.items);
      create table core.settings (divisor int); insert into core.settings values (1);`,
  };
}

/** Every row of these published producers stands in the consumer's output once. */
async function expectConsumed(
  world: World,
  output = 'services.items',
  from = 'select * from core.items',
): Promise<void> {
  const columns = ['id', 'kind', 'amount', 'source_batch'];
  const expected = `select id, kind, amount, batch_id as source_batch from (${from}) c`;
  await expectSame(world, expected, `select ${columns.join(', ')} from ${output}`, columns);
}

const SAME = (sql: string): Record<ServerWords['family'], string> => ({ postgres: sql, mysql: sql });

describe.each(someServers(import.meta.url))('consuming published batches on $name', { timeout: 120_000 }, (server) => {
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

  /** As `waybill retract` will leave a batch of core.item. */
  const retract = (batch: string): Promise<unknown> =>
    world.warehouse.query(`update waybill.batch set state = 'retracted' where batch_id = ${batch};
      delete from core.items where batch_id = ${batch}`);

  const inputs = (batch: string): Promise<{ producer_batch_id: string; producer_load: string; via: string }[]> =>
    world.rows(
      'select producer_batch_id, producer_load, via from waybill.batch_input where batch_id = $1 order by 1, 3',
      [batch],
    );

  test('takes every published batch once, as a set; with nothing left it opens no batch', async () => {
    world = await World.create(server, PROJECT({}));
    await world.worker();
    for (const n of [0, 1]) await produce('item', n * 100 + 1, n * 100 + 100);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 200 } });
    await expectConsumed(world);
    expect(await inputs('3')).toEqual(
      ['1', '2'].map((id) => ({ producer_batch_id: id, producer_load: 'core.item', via: 'consumes' })),
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
      'from {{ core.items }} i,',
      'from (select * from {{ core.items }} a union all select * from {{ core.others }} b) i,',
    );
    world = await World.create(server, PROJECT({ 'loads/services/item.yaml': both }));
    await world.worker();
    const letGo = await holdLatch(world, LATCH.item);
    await land('item', 1, 100);
    const slow = await world.start('core.item');
    await until(async () => (await world.states('core.item')).length === 1, 90);
    expect(await produce('other', 101, 150)).toBe('2');
    expect(await world.run('services.item')).toMatchObject({
      ok: true,
      result: { rowsWritten: 50, batch: { batchId: '3' } },
    });
    await letGo();
    expect(await ended(slow)).toMatchObject({ ok: true, result: { batch: { batchId: '1' } } });
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectConsumed(world, 'services.items', 'select * from core.items union all select * from core.others');
    expect((await inputs('4')).map((row) => row.producer_batch_id)).toEqual(['1']);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { status: 'nothing' } });
  });

  test('a failed one is done again over the same set, less what was retracted, whatever was published meanwhile; the next start takes that', async () => {
    world = await World.create(server, PROJECT({}));
    await world.worker();
    await produce('item', 1, 100);
    await produce('item', 101, 200);
    await world.warehouse.query('update core.settings set divisor = 0');
    expect(await world.run('services.item')).toMatchObject({ ok: false, type: 'Database' });
    expect(await produce('item', 201, 300)).toBe('4');
    expect(await world.run('services.item')).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.value('select count(*) from services.items')).toBe('0');
    await retract('1');
    await world.warehouse.query('update core.settings set divisor = 1');
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectConsumed(world);
    const producers = async (batch: string) => (await inputs(batch)).map((row) => row.producer_batch_id);
    expect(await Promise.all(['3', '5', '6', '7'].map(producers))).toEqual([['1', '2'], ['1', '2'], ['2'], ['4']]);
    expect(
      await world.rows(`select batch_id, state, reprocess_of from waybill.batch where load_name = 'services.item'
        order by batch_id`),
    ).toEqual([
      { batch_id: '3', state: 'failed', reprocess_of: null },
      { batch_id: '5', state: 'failed', reprocess_of: '3' },
      { batch_id: '6', state: 'published', reprocess_of: '5' },
      { batch_id: '7', state: 'published', reprocess_of: null },
    ]);
    // A consumer that is taken back sets its batches free again.
    await world.warehouse.query(`update waybill.batch set state = 'retracted' where load_name = 'services.item';
      delete from services.items`);
    const again = [await world.run('services.item'), await world.run('services.item')];
    expect(again).toMatchObject([{ result: { rowsWritten: 100 } }, { result: { rowsWritten: 100 } }]);
    await expectConsumed(world);
  });

  test('a failed one whose whole set was retracted has nothing to do, and then what is published next', async () => {
    world = await World.create(server, PROJECT({}));
    await world.worker();
    await produce('item', 1, 100);
    await world.warehouse.query('update core.settings set divisor = 0');
    expect(await world.run('services.item')).toMatchObject({ ok: false });
    await retract('1');
    await world.warehouse.query('update core.settings set divisor = 1');
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { status: 'nothing' } });
    await produce('item', 101, 150);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 50 } });
    await expectConsumed(world);
  });

  test.each([
    [
      'by its primary key',
      '{ input: core.items, rows: 60 }',
      SAME('alter table core.items add primary key (batch_id, id)'),
    ],
    ['by a key of several columns', '{ input: core.items, rows: 60, key: [kind, batch_id] }', SAME('')],
    [
      'by a key with NULLs',
      '{ input: core.items, rows: 60, key: kind }',
      {
        postgres: `create function core.forget() returns trigger language plpgsql as
            $$ begin if new.kind = 3 then new.kind := null; end if; return new; end $$;
          create trigger forget before insert on core.items for each row execute function core.forget()`,
        mysql: 'create trigger core.forget before insert on core.items for each row set new.kind = nullif(new.kind, 3)',
      },
    ],
  ])('cuts a consumed table into chunks %s, while others write to it', async (_how, chunk, sql) => {
    world = await World.create(server, PROJECT({ 'loads/services/item.yaml': consumer({ chunk }) }));
    if (sql[world.words.family]) await world.warehouse.query(sql[world.words.family]);
    await world.worker();
    await produce('item', 1, 500);
    await produce('item', 501, 1000);
    const letGo = await holdLatch(world, LATCH.consumer);
    const handle = await world.start('services.item');
    await waitsAtLatch(world);
    await produce('item', 1, 300); // published meanwhile: not of this batch's set
    await letGo();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1000, batch: { batchId: '3' } } });
    expect(Number(await world.value('select count(*) from waybill.chunk where batch_id = 3'))).toBeGreaterThan(6);
    await expectConsumed(world, 'services.items', 'select * from core.items where batch_id <= 2');
  });

  test('a consumed table without a key cannot be cut, and the message says what to write', async () => {
    world = await World.create(
      server,
      PROJECT({ 'loads/services/item.yaml': consumer({ chunk: '{ input: core.items, rows: 60 }' }) }),
    );
    await world.worker();
    await produce('item', 1, 10);
    expect(await world.run('services.item')).toMatchObject({
      ok: false,
      type: 'Configuration',
      message: '`core.items` has no primary key and no unique index by which it could be cut into chunks',
      next: expect.stringContaining('Name the columns to cut by in `chunk.key`') as string,
    });
    expect(await world.states('services.item')).toEqual(['failed']);
  });

  test('two consumers of one producer keep their own accounts', async () => {
    world = await World.create(
      server,
      PROJECT({ 'loads/services/second.yaml': consumer({ output: 'services.seconds' }) }),
    );
    await world.worker();
    await produce('item', 1, 100);
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await produce('item', 101, 130);
    const both = await Promise.all([world.run('services.item'), world.run('services.second')]);
    expect(both.map((end) => end.ok && end.result.rowsWritten)).toEqual([30, 130]);
    await expectConsumed(world);
    await expectConsumed(world, 'services.seconds');
  });

  test('a core load may consume acquisitions, so that a landing table can have several readers and is never renamed', async () => {
    const core = (name: string): string => `
kind: core
connection: warehouse
consumes: [ acquisition.thing ]
stages:
  - name: rows
    chunk: { input: acq.thing, rows: 50, key: id }
    sql: insert into core.${name}s (id, batch_id) select t.id, :batch_id from {{ acq.thing }} t
outputs: [ core.${name}s ]
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
      source: 'create table thing (id bigint primary key); insert into thing select g from generate_series(1, 200) g',
      warehouse: `${project.warehouse}
        create table acq.thing (id bigint, batch_id bigint not null, ngdw_id bigint generated by default as identity primary key);
        create table core.firsts (id bigint, batch_id bigint not null); create table core.seconds (id bigint, batch_id bigint not null);`,
    });
    await world.worker();
    expect(await world.run('acquisition.thing')).toMatchObject({ ok: true, result: { rowsWritten: 200 } });
    expect(await world.run('core.first')).toMatchObject({ ok: true, result: { rowsWritten: 200 } });
    await world.source.query('insert into thing select g from generate_series(201, 230) g');
    expect(await world.run('acquisition.thing')).toMatchObject({ ok: true, result: { rowsWritten: 30 } });
    expect(await world.run('core.second')).toMatchObject({ ok: true, result: { rowsWritten: 230 } });
    expect(await world.run('core.first')).toMatchObject({ ok: true, result: { rowsWritten: 30 } });
    for (const name of ['first', 'second']) {
      expect(await world.value(`select count(*) from core.${name}s join acq.thing using (id)`), name).toBe('230');
      expect(await world.value(`select count(*) from core.${name}s`)).toBe('230');
    }
    expect(await world.value('select count(*) from acq.thing')).toBe('230');
    expect(await world.exists('acq.thing_processing')).toBe(false);
    expect(await inputs('4')).toEqual(
      ['1', '3'].map((id) => ({ producer_batch_id: id, producer_load: 'acquisition.thing', via: 'consumes' })),
    );
  });

  test('is not published when a batch that it consumed was retracted while it ran', async () => {
    world = await World.create(server, PROJECT({}));
    await world.worker();
    await produce('item', 1, 100);
    await produce('item', 101, 200);
    const letGo = await holdLatch(world, LATCH.consumer);
    const handle = await world.start('services.item');
    await waitsAtLatch(world);
    await retract('2');
    await letGo();
    expect(await ended(handle)).toMatchObject({
      ok: false,
      type: 'LoadFailed',
      message: 'what this batch was made from is no longer published: core.item 2',
    });
    expect(await world.states('services.item')).toEqual(['failed']);
    expect(await world.value('select count(*) from services.items')).toBe('0');
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectConsumed(world);
  });
});

describe.each(oneOfEachFamily(import.meta.url))(
  'a consumed table on $name, in mid-load',
  { timeout: 120_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    const ANEW = 'create table core.items (id bigint, kind int, amount numeric(20, 4), batch_id bigint not null);';

    /** `change` while the lane waits between two chunks. */
    async function changed(change: string): Promise<Awaited<ReturnType<typeof ended>>> {
      const slow = consumer({ chunk: '{ input: core.items, rows: 50, key: id }' }).replace(
        WAIT(LATCH.consumer),
        // PostgreSQL would look into a plain subquery once for each row.
        server.url.startsWith('postgres')
          ? 'with once as materialized (select pg_sleep(0.3)) select from once'
          : 'select pg_sleep(0.3)',
      );
      world = await World.create(server, PROJECT({ 'loads/services/item.yaml': `${slow}lanes: 1\n` }));
      await world.worker();
      await world.warehouse.query('insert into acq.item select g, g * 1.5 from generate_series(1, 300) g');
      expect(await world.run('core.item')).toMatchObject({ ok: true });
      const handle = await world.start('services.item');
      const done = 'select count(*) as n from waybill.chunk where batch_id = 2 and state = $1';
      await until(async () => Number(await world.value(done, ['done'])) > 1);
      await handle.executeUpdate(pauseUpdate);
      await until(async () => (await world.count(world.words.lanesAtWork)) === 0);
      await world.warehouse.query(change);
      await handle.executeUpdate(resumeUpdate);
      return ended(handle);
    }

    test('exchanged for another, which is filled later: the batch fails, and the next start has all', async () => {
      const end = await changed(`alter table core.items rename to was_items; ${ANEW}`);
      expect(end).toMatchObject({
        ok: false,
        message: expect.stringMatching(
          /core\.items (is another table than when batch 2 began to consume its rows|holds no rows of the batches that batch 2 consumes, or not all)/,
        ) as string,
        next: expect.stringMatching(/^start the load again: it consumes the same batches/) as string,
      });
      expect(await world.states('services.item')).toEqual(['failed']);
      await world.warehouse.query('insert into core.items select * from core.was_items');
      expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
      await expectConsumed(world);
    });

    test('truncated, and filled again little by little: the batch fails, and the next start has all', async () => {
      const part = (where: string): string => `insert into core.items select * from core.were_items where ${where}`;
      const end = await changed(`create table core.were_items as table core.items;
          begin; truncate core.items; ${part('id <= 200')}; commit`);
      expect(end).toMatchObject({
        ok: false,
        message: expect.stringMatching(
          /core\.items holds no rows of the batches that batch 2 consumes, or not all/,
        ) as string,
      });
      await world.warehouse.query(part('id > 200'));
      expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
      await expectConsumed(world);
    });

    const ownSql = server.url.startsWith('postgres')
      ? ['cluster core.items using items_by_batch', 'truncate core.items']
      : [];
    test.each(ownSql)('rewritten by the load itself (%s): it is published', async (sql) => {
      world = await World.create(
        server,
        PROJECT({
          'loads/services/item.yaml': consumer().replace('outputs:', `  - { name: then, sql: ${sql} }\noutputs:`),
        }),
      );
      await world.worker();
      await world.warehouse.query('create index items_by_batch on core.items (batch_id)');
      await world.warehouse.query('insert into acq.item select g, g * 1.5 from generate_series(1, 300) g');
      expect(await world.run('core.item')).toMatchObject({ ok: true });
      expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    });

    test('exchanged before its chunks are planned: the batch fails, though it has nothing to do, and the next start has all', async () => {
      const cut = consumer({ chunk: '{ input: core.items, rows: 50, key: id }' });
      const before = `before: [ "select * from (${WAIT(LATCH.other)}) held" ]\n`;
      world = await World.create(server, PROJECT({ 'loads/services/item.yaml': `${cut}${before}` }));
      await world.worker();
      await world.warehouse.query('insert into acq.item select g, g * 1.5 from generate_series(1, 300) g');
      expect(await world.run('core.item')).toMatchObject({ ok: true });
      const letGo = await holdLatch(world, LATCH.other);
      const handle = await world.start('services.item');
      await waitsAtLatch(world);
      // An ordinary account of MySQL or MariaDB tells tables apart by the second in which they were made.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      await world.warehouse.query(`alter table core.items rename to was_items; ${ANEW}`);
      await letGo();
      expect(await ended(handle)).toMatchObject({
        ok: false,
        message: expect.stringMatching(/core\.items (is another table|holds no rows)/) as string,
      });
      expect(await world.states('services.item')).toEqual(['failed']);
      await world.warehouse.query('insert into core.items select * from core.was_items');
      expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
      await expectConsumed(world);
    });

    test('rewritten, with all its rows: the batch goes on', async () => {
      const onPostgres = server.url.startsWith('postgres');
      expect(await changed(onPostgres ? 'vacuum full core.items' : 'optimize table core.items')).toMatchObject({
        ok: true,
        result: { rowsWritten: 300 },
      });
      await expectConsumed(world);
    });
  },
);
