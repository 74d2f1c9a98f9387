/** Bad rows of acquisitions: they are searched where they come from, by what the source is cut by. */
import { afterEach, describe, expect, test } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily, someServers } from '../every-server.ts';
import { oneOf } from '../seed.ts';
import { expectAcquired, ITEM, ITEMS } from './items.ts';
import { ended, until, World } from './world.ts';

const QUARANTINE = (limit: number): string => `on_bad_row: quarantine\nmax_rejected: ${limit}`;

/** One tenant has nearly all rows; the others five each. */
const TENANTS = `create table item (tenant varchar(20), id bigint, name varchar(60), primary key (tenant, id));
  insert into item select 'acme', g, concat('item ', g) from generate_series(1, 1900) g;
  insert into item select concat('T', g % 20), g, concat('item ', g) from generate_series(1901, 2000) g;`;
/** The landing table refuses one row of the large tenant, and one of a small one. */
const LANDING = `tenant varchar(20), id bigint, name varchar(60), check (id <> 500 and id <> 1950)`;

const rejected = (world: World): Promise<{ row_key: string; row_data: string | null; error: string }[]> =>
  world.rows('select row_key, row_data, error from waybill.rejected_row order by batch_id, chunk, n');
const keys = async (world: World): Promise<unknown[]> =>
  (await rejected(world)).map((row) => JSON.parse(row.row_key) as unknown);
const idsOf = async (world: World): Promise<number[]> =>
  (await keys(world)).map((key) => Number((key as { id: number }).id)).sort((a, b) => a - b);

const some = oneOfEachFamily(import.meta.url);
const isPostgres = ({ url }: { url: string }): boolean => url.startsWith('postgres');
const ways = some.flatMap((from) =>
  some
    .filter((into) => into === from || isPostgres(into) !== isPostgres(from))
    .map((into) => ({ from, into, source: from.name, target: into.name })),
);

describe.each(oneOf(ways, import.meta.url))(
  'a key of several columns, from $source into $target',
  { timeout: 120_000 },
  ({ from, into }: (typeof ways)[number]) => {
    let world: World;
    afterEach(() => world.close());

    test('cuts a tenant that has nearly all rows, and bad ones stand alone', async () => {
      const options = ITEMS({ source: TENANTS, columns: LANDING, from: 'table: item', yaml: QUARANTINE(2) });
      world = await World.create(into, options, from);
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1998 } });
      expect(await world.value('select max(row_count) from waybill.chunk')).toBe('100');
      expect(await keys(world)).toEqual([
        expect.objectContaining({ tenant: expect.stringMatching(/^acme$|^T10$/) as string }),
        expect.objectContaining({ tenant: expect.stringMatching(/^acme$|^T10$/) as string }),
      ]);
      expect(await idsOf(world)).toEqual([500, 1950]);
      const sums = 'select tenant, count(*) as n, sum(id) as ids from';
      const [expected, found] = await Promise.all([
        world.source.query(`${sums} item where id not in (500, 1950) group by tenant`),
        world.warehouse.query(`${sums} acq.item group by tenant`),
      ]);
      const sorted = (rows: unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
      expect(sorted(found.rows)).toEqual(sorted(expected.rows));
      expect(found.rows).toHaveLength(21);
    });
  },
);

