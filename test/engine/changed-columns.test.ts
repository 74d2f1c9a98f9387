/** Keys and columns that change between the plan of a batch and its last chunk. */
import { afterEach, describe, expect, test } from 'vitest';
import { inTurns, oneOfEachFamily, ways } from '../every-server.ts';
import { brought, fileWorld, item } from './csv-files.ts';
import { chunks, expectSameRows, ITEM, itemFile, ITEMS, type ItemsOptions } from './items.ts';
import type { ServerWords } from './server-words.ts';
import { ended, until, World, type Ended } from './world.ts';

/** The first row of each ten takes a while. */
const SLOWLY = (table: string, column: string): Record<ServerWords['family'], string> => ({
  postgres: `
    create function slowly() returns trigger language plpgsql as
    $$ begin if new.${column} % 10 = 1 then perform pg_sleep(0.4); end if; return new; end $$;
    create trigger slowly before insert on ${table} for each row execute function slowly();`,
  mysql: `
    create trigger ${table.split('.')[0]}.slowly before insert on ${table} for each row
    begin if new.${column} % 10 = 1 then do sleep(0.4); end if; end;`,
});

const SOURCE = `
  create table item (code int not null unique, id int not null, name varchar(20), amount numeric(12,2), words varchar(20));
  insert into item select g, 41 - g, concat('item ', g), g, concat('words ', g) from generate_series(1, 40) g;`;
const COLUMNS = 'code int, id int, name varchar(20), amount numeric(12,2), words varchar(20)';
const ALL = 'code, id, name, amount, words';

const RETYPED: Record<ServerWords['family'], string> = {
  postgres: 'alter table item alter column amount type numeric(12,4)',
  mysql: 'alter table item modify amount decimal(12,4)',
};

/** Changes a database once the newest batch of a load has done a chunk and has more to do; `restart`: while no worker is there. */
async function changedMidway(
  world: World,
  load: string,
  change: string[],
  { restart = false, on = world.source } = {},
): Promise<Ended> {
  const batches = (await world.states(load)).length;
  const worker = world.workers.at(-1)!;
  const handle = await world.start(load);
  await until(async () => {
    if ((await world.states(load)).length === batches) return false;
    const { done, all } = await chunks(world);
    return done > 0 && done < all;
  }, 90);
  if (restart) await worker.stop();
  for (const statement of change) await on.query(statement);
  if (restart) await world.worker();
  return ended(handle);
}

const failure = (what: RegExp): object => ({
  ok: false,
  message: expect.stringMatching(what) as string,
  next: expect.stringMatching(/^start the load again/) as string,
});

const NEWEST = 'where batch_id = (select max(batch_id) from waybill.batch)';
const TABLE = { from: 'table: public.item', chunkRows: 10, yaml: 'lanes: 1' };

const among = ways(import.meta.url).map((way) => ({ ...way, name: `${way.source} to ${way.target}` }));

