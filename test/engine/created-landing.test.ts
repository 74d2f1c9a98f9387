import { afterEach, describe, expect, test } from 'vitest';
import { document, waybill } from '../cli/command-line.ts';
import { someWays } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { expectAcquired, expectSameRows, ITEM, itemFile, PLAIN_SOURCE, retract } from './items.ts';
import { until, World } from './world.ts';

const FILE = 'loads/acquisition/item.yaml';
const file = (to: string, from?: string): string =>
  itemFile({ ...(from !== undefined && { from }) }).replace(
    'to: { table: acq.item }',
    `to: { table: acq.item, ${to} }`,
  );
const notes = (world: World): Promise<unknown> =>
  world.rows(`select batch_id, what, requested_by, reason from waybill.event
    where what in ('landing_created', 'columns_added', 'columns_ignored', 'columns_empty') order by event_id`);

describe.each(someWays(import.meta.url))(
  'to.create, from $source to $target',
  { timeout: 120_000 },
  ({ from, into }) => {
    let world: World;
    afterEach(() => world.close());

    async function items(to = 'create: true', source = PLAIN_SOURCE(250)): Promise<void> {
      world = await World.create(into, { files: { [FILE]: file(to) }, source, warehouse: 'create schema acq' }, from);
      await world.worker();
      // That acq.item is a table of the test's is learned from the statements that make one.
      world.names.into('create table acq.item (id bigint)');
    }

    test('makes the table, fills it, and goes on with it; the event says so', async () => {
      await items();
      expect(await world.run({ load: ITEM, requestedBy: 'ada@host' })).toMatchObject({
        ok: true,
        result: { rowsWritten: 250 },
      });
      await expectAcquired(world);
      await world.source.query(`insert into item (name) values ('new')`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectAcquired(world);
      expect(await world.value('select count(distinct ngdw_id) from acq.item')).toBe('251');
      // A table that Waybill made gets new columns no more than another does, unless the load says so.
      await world.source.query('alter table item add column colour varchar(20)');
      const grown = await world.run(ITEM);
      expect(grown).toMatchObject({ ok: false, type: 'Configuration' });
      expect(!grown.ok && grown.message).toContain('acq.item has no column colour');
      expect(await notes(world)).toEqual([
        {
          batch_id: '1',
          what: 'landing_created',
          requested_by: 'ada@host',
          reason: expect.stringMatching(
            /^acq\.item \(id bigint(\(20\))?, name \w+, amount (numeric|decimal)\(12,2\)\)$/,
          ) as string,
        },
      ]);
    });

    test('when there is nothing to read it makes the table all the same, and the first batch tells of it', async () => {
      await items('create: true', PLAIN_SOURCE(1));
      await world.source.query('delete from item');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { status: 'nothing' } });
      expect(await world.exists('acq.item')).toBe(true);
      await world.source.query(`insert into item (name) values ('first')`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await notes(world)).toMatchObject([{ batch_id: '1', what: 'landing_created' }]);
    });

    test('two loads that start at once, and a table that is there already: one is made, none is lost', async () => {
      await items();
      await world.write('loads/acquisition/other.yaml', file('create: true').replace('acq.item', 'acq.other'));
      world.names.into('create table acq.other (id bigint)');
      const ends = await Promise.all([world.run(ITEM), world.run('acquisition.other')]);
      expect(ends).toMatchObject([{ result: { rowsWritten: 250 } }, { result: { rowsWritten: 250 } }]);
      await retract(world, String(await world.value('select min(batch_id) from acq.item')));
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 250 } });
      await expectAcquired(world);
      expect(await notes(world)).toHaveLength(2);
    });

    test('a core load takes its snapshot, and the twin numbers and takes rows as it did', async () => {
      await items('create: true, on_new_columns: add');
      await world.warehouse.query(`create schema core;
      create table core.item (id bigint, name varchar(40), batch_id bigint not null)`);
      await world.write(
        'loads/core/item.yaml',
        `kind: core
connection: warehouse
inputs: [acq.item]
stages:
  - name: items
    sql: "insert into core.item (id, name, batch_id) select i.id, i.name, :batch_id from {{ acq.item }} i"
    chunk: { input: acq.item, rows: 100 }
outputs: [core.item]
`,
      );
      expect(await world.run(ITEM)).toMatchObject({ ok: true });
      expect(await world.run('core.item')).toMatchObject({ ok: true, result: { rowsWritten: 250 } });
      await world.source.query(`alter table item add column colour varchar(20)`);
      await world.source.query(`insert into item (name, colour) values ('new', 'red')`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.run('core.item')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      await expectSameRows(world, 'select id, name from item', 'select id, name from core.item');
      expect(await world.exists('acq.item_processing')).toBe(false);
    });

    test.each([
      ['a table', file('create: true')],
      [
        'files',
        file('create: true')
          .replace(/from: .*/, 'from: { files: data/*.csv }')
          .replace(/chunk_rows.*/, ''),
      ],
    ])('without its schema it says what is missing, and so do validate and plan: from %s', async (_, yaml) => {
      world = await World.create(into, { files: { [FILE]: yaml }, source: PLAIN_SOURCE(1) }, from);
      await world.worker();
      const what = world.words.family === 'mysql' ? 'database' : 'schema';
      const message = `warehouse has no ${what} acq, in which acq.item would be made (to.create)`;
      const next = expect.stringMatching(`^create ${what} acq(, and let .*)?; or correct to\\.table$`) as string;
      const where = `${FILE}:5:5`;
      expect(document(await waybill(world, 'validate', '--json'))).toMatchObject({ error: { message, next, where } });
      expect(await world.run(ITEM)).toMatchObject({ ok: false, type: 'Refused', message, next });
      expect(document(await waybill(world, 'plan', ITEM, '--json'))).toMatchObject({
        does: 'refused',
        because: [message, next],
      });
      expect(await world.states(ITEM)).toEqual([]);
    });
  },
);