describe.each(some)('bad rows of a source on $name', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  async function items(options: Parameters<typeof ITEMS>[0]): Promise<void> {
    world = await World.create(server, ITEMS(options));
    await world.worker();
  }

  it('are in no chunk with others, though one value of the cursor has most of the rows', async () => {
    const source = `create table item (id bigint, name varchar(60));
      insert into item select 5, concat('five ', g) from generate_series(1, 400) g;
      insert into item select g, concat('item ', g) from generate_series(6, 20) g;`;
    const columns = `id bigint, name varchar(60), check (name <> 'item 6' and name <> 'item 13')`;
    await items({ source, columns, chunkRows: 1000, yaml: QUARANTINE(2) });
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 413 } });
    expect(await idsOf(world)).toEqual([6, 13]);
    expect(await world.value(`select count(*) from acq.item where id = 5`)).toBe('400');
  });

  it('are found in a range; rows of one value share its fate, up to a thousand', async () => {
    const source = `create table item (id bigint, name varchar(60));
      insert into item select g, concat('item ', g) from generate_series(1, 300) g;
      insert into item select 77, 'more' from generate_series(1, 999) g;`;
    const columns = `id bigint, name varchar(60), check (name <> 'item 77' and name <> 'item 201')`;
    await items({
      source,
      columns,
      from: 'table: public.item, range: { column: id, step: 100 }',
      yaml: QUARANTINE(1001),
    });
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 298 } });
    expect(await idsOf(world)).toEqual([...Array.from({ length: 1000 }, () => 77), 201]);

    await world.source.query(`insert into item values (77, 'one more')`);
    expect(await world.run(ITEM)).toMatchObject({
      ok: false,
      message: expect.stringContaining(
        'more than 1000 rows share one key, which cannot be cut further; the last: ',
      ) as string,
    });
    expect(await world.value('select count(*) from acq.item')).toBe('298');
  });

  it('are found in a query; of one that the source cannot compute only its key is kept', async () => {
    // Beyond the largest number for the item of id 77.
    const source = `create table item (id bigint primary key, n bigint);
      insert into item select g, case when g = 77 then 100 else 0 end from generate_series(1, 250) g;`;
    await items({
      source,
      columns: 'id bigint, n bigint, check (id <> 130)',
      from: 'sql: "select i.id, i.n + 9223372036854775800 as n from item i", cursor: id',
      yaml: QUARANTINE(2),
    });
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 248 } });
    expect(await idsOf(world)).toEqual([77, 130]);
    const [uncomputable, refused] = (await rejected(world)).sort((a) => (a.row_key.includes('77') ? -1 : 1));
    expect(uncomputable).toMatchObject({ row_data: null, error: expect.stringMatching(/out of range/) as string });
    expect(uncomputable!.error).toMatch(/^on the source: /);
    expect(JSON.parse(refused!.row_data!)).toMatchObject({ id: 130 });
  });

  it('are refused beforehand where nothing cuts the table, until it has a key', async () => {
    const source = `create table item (id bigint, name varchar(60));
      insert into item select g, concat('item ', g) from generate_series(1, 250) g;`;
    const columns = `id bigint, name varchar(60), check (id <> 130)`;
    await items({ source, columns, from: 'table: public.item', yaml: QUARANTINE(1) });
    const refusal = /`on_bad_row: quarantine` cannot tell rows apart: `(public\.)?item` has no primary key/;
    expect(await world.run(ITEM)).toMatchObject({
      ok: false,
      type: 'Configuration',
      message: expect.stringMatching(refusal) as string,
      next: 'Give it one, name `cursor` or `range` in `from`, or leave `on_bad_row` out.',
    });
    expect(await world.states(ITEM)).toEqual([]);
    for (const command of [['validate'], ['plan', ITEM]]) {
      const answer = await waybill(world, ...command);
      expect(answer).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(refusal) as string });
    }

    await world.source.query('create unique index item_id on item (id)'); // NULLs may come yet
    expect(await world.run(ITEM)).toMatchObject({ ok: false, type: 'Configuration' });
    await world.source.query(NOT_NULL[world.words.family]);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 249 } });
    expect(await idsOf(world)).toEqual([130]);
  });

  it('a table whose key is another than its chunks were cut by: the batch goes on by the one that it was cut by', async () => {
    const columns = 'tenant varchar(20), id bigint, name varchar(60), check (id <> 500)';
    await items({ source: TENANTS, columns, from: 'table: public.item', yaml: 'on_failure: hold' });
    expect(await world.run(ITEM)).toMatchObject({ ok: false });
    await world.source.query(OTHER_KEY[world.words.family]);
    await world.source.query('delete from item where id = 500');
    const resumed = await world.run({ load: ITEM, resume: true });
    expect(resumed).toMatchObject({ ok: true, result: { rowsWritten: 1999, chunks: 20, batch: { batchId: '1' } } });
    await expectAcquired(world, 'tenant, id, name');
  });
});