describe.each(among)('between two chunks, $name, a source', { timeout: 120_000 }, (way) => {
  const it = inTurns(import.meta.url, way, among);
  let world: World;
  afterEach(() => world.close());

  async function items(options: Partial<ItemsOptions> = {}): Promise<void> {
    const known = ITEMS({ source: SOURCE, columns: COLUMNS, ...TABLE, ...options });
    world = await World.create(way.into, { ...known, own: SLOWLY('acq.item', 'code') }, way.from);
    await world.worker();
  }
  const changed = (change: string[], options = {}): Promise<Ended> => changedMidway(world, ITEM, change, options);

  const expectAll = (select = ALL): Promise<void> =>
    expectSameRows(world, `select ${select} from item`, `select ${ALL} from acq.item ${NEWEST}`);

  it('gets another key: each row lands once, by the one that it was cut by', async () => {
    await items();
    const change = ['alter table item add primary key (id)'];
    expect(await changed(change, { restart: true })).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    await expectAll();
  });

  it('gets another type of a column: it fails, and the next start goes by the rules of a start', async () => {
    await items();
    const change = [RETYPED[world.sourceWords.family], 'update item set amount = 1.2345 where code > 30'];
    expect(await changed(change)).toMatchObject(
      failure(/has changed since the batch was planned: amount was \w+\(12,2\) and is \w+\(12,4\)$/),
    );
    const refused = await world.run(ITEM);
    expect(!refused.ok && refused.message).toMatch(/does not fit .*amount, \w+\(12,4\)/);
    await world.warehouse.query(RETYPED[world.words.family].replace('item', 'acq.item'));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    await expectAll();
  });

  it('loses a column: it fails, and the next start reads what there is', async () => {
    await items();
    expect(await changed(['alter table item drop column words'], { restart: true })).toMatchObject(
      failure(/has changed since the batch was planned: words was .*\(20\) and is gone$/),
    );
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    await expectAll('code, id, name, amount, null as words');
  });

  it('has two columns whose names change places: it fails, and the next start has each under its own', async () => {
    await items();
    const renamed = ['name to x', 'words to name', 'x to words'];
    expect(await changed(renamed.map((names) => `alter table item rename column ${names}`))).toMatchObject(
      failure(/has changed since the batch was planned: /),
    );
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    await expectAll();
  });

  it('gets a new column: it fails, unless that is to be ignored', async () => {
    await items();
    expect(await changed(['alter table item add column late int'])).toMatchObject(
      failure(/: late, int\w*(\(11\))?, has come$/),
    );
    const ignoring = itemFile(TABLE).replace('acq.item', 'acq.item, on_new_columns: ignore');
    await world.write('loads/acquisition/item.yaml', ignoring);
    const change = ['alter table item add column later int'];
    expect(await changed(change, { restart: true })).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    await expectAll();
  });

  it('is a query, of whose columns one is of another type', async () => {
    await items({ from: `sql: "select code, id, name, amount, words from item", cursor: code` });
    expect(await changed([RETYPED[world.sourceWords.family]])).toMatchObject(
      failure(/from\.sql has changed since the batch was planned: amount was /),
    );
    await world.source.query(RETYPED[world.sourceWords.family].replace('12,4', '12,2'));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    await expectAll();
  });

  it('is read as it was at one moment: its columns are those of then, or it fails', async () => {
    await items({ from: 'table: public.item, consistent: true' });
    const end = await changed([RETYPED[world.sourceWords.family]]);
    // PostgreSQL has no rows for older transactions in a table that was written anew. The others hold the change off.
    if (world.sourceWords.family === 'postgres') expect(end).toMatchObject(failure(/amount was /));
    else expect(end).toMatchObject({ ok: true });
    await world.source.query(RETYPED[world.sourceWords.family].replace('12,4', '12,2'));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    await expectAll();
  });
});

/** Columns of a landing table, what somebody makes of them, and how the message names it. */
interface Altered {
  title: string;
  family: ServerWords['family'];
  /** Of the source, and what a row has in them. */
  columns: string;
  values: string;
  /** Done to the landing table, which has the source's columns, before the load. */
  before?: string;
  change: string[];
  says: RegExp;
  yaml?: string;
}

const ALTERED: Altered[] = [
  {
    title: 'gets another type, which reads the binary form of the old one',
    family: 'postgres',
    columns: 'v bigint, w text',
    values: 'g, null',
    change: ['alter table acq.item alter column v type double precision'],
    says: /: v was bigint and is double precision$/,
  },
  {
    title: 'gets another type, which refuses that form: no row is rejected for it',
    family: 'postgres',
    columns: 'v bigint, w text',
    values: 'g, null',
    change: ['alter table acq.item alter column v type integer'],
    says: /: v was bigint and is integer$/,
    yaml: 'on_bad_row: quarantine\nmax_rejected: 100',
  },
  {
    title: 'has two columns whose names change places',
    family: 'postgres',
    columns: 'v text, w text',
    values: `'v', 'w'`,
    // In one transaction, or a chunk may come between two of them.
    change: [['v to x', 'w to v', 'x to w'].map((names) => `alter table acq.item rename column ${names}`).join('; ')],
    says: /: its columns were id, v, w and are id, w, v, in this order$/,
  },
  {
    title: 'gets another list of labels',
    family: 'mysql',
    columns: 'v varchar(5), w varchar(5)',
    values: `'a', null`,
    before: `alter table acq.item modify v enum('a','b')`,
    change: [`alter table acq.item modify v enum('z','a','b')`],
    says: /: v was enum\('a','b'\) and is enum\('z','a','b'\)$/,
  },
  {
    title: 'takes no NULL any more, of which the server makes the time of now',
    family: 'mysql',
    columns: 'v timestamp(0), w varchar(5)',
    values: `case when g <= 30 then '2024-07-01 12:00:00' end, null`,
    before: 'alter table acq.item modify v timestamp null',
    change: ['alter table acq.item modify v timestamp not null default current_timestamp'],
    says: /: v, timestamp, has another NOT NULL or DEFAULT$/,
  },
];