// Only PostgreSQL has such tables.
describe.each(servers)('to.create, from a table without columns on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('is refused, and nothing is made', async () => {
    world = await World.create(server, {
      files: { [FILE]: file('create: true', 'table: public.item') },
      source: 'create table item ()',
      warehouse: 'create schema acq',
    });
    await world.worker();
    const message = 'public.item has no columns to make acq.item of';
    expect(await world.run(ITEM)).toMatchObject({
      ...{ ok: false, type: 'Configuration', message },
      next: 'read a table that has columns',
    });
    expect((await waybill(world, 'validate')).stderr).toContain(message);
    expect(await world.exists('acq.item')).toBe(false);
    expect(await world.states(ITEM)).toEqual([]);
  });
});

describe.each(someWays(import.meta.url))('to.on_new_columns, from $source to $target', { timeout: 120_000 }, (way) => {
  let world: World;
  afterEach(() => world.close());

  /** A landing table that was there first; the source gets two columns after the first batch. */
  async function grown(rule: string): Promise<void> {
    world = await World.create(
      way.into,
      {
        files: { [FILE]: file(rule) },
        source: PLAIN_SOURCE(150),
        warehouse: `create schema acq;
          create table acq.item (id bigint, name varchar(60), amount numeric(12,2), batch_id bigint not null,
                                 ngdw_id bigint generated by default as identity primary key)`,
      },
      way.from,
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 150 } });
    await world.source.query('alter table item add column colour varchar(20)');
    await world.source.query('alter table item add column weight double precision');
    await world.source.query(
      `insert into item (name, colour, weight) values ('new', 'red', 0.1), ('plain', null, null)`,
    );
  }

  test('fail, unless it says otherwise: the start is refused, and names them; ignore: they are left out, and columns that are gone left empty', async () => {
    await grown('create: false');
    const end = await world.run(ITEM);
    expect(end).toMatchObject({ ok: false, type: 'Configuration' });
    expect(!end.ok && end.message).toMatch(
      /^(?:public\.)?item does not fit acq\.item: acq\.item has no column colour \(.*\); acq\.item has no column weight \(double.*\)$/,
    );
    expect(await world.states(ITEM)).toEqual(['published']);
    expect(await notes(world)).toEqual([]);

    await world.write(FILE, file('on_new_columns: ignore'));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    await expectAcquired(world);
    await world.source.query('alter table item drop column amount');
    await world.source.query('alter table item rename column name to label');
    await world.source.query(`insert into item (label) values ('later')`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.rows('select name, amount from acq.item where batch_id = 3')).toEqual([
      { name: null, amount: null },
    ]);
    // Every batch says so.
    expect(await notes(world)).toEqual([
      { batch_id: '2', what: 'columns_ignored', requested_by: null, reason: 'colour, weight: not in acq.item' },
      {
        batch_id: '3',
        what: 'columns_empty',
        requested_by: null,
        reason: expect.stringMatching(/^name, amount: in acq\.item, not in (?:public\.)?item$/) as string,
      },
      {
        batch_id: '3',
        what: 'columns_ignored',
        requested_by: null,
        reason: expect.stringMatching(/^.*label.*: not in acq\.item$/) as string,
      },
    ]);
    const { warnings } = document(await waybill(world, 'validate', '--json')) as { warnings: { message: string }[] };
    expect(warnings.map(({ message }) => message)[0]).toMatch(/^columns are left empty: name, amount: in acq\.item/);
  });

  test('add: the table gets them, once no core load is about to take its snapshot; rows from before have none', async () => {
    await grown('on_new_columns: add');
    // As a core load leaves it that is about to swap; its workflow is not known, and its time is not over.
    await world.warehouse.query(`
      insert into waybill.batch (batch_id, load_name, kind, state, definition_hash, definition, params, invisible, deadline_at)
      values (90, 'core.item', 'core', 'running', 'h', '{}', '{}', '[]', '2099-01-01 00:00:00')`);
    await world.warehouse.query(`update waybill.landing set wanted_by = 90 where table_name like '%item%'`);
    const handle = await world.start(ITEM);
    await until(async () => JSON.stringify(await handle.query('progress')).includes('waiting for core.item'));
    expect(await notes(world)).toEqual([]);
    await world.warehouse.query(`update waybill.batch set state = 'failed' where batch_id = 90`);
    expect(await handle.result()).toMatchObject({ status: 'finished', rowsWritten: 2 });
    await expectAcquired(world, 'id, name, amount, colour, weight');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { status: 'nothing' } });
    expect(await notes(world)).toMatchObject([
      { what: 'columns_added', reason: expect.stringMatching(/^colour .*, weight double.*, to acq\.item$/) as string },
    ]);
  });
});