/** What the view reads through, unless that is to count its rows: a search does, a copy does not. */
const STOCK = (counted: string): string => `create table stock (id bigint primary key, name varchar(60));
  insert into stock select g, concat('item ', g) from generate_series(1, 20) g;
  ${counted};
  create view item as select id, name from stock where counted(id) = id;`;
const WHEN_COUNTED = {
  postgres: (then: string): string =>
    STOCK(`create function counted(id bigint) returns bigint language plpgsql as $$ begin
    if current_query() like '%count(*) as n%' then ${then}; end if; return id; end $$`),
  mysql: (then: string): string =>
    STOCK(`create function counted(id bigint) returns bigint reads sql data begin
    if exists (select 1 from information_schema.processlist p where p.id = connection_id() and p.info like '%count(*) as n%')
    then ${then}; end if; return id; end`),
};
const NOT_TO_BE_COUNTED = {
  postgres: WHEN_COUNTED.postgres(`raise 'not to be counted'`),
  mysql: WHEN_COUNTED.mysql(`signal sqlstate '45000' set message_text = 'not to be counted'`),
};
const SLOWLY_COUNTED = {
  postgres: WHEN_COUNTED.postgres('perform pg_sleep(2)'),
  mysql: WHEN_COUNTED.mysql('do sleep(2)'),
};
const COUNTING = {
  postgres: `select 1 from pg_stat_activity where datname = current_database() and state = 'active'
             and application_name like 'waybill read %' and query like '%count(*) as n%'`,
  mysql: `select 1 from information_schema.processlist p where p.db = database() and p.state = 'User sleep'`,
};

describe.each(someServers(import.meta.url))(
  'a source on $name that cannot be searched',
  { timeout: 60_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    test('fails the chunk with what the source said of the search', async () => {
      const columns = 'id bigint, name varchar(60), check (id <> 7)';
      const yaml = `${QUARANTINE(1)}\nmax_attempts: 1`;
      world = await World.create(server, ITEMS({ source: NOT_TO_BE_COUNTED, columns, yaml }));
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({
        ok: false,
        message: expect.stringContaining('on the source: ') as string,
      });
      expect(await world.value('select error from waybill.chunk')).toContain('not to be counted');
    });

    test.each(['of its own', 'of the warehouse'])(
      'is left alone as soon as the load is cancelled, however long the search would take: on a connection %s',
      async (where) => {
        const columns = 'id bigint, name varchar(60), check (id <> 7)';
        const options = ITEMS({ source: SLOWLY_COUNTED, columns, yaml: QUARANTINE(1) });
        if (where === 'of the warehouse') {
          const file = options.files['loads/acquisition/item.yaml']!.replace(
            'connection: source',
            'connection: warehouse',
          );
          world = await World.create(server, {
            warehouse: options.warehouse,
            own: SLOWLY_COUNTED,
            files: { 'loads/acquisition/item.yaml': file },
          });
        } else world = await World.create(server, options);
        const database = where === 'of the warehouse' ? world.warehouse : world.source;
        const counting = async (): Promise<boolean> =>
          (await database.query(COUNTING[world.words.family])).rows.length > 0;
        await world.worker();
        const handle = await world.start(ITEM);
        await until(counting);
        await handle.cancel();
        expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
        await until(async () => !(await counting()), 5);
      },
    );
  },
);

const OTHER_KEY = {
  postgres: 'alter table item drop constraint item_pkey, add primary key (id)',
  mysql: 'alter table item drop primary key, add primary key (id)',
};
const NOT_NULL = {
  postgres: 'alter table item alter id set not null',
  mysql: 'alter table item modify id bigint not null',
};