const DATED: Record<ServerWords['family'], string> = {
  postgres: 'alter table acq.item alter column name type date using name::date',
  mysql: 'alter table acq.item modify name date',
};

const families = oneOfEachFamily(import.meta.url).map((server, i) => ({
  name: server.name,
  server,
  altered: ALTERED.filter(({ family }) => family === (i === 0 ? 'postgres' : 'mysql')),
}));

describe.each(families)('between two chunks on $name, the landing table', { timeout: 120_000 }, (on) => {
  const { server, altered } = on;
  let world: World;
  afterEach(() => world.close());

  test.each(altered)('$title', async ({ columns, values, before, change, says, yaml = '' }) => {
    const source = `
      create table item (id int primary key, ${columns.replace('timestamp(0)', 'timestamp null')});
      insert into item select g, ${values} from generate_series(1, 40) g;`;
    const options = { ...TABLE, source, columns: `id int, ${columns}`, yaml: `lanes: 1\n${yaml}` };
    world = await World.create(server, { ...ITEMS(options), own: SLOWLY('acq.item', 'id') }, server);
    if (before !== undefined) await world.warehouse.query(before);
    await world.worker();
    const end = await changedMidway(world, ITEM, change, { on: world.warehouse });
    expect(end).toMatchObject(failure(/^.*acq\.item has changed since this batch began to fill it: /));
    expect(end).toMatchObject(failure(says));
    expect(await world.count('select n from waybill.rejected_row')).toBe(0);
  });

  describe.each(['a table', 'files'])(
    'has columns whose names change places while no lane is at work, from %s',
    (what) => {
      test('it fails, and the next start has each value under its own', async () => {
        const source = `
        create table item (id int primary key, name varchar(20), words varchar(20));
        insert into item select g, concat('name ', g), concat('words ', g) from generate_series(1, 40) g;`;
        const columns = 'id int, name varchar(20), words varchar(20)';
        const made = ITEMS({ ...TABLE, source, columns });
        const rows = (f: number): string =>
          Array.from({ length: 10 }, (_, i) => f * 10 + i + 1)
            .map((id) => `${id},name ${id},words ${id}\n`)
            .join('');
        const files = Object.fromEntries([0, 1, 2, 3].map((f) => [`data/${f}.csv`, `id,name,words\n${rows(f)}`]));
        if (what === 'files')
          made.files = { ...files, 'loads/acquisition/item.yaml': item().replace('lanes: 3', 'lanes: 1') };
        world = await World.create(server, { ...made, own: SLOWLY('acq.item', 'id') }, server);
        await world.worker();
        const change = ['name to x', 'words to name', 'x to words'].map(
          (names) => `alter table acq.item rename column ${names}`,
        );
        const end = await changedMidway(world, ITEM, change, { on: world.warehouse, restart: true });
        expect(end).toMatchObject(failure(/^.*acq\.item has changed since this batch began to fill it: /));
        expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
        await expectSameRows(world, 'select id, name, words from item', 'select id, name, words from acq.item');
      });
    },
  );

  test('becomes stricter than a file is: the next start goes by its type', async () => {
    const rows = (f: number): string => `id,name\n${f}1,10-11-12\n${f}2,10-11-12\n`;
    const texts = Object.fromEntries([1, 2, 3, 4].map((f) => [`data/${f}.csv`, rows(f)]));
    world = await fileWorld(server, texts, item().replace('lanes: 3', 'lanes: 1'));
    await world.warehouse.query(SLOWLY('acq.item', 'id')[world.words.family]);
    const end = await changedMidway(world, ITEM, [DATED[world.words.family]], { on: world.warehouse });
    expect(end).toMatchObject(failure(/: name was .*\(60\) and is date$/));
    const next = await world.run(ITEM);
    if (world.words.family === 'postgres') return expect(next).toMatchObject(brought(8, 4));
    expect(!next.ok && next.message).toMatch(/\.csv:2: .*name is not written as its type, date, is written/);
  });
});
/** The key in another order: upper case letters before lower case ones. */
const COLLATED: Record<ServerWords['family'], string> = {
  postgres: 'alter table core.items alter column code type varchar(20) collate "C"',
  mysql: 'alter table core.items modify code varchar(20) character set utf8mb4 collate utf8mb4_bin not null',
};