describe.each(someWays(import.meta.url))(
  'to.on_invalid, from $source to $target',
  { timeout: 120_000 },
  ({ from, into }) => {
    let world: World;
    afterEach(() => world.close());

    test.each(['source', 'warehouse'])('null, said in YAML, for values out of the %s', async (connection) => {
      const source = `create table item (id bigint primary key, name bigint);
      insert into item values (1, 32767), (2, 32768), (3, null);`;
      const landing = `create schema acq;
      create table acq.item (id bigint, name smallint, batch_id bigint not null,
                             ngdw_id bigint generated by default as identity primary key);`;
      world = await World.create(
        into,
        {
          files: { [FILE]: file('on_invalid: null').replace('connection: source', `connection: ${connection}`) },
          ...(connection === 'source' ? { source, warehouse: landing } : { warehouse: `${landing} ${source}` }),
        },
        from,
      );
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 3 } });
      expect(await world.rows('select id, name from acq.item order by id')).toMatchObject([
        { name: 32767 },
        { name: null },
        { name: null },
      ]);
      await world.write(
        FILE,
        file('on_invalid: { id: null }').replace('connection: source', `connection: ${connection}`),
      );
      await world[connection === 'source' ? 'source' : 'warehouse'].query('insert into item values (4, 32768)');
      expect(await world.run(ITEM)).toMatchObject({ ok: false, type: 'Database' });
    });
  },
);

describeOn(await mysqlServers(), 'to.create into $name', (server) => {
  test(
    'labels with commas become a text, others stay labels, whatever is escaped in them',
    { timeout: 120_000 },
    async () => {
      const labels = String.raw`'a\\b', 'c\nd', 'e\rf', 'it''s', '\\n', 'x'`;
      const world = await World.create(server, {
        files: { [FILE]: file('create: true', 'table: public.item') },
        source: `create table item (id bigint primary key, name enum('a,b', 'c'), amount enum(${labels}));
        insert into item select n, 'a,b', n from (select 1 as n union select 2 union select 3 union select 4 union select 5 union select 6) numbers;`,
        warehouse: 'create schema acq',
      });
      try {
        await world.worker();
        world.names.into('create table acq.item (id bigint)');
        expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 6 } });
        await expectSameRows(world, 'select id, name, amount from item', 'select id, name, amount from acq.item');
        expect(await world.value('select count(distinct amount + 0) from acq.item')).toBe('6');
      } finally {
        await world.close();
      }
    },
  );

  test(
    'a column whose name the server would change is refused before anything is made',
    { timeout: 120_000 },
    async () => {
      const [postgres] = servers;
      const world = await World.create(
        server,
        {
          files: { [FILE]: file('create: true', 'table: public.item') },
          source: 'create table item (id bigint primary key, "Ünï 😀" text)',
          warehouse: 'create schema acq',
        },
        postgres,
      );
      try {
        await world.worker();
        world.names.into('create table acq.item (id bigint)');
        const end = await world.run(ITEM);
        expect(end).toMatchObject({ ok: false, type: 'Configuration' });
        expect(!end.ok && end.message).toMatch(
          /^acq\.item cannot be given the columns of item: the name "Ünï 😀" has a 😀, which \w+ keeps in no name$/,
        );
        expect(await world.exists('acq.item')).toBe(false);
      } finally {
        await world.close();
      }
    },
  );
});

describeOn(oneOf(await mysqlServers(), import.meta.url), 'to.create within $name', (server) => {
  test('a list of labels that the catalog does not tell becomes a text', { timeout: 120_000 }, async () => {
    const world = await World.create(server, {
      files: { [FILE]: file('create: true', 'table: public.item') },
      source: `create table item (id bigint primary key, name enum('\u{1f600}', 'plain') character set utf8mb4);
        insert into item values (1, '\u{1f600}'), (2, 'plain');`,
      warehouse: 'create schema acq',
    });
    try {
      await world.worker();
      world.names.into('create table acq.item (id bigint)');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
      await expectSameRows(world, 'select id, name from item', 'select id, name from acq.item');
    } finally {
      await world.close();
    }
  });
});
