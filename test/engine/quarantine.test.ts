import { afterEach, describe, expect, test } from 'vitest';
import { pauseUpdate, resumeUpdate } from '../../src/workflows/message-definitions.ts';
import { waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { servers } from '../servers.ts';
import { expectSame } from './orders.ts';
import { ended, until, World, type WorldOptions } from './world.ts';

interface Options {
  rows: number;
  /** Text added to loads/core/order.yaml. */
  yaml?: string;
  /** Default: 100 rows a chunk, by pages where the server has them. */
  chunk?: string;
  sql?: string;
}

const SQL = `insert into core.orders (id, amount, batch_id) select o.id, o.amount, :batch_id from {{ acq.orders }} o`;

/** acq.orders → core.orders, whose amounts are never negative and whose ids are unique. */
function PROJECT({ rows, yaml = '', chunk = '{ input: acq.orders, rows: 100 }', sql = SQL }: Options): WorldOptions {
  return {
    files: {
      'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true } ]
stages: [ { name: orders, sql: "${sql}", chunk: ${chunk} } ]
outputs: [ core.orders ]
on_bad_row: quarantine
${yaml}`,
    },
    warehouse: `
      create schema acq; create schema core; create schema kept;
      create table acq.orders (id bigint primary key, customer bigint, amount bigint);
      insert into acq.orders select g, g % 7, g from generate_series(1, ${rows}) g;
      create table kept.orders as select * from acq.orders;
      create table core.orders (id bigint primary key, amount bigint, batch_id bigint not null, constraint not_negative check (amount >= 0));`,
  };
}

describe.each(oneOfEachFamily(import.meta.url))('bad rows on $name', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  const break_ = (condition: string): Promise<unknown> =>
    world.warehouse.query(`update acq.orders set amount = -id where ${condition}`);

  const rejected = (): Promise<{ row_key: string; row_data: string; error: string }[]> =>
    world.rows(`select row_key, row_data, error from waybill.rejected_row order by stage, chunk, n`);
  const idsOf = (rows: { row_key: string }[]): number[] =>
    rows.map((row) => Number((JSON.parse(row.row_key) as { id: number }).id)).sort((a, b) => a - b);

  const expectAllBut = (condition: string): Promise<void> =>
    expectSame(
      world,
      `select id, amount from kept.orders where not (${condition})`,
      'select id, amount from core.orders',
      ['id', 'amount'],
    );

  const REWRITE = {
    postgres: 'vacuum full core.orders',
    mysql: 'alter table core.orders add note varchar(9)',
  };

  it('are searched again where somebody has rewritten the output since; each stands in the ledger once', async () => {
    const slow = `${SQL}, (select pg_sleep(0.1)) pause`;
    const chunk = '{ input: acq.orders, rows: 100, key: id }';
    world = await World.create(server, PROJECT({ rows: 600, chunk, sql: slow, yaml: 'lanes: 1' }));
    await break_('mod(id, 100) = 50'); // in each chunk, so that the next one has one whichever it is
    await world.worker();
    const handle = await world.start('core.order');
    const done = () => world.count(`select n from waybill.chunk where state = 'done'`);
    await until(async () => (await done()) > 0);
    await handle.executeUpdate(pauseUpdate);
    await until(async () => (await world.count(world.words.lanesAtWork)) === 0);
    expect(await done()).toBeLessThan(6);
    await world.warehouse.query(REWRITE[world.words.family]);
    await handle.executeUpdate(resumeUpdate);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 594 } });
    expect(idsOf(await rejected())).toEqual([50, 150, 250, 350, 450, 550]);
    await expectAllBut('mod(id, 100) = 50');
  });

  it('stand alone in the ledger, with key, columns and error; every other row is there', async () => {
    world = await World.create(server, PROJECT({ rows: 1000 }));
    await break_('id in (1, 2, 500, 1000)');
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 996 } });
    const rows = await rejected();
    expect(idsOf(rows)).toEqual([1, 2, 500, 1000]);
    const one = rows.find((row) => row.row_key.includes('500'))!;
    expect(JSON.parse(one.row_data)).toMatchObject({ id: 500, customer: 3, amount: -500 });
    expect(one.error).toMatch(/not_negative/);
    await expectAllBut('id in (1, 2, 500, 1000)');
    const shown = await waybill(world, 'show', '1');
    expect(shown.stdout).toContain('996 written, 1,000 read, 4 rejected');
    expect(shown.stdout).toMatch(/orders, row \{"id": ?500\} rejected\n {2}\S/);
    expect(await world.rows('select rows_read, rows_written, rows_rejected from waybill.batch')).toEqual([
      { rows_read: '1000', rows_written: '996', rows_rejected: '4' },
    ]);
  });

  it('in a chunk of one row, in an input of one row, and in every row', async () => {
    world = await World.create(server, PROJECT({ rows: 1 }));
    await break_('true');
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 0 } });
    expect(idsOf(await rejected())).toEqual([1]);
    await world.warehouse.query('insert into acq.orders select g, 1, -g from generate_series(10, 30) g');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 0 } });
    expect(idsOf(await rejected())).toEqual([1, ...Array.from({ length: 21 }, (_, i) => i + 10)]);
  });

  it('of two rows that cannot both be there, one is', async () => {
    world = await World.create(
      server,
      PROJECT({ rows: 300, sql: SQL.replace('select o.id', 'select case when o.id = 77 then 78 else o.id end') }),
    );
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 299 } });
    const [row, ...others] = await rejected();
    expect(others).toEqual([]);
    expect([77, 78]).toContain(idsOf([row!])[0]);
  });

  it('more than may be fail the batch, which takes everything back and keeps what it found', async () => {
    world = await World.create(server, PROJECT({ rows: 500, yaml: 'max_rejected: 2\nlanes: 1' }));
    await break_('id in (10, 20, 30)');
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      message: expect.stringMatching(
        /^chunk \d+ of \d+: 3 rows were rejected, more than max_rejected \(2\); the last: /,
      ) as string,
    });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(idsOf(await rejected())).toEqual([10, 20, 30]);
    await world.write(
      'loads/core/order.yaml',
      PROJECT({ rows: 0, yaml: 'max_rejected: 3' }).files['loads/core/order.yaml']!,
    );
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 497 } });
    await expectAllBut('id in (10, 20, 30)');
  });

  it('a share of the rows read is looked at in the end', async () => {
    world = await World.create(server, PROJECT({ rows: 400, yaml: 'max_rejected: 0.5%' }));
    await break_('id in (10, 20, 30)');
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      message: expect.stringContaining('3 rows were rejected of 400, more than max_rejected (0.5%)') as string,
    });
    await world.write(
      'loads/core/order.yaml',
      PROJECT({ rows: 0, yaml: 'max_rejected: 0.75%' }).files['loads/core/order.yaml']!,
    );
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectAllBut('id in (10, 20, 30)');
  });

  it('rows of one key share their fate', async () => {
    world = await World.create(
      server,
      PROJECT({ rows: 700, chunk: '{ input: acq.orders, rows: 200, key: customer }' }),
    );
    await break_('id = 100'); // customer 2
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 600 } });
    expect(await rejected()).toHaveLength(100);
    await expectAllBut('id % 7 = 2');
  });

  for (const [how, searchMs] of [
    ['in one transaction', 60_000],
    ['in one for each chunk that is cut', 0],
    ['for as long as there is time', 20],
  ] as const) {
    it(`a chunk that is full of them is searched ${how}`, async () => {
      world = await World.create(
        server,
        PROJECT({ rows: 120, yaml: 'lanes: 1', chunk: '{ input: acq.orders, rows: 120, key: id }' }),
      );
      await break_('id % 4 <> 0 and id < 100');
      await world.worker({ searchMs });
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 45 } });
      expect(await rejected()).toHaveLength(75);
      expect(new Set(idsOf(await rejected())).size).toBe(75);
      await expectAllBut('id % 4 <> 0 and id < 100');
      const [chunks] = await world.rows(`
      select count(*) as n, min(state) as state, sum(rows_read) as rows_read from waybill.chunk`);
      expect(chunks).toMatchObject({ state: 'done', rows_read: '120' });
      if (searchMs === 60_000) expect(chunks).toMatchObject({ n: '1' });
      expect(
        await world.value('select planned_chunks = (select count(*) from waybill.chunk) from waybill.stage'),
      ).toBeTruthy();
    });
  }

  it('a statement that is wrong is no bad row', async () => {
    world = await World.create(server, PROJECT({ rows: 100, sql: SQL.replace('o.amount', 'o.amounts') }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false });
    expect(await rejected()).toEqual([]);
    expect(await world.value('select count(*) from waybill.chunk')).toBe('1');
  });

  it('a held batch that is resumed writes each rejected row once', async () => {
    world = await World.create(server, PROJECT({ rows: 300, yaml: 'max_rejected: 0\non_failure: hold' }));
    await break_('id = 42');
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false });
    expect(await world.states('core.order')).toEqual(['held']);
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({ ok: false });
    expect(idsOf(await rejected())).toEqual([42]);
    await world.warehouse.query('alter table core.orders drop constraint not_negative');
    expect(await world.run({ load: 'core.order', resume: true })).toMatchObject({
      ok: true,
      result: { rowsWritten: 300 },
    });
    expect(await rejected()).toEqual([]);
  });

  it('an acquisition leaves out what the landing table refuses', async () => {
    world = await World.create(server, {
      files: {
        'loads/acquisition/item.yaml': `
kind: acquisition
connection: warehouse
from: { connection: source, table: item, cursor: id }
to: acq.item
chunk_rows: 50
on_bad_row: quarantine
`,
      },
      source: `create table item (id bigint primary key, name varchar(20));
               insert into item select g, concat('item ', g) from generate_series(1, 200) g`,
      warehouse: `create schema acq;
        create table acq.item (id bigint, name varchar(20), batch_id bigint not null,
          ngdw_id bigint generated by default as identity primary key, check (name <> 'item 7' and name <> 'item 150'));`,
    });
    await world.worker();
    expect(await world.run('acquisition.item')).toMatchObject({ ok: true, result: { rowsWritten: 198 } });
    const rows = await rejected();
    expect(idsOf(rows)).toEqual([7, 150]);
    expect(JSON.parse(rows[0]!.row_data)).toMatchObject({ name: expect.stringMatching(/^item (7|150)$/) as string });
    expect(await world.value('select count(*) from acq.item')).toBe('198');
  });
});

// MySQL and MariaDB check all constraints at once: none waits for COMMIT.
describe.each(servers.slice(0, 1))(
  'bad rows of SQL with a temporary table, on $name',
  { timeout: 60_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    test.each(['', 'if not exists '])(
      'stand alone, and every other row is there once: create %s',
      async (ifNotExists) => {
        const sql = `create temp table ${ifNotExists}x on commit drop as select o.id, o.amount from {{ acq.orders }} o;
      insert into core.orders (id, amount, batch_id) select id, amount, :batch_id from x`;
        world = await World.create(server, PROJECT({ rows: 1000, yaml: 'lanes: 1', sql }));
        await world.warehouse.query('update acq.orders set amount = -id where id in (150, 707)');
        await world.worker({ mostShared: 64 });
        expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 998 } });
        await expectSame(
          world,
          'select id, amount from kept.orders where id not in (150, 707)',
          'select id, amount from core.orders',
          ['id', 'amount'],
        );
        expect(await world.value('select count(*) from waybill.rejected_row')).toBe('2');
      },
    );
  },
);

describe.each(servers.slice(0, 1))('bad rows that only COMMIT refuses, on $name', { timeout: 60_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('stand alone, too, beside others', async () => {
    const rows = 20;
    world = await World.create(
      server,
      PROJECT({
        rows,
        yaml: 'lanes: 1',
        sql: SQL.replace('select o.id', 'select case when o.id = 7 then 8 else o.id end'),
      }),
    );
    await world.warehouse.query(`
      alter table core.orders drop constraint orders_pkey, add unique (id) deferrable initially deferred;
      update acq.orders set amount = -1 where id = 13`);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: rows - 2 } });
    const found = await world.rows<{ row_key: string }>('select row_key from waybill.rejected_row order by row_key');
    expect(found.map(({ row_key }) => JSON.parse(row_key) as unknown)).toEqual([
      { id: 13 },
      { id: expect.toBeOneOf([7, 8]) as number },
    ]);
  });
});