describe.each(oneOfEachFamily(import.meta.url))('between two chunks on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('a column of a table within the same database gets another type', async () => {
    const options = ITEMS({ source: '', columns: COLUMNS, ...TABLE });
    world = await World.create(server, {
      own: SLOWLY('acq.item', 'code'),
      warehouse: `${options.warehouse} ${SOURCE}`,
      files: { 'loads/acquisition/item.yaml': itemFile(TABLE).replace('connection: source', 'connection: warehouse') },
    });
    await world.worker();
    const change = [RETYPED[world.words.family], 'update item set amount = 1.2345 where code > 30'];
    expect(await changedMidway(world, ITEM, change, { on: world.warehouse })).toMatchObject(failure(/amount was /));
    await world.warehouse.query(RETYPED[world.words.family].replace('item', 'acq.item'));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    expect(await world.value('select count(*) from item join acq.item a using (code, id, amount)')).toBe('40');
  });

  test('what a load consumes gets another key, and another collation of it', async () => {
    const table = 'code varchar(20) not null unique, id int not null, batch_id bigint not null';
    const load = (kind: string, from: string): string => `kind: ${kind}\nconnection: warehouse\nlanes: 1\n${from}`;
    world = await World.create(server, {
      own: SLOWLY('services.items', 'id'),
      warehouse: `
        create schema acq; create schema core; create schema services;
        create table acq.item (id int primary key); create table core.items (${table});
        create table services.items (code varchar(20), id int, batch_id bigint not null);`,
      files: {
        'loads/core/item.yaml': load(
          'core',
          `inputs: [ { table: acq.item, external: true } ]
stages:
  - name: rows
    sql: insert into core.items (code, id, batch_id) select concat(case when id % 2 = 0 then 'c' else 'B' end, 1000 - id), id, :batch_id from {{ acq.item }} i
outputs: [ core.items ]
`,
        ),
        'loads/services/item.yaml': load(
          'services',
          `consumes: [ core.item ]
stages:
  - name: copies
    chunk: { input: core.items, rows: 10 }
    sql: insert into services.items (code, id, batch_id) select i.code, i.id, :batch_id from {{ core.items }} i
outputs: [ services.items ]
`,
        ),
      },
    });
    await world.worker();
    const produce = async (from: number, to: number): Promise<void> => {
      await world.warehouse.query(`insert into acq.item select g from generate_series(${from}, ${to}) g`);
      expect(await world.run('core.item')).toMatchObject({ ok: true });
    };
    const expectConsumed = async (n: string): Promise<void> => {
      expect(await world.value('select count(*) from services.items')).toBe(n);
      expect(await world.value('select count(*) from core.items c join services.items s using (code, id)')).toBe(n);
    };
    const changed = (change: string, restart: boolean): Promise<Ended> =>
      changedMidway(world, 'services.item', [change], { restart, on: world.warehouse });

    await produce(1, 40);
    expect(await changed('alter table core.items add primary key (id)', true)).toMatchObject({ ok: true });
    await expectConsumed('40');
    await world.warehouse.query(
      'alter table core.items drop ' + (world.words.family === 'mysql' ? 'primary key' : 'constraint items_pkey'),
    );

    await produce(41, 80);
    expect(await changed(COLLATED[world.words.family], false)).toMatchObject(
      failure(
        /core\.items has changed since the batch was planned: code, by which its chunks were cut, was .* collate \w+ and is .* collate (C|utf8mb4_bin)$/,
      ),
    );
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { rowsWritten: 40 } });
    await expectConsumed('80');
  });
});
