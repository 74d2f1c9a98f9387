/** DESIGN §3, "Plan": what a plan rests on, and what happens when somebody changes it under a load. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { servers } from '../servers.ts';
import { done, exists, land } from './breakable-orders.ts';
import { COLUMNS, expectAcquired, ITEM, ITEMS, PLAIN_SOURCE } from './items.ts';
import { expectSame, expectWhole, ORDERS, SLOW_SQL, World, type OrdersOptions } from './orders.ts';
import { ended, until, type WorldOptions } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Orders cut by pages, a while each; every third row of the landing table is dead, so that a rewrite moves the others. */
function BY_PAGES(options: OrdersOptions = {}): WorldOptions {
  const orders = ORDERS(3000, { sql: SLOW_SQL(0.1), lanes: 1, ...options });
  return {
    ...orders,
    warehouse: `${orders.warehouse} delete from acq.orders where id % 3 = 0; delete from kept.orders where id % 3 = 0;`,
  };
}

/** A role that owns the tables and is no superuser: row level security holds for it. Its password is its name. */
const LOADER = `
  do $$ begin create role planning_loader login password 'planning_loader';
  exception when duplicate_object or unique_violation then null; end $$;
  do $$ declare t record; begin
    execute format('grant create on database %I to planning_loader', current_database());
    for t in select nspname from pg_namespace where nspname in ('acq', 'core', 'kept') loop
      execute format('alter schema %I owner to planning_loader', t.nspname);
    end loop;
    for t in select schemaname, tablename from pg_tables where schemaname in ('acq', 'core', 'kept') loop
      execute format('alter table %I.%I owner to planning_loader', t.schemaname, t.tablename);
    end loop;
  end $$;`;

/** A worker that connects to this side as that role. */
async function workerAsLoader(world: World, side: 'WAREHOUSE_URL' | 'SOURCE_URL'): Promise<void> {
  const url = new URL(world.env[side]!);
  url.username = url.password = 'planning_loader';
  await world.worker({ env: { ...world.env, [side]: url.href } });
}

const HIDDEN = (table: string) => `query would be affected by row-level security policy for table "${table}"`;

// By pages, and what moves their rows: PostgreSQL's. MySQL and MariaDB: below.
describe.each(servers)('the plan of a stage on $name', (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let world: World;
  afterEach(() => world.close());

  const file = (table: string) => world.value(`select pg_relation_filenode($1::regclass)::text`, [table]);

  /** The load is under way, by pages, with most of its chunks to come. */
  async function underWay(options: OrdersOptions = {}) {
    world = await World.create(server, BY_PAGES(options));
    await world.worker();
    const before = await file('acq.orders');
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 1, 90);
    expect(await world.value('select method from waybill.stage')).toBe('pages');
    expect(await world.rows('select storage_id, relation_id from waybill.snapshot')).toEqual([
      { storage_id: before, relation_id: await world.value(`select 'acq.orders_processing'::regclass::oid::text`) },
    ]);
    return handle;
  }

  const READ_ONLY =
    /acq.orders_processing is refused: it is the snapshot of acq.orders, which a batch of Waybill reads/;
  const REWRITTEN =
    /^chunk \d+ of \d+: the snapshot acq.orders_processing was rewritten or emptied \(TRUNCATE, VACUUM FULL, CLUSTER\): its rows are not where they were/;

  it('takes no write to the snapshot; when that is rewritten under it, the batch fails and says why, and the next start has every row', async () => {
    const first = await underWay();
    for (const write of [
      'truncate acq.orders_processing',
      'delete from acq.orders_processing',
      'update acq.orders_processing set id = -id',
      `insert into acq.orders_processing values (-1, 'x', 1)`,
      'merge into acq.orders_processing o using (select 1 as id) x on o.id = x.id when matched then delete',
      'set session_replication_role = replica; truncate acq.orders_processing',
    ]) {
      const superuser = await world.another('warehouse');
      await expect(superuser.query(write), write).rejects.toThrow(READ_ONLY);
    }
    await land(world, 9001);
    let before = await file('acq.orders_processing');
    await world.warehouse.query('vacuum full acq.orders_processing');
    expect(await file('acq.orders_processing')).not.toBe(before);
    let failed = await ended(first);
    expect(!failed.ok && failed.message).toMatch(REWRITTEN);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.value('select count(*) from acq.orders_processing')).toBe('2000');

    const second = await world.start('core.order');
    await until(async () => (await done(world)) > 1 && (await world.states('core.order')).length === 2, 90);
    before = await file('acq.orders_processing');
    const index = await world.value(`select indexrelid::regclass::text from pg_index
                                     where indrelid = 'acq.orders_processing'::regclass`);
    await world.warehouse.query(`cluster acq.orders_processing using ${String(index).replace('acq.', '')}`);
    expect(await file('acq.orders_processing')).not.toBe(before);
    failed = await ended(second);
    expect(!failed.ok && failed.message).toMatch(REWRITTEN);

    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['failed', 'failed', 'published', 'published']);
  });

  it('does not take a snapshot that was truncated past its trigger for an empty one, until --force says so', async () => {
    const handle = await underWay();
    await world.warehouse.query(`begin; alter table acq.orders_processing disable trigger all;
      truncate acq.orders_processing; commit`);
    const failed = await ended(handle);
    expect(!failed.ok && failed.message).toMatch(REWRITTEN);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    const refused = await world.run('core.order');
    expect(refused).toMatchObject({
      ok: false,
      type: 'Refused',
      message:
        'acq.orders_processing, the snapshot of batch 1, was rewritten since, and holds no row: ' +
        'it looks as if somebody had emptied it',
      next:
        'put its rows back, or accept that it is empty (it may have been from the start) ' +
        'with waybill run core.order --force',
    });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.run({ load: 'core.order', force: true })).toMatchObject({
      ok: true,
      result: { rowsWritten: 0 },
    });
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    await world.warehouse.query('insert into acq.orders table kept.orders'); // they had a copy
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
    await expectWhole(world);
  });
});

const ofMysqlFamily = await mysqlServers();

describeOn(ofMysqlFamily, 'a stage that is under way on $name', (server) => {
  const it = inTurns(import.meta.url, server, ofMysqlFamily);
  let world: World;
  afterEach(() => world.close());

  async function underWay() {
    world = await World.create(server, ORDERS(3000, { sql: SLOW_SQL(0.1), lanes: 1 }));
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 1, 90);
    return handle;
  }

  it('minds no rebuild of the snapshot, for its chunks go by the key', async () => {
    const handle = await underWay();
    await world.warehouse.query('optimize table acq.orders_processing');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 3000, chunks: 30 } });
    await expectWhole(world);
  });

  it('minds no column more', async () => {
    const handle = await underWay();
    await world.warehouse.query(
      "alter table acq.orders_processing add note varchar(9) default 'x', add key (customer)",
    );
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 3000, chunks: 30 } });
    await expectWhole(world);
  });

  test.each([
    {
      other: 'an empty one, alike to its comment',
      made: 'create table acq.other like acq.orders_processing',
      fails: /^chunk \d+ of \d+: the snapshot acq\.orders_processing was rewritten or emptied/,
      refused: /^acq\.orders_processing, the snapshot of batch 1, was rewritten since, and holds no row/,
    },
    {
      other: 'one with the same rows',
      made: 'create table acq.other as table acq.orders_processing',
      fails: /^chunk \d+ of \d+: acq\.orders_processing is another table than the snapshot of batch 1/,
      refused: /^acq\.orders_processing is not the table that batch 1 took as its snapshot$/,
    },
  ])('takes no other table for its snapshot, $other; once that is back, the next start has every row', async (one) => {
    const handle = await underWay();
    await world.warehouse.query(`${one.made};
      rename table acq.orders_processing to acq.aside, acq.other to acq.orders_processing`);
    const failed = world.names.outOf(await ended(handle));
    expect(!failed.ok && failed.message).toMatch(one.fails);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    const refused = await world.run('core.order');
    expect(!refused.ok && refused.message).toMatch(one.refused);
    await world.warehouse.query('drop table acq.orders_processing; rename table acq.aside to acq.orders_processing');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 3000 } });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
  });

  it('does not take a snapshot for an empty one that was truncated, which passes triggers, until --force says so', async () => {
    const handle = await underWay();
    await world.warehouse.query('truncate acq.orders_processing');
    const failed = world.names.outOf(await ended(handle));
    expect(!failed.ok && failed.message).toMatch(
      /^chunk \d+ of \d+: the snapshot acq.orders_processing was rewritten or emptied/,
    );
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    const refused = await world.run('core.order');
    expect(refused).toMatchObject({ ok: false, type: 'Refused' });
    expect(!refused.ok && refused.message).toMatch(
      /^acq.orders_processing, the snapshot of batch 1, was rewritten since, and holds no row/,
    );
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.run({ load: 'core.order', force: true })).toMatchObject({
      ok: true,
      result: { rowsWritten: 0 },
    });
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    await world.warehouse.query('insert into acq.orders table kept.orders'); // they had a copy
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 3000 } });
    await expectWhole(world);
  });
});

describe.each(oneOfEachFamily(import.meta.url))('the chunks of a stage on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('are one for one row, and find rows at the end, behind many that are gone', async () => {
    world = await World.create(server, ORDERS(1));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1, chunks: 1 } });
    await world.warehouse.query(`insert into acq.orders select g, 'late', 1 from generate_series(2, 40000) g;
      delete from acq.orders where id <= 39990; insert into kept.orders table acq.orders`);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 10 } });
    await expectWhole(world);
  });
});

/** Each kind of key: columns, their types, and values by a number `g`. */
const KEYS: { key: string; columns: string; types: string; values: string }[] = [
  {
    key: 'a text whose collation takes capitals and accents for the same',
    columns: 'c',
    types: 'c text collate core.same',
    values: `(array['a', 'A', 'á', 'Á', 'b', 'B', 'ß', 'SS', 'ss', 'z', ''])[1 + g % 11] || (g % 5)`,
  },
  {
    key: 'texts in the order of a language, and of bytes',
    columns: 'l, m',
    types: 'l text collate core.swedish, m text collate "C"',
    values: `(array['zebra', 'ärlig', 'Östen', 'ål', 'apa', 'Zon', 'w', 'v'])[1 + g % 8], chr(60 + g % 70)`,
  },
  {
    key: 'an enum of a schema that the load does not look into',
    columns: 'e',
    types: 'e public.size',
    values: `(enum_range(null::public.size))[1 + g % 8]`,
  },
  {
    key: 'an interval and a day, however the load writes such things',
    columns: 'i, d',
    types: 'i interval, d date',
    values: `((g % 23) - 11) * interval '1 day 02:03:04.5' - interval '1 month', date '2026-02-01' + g % 9`,
  },
  {
    key: 'a timestamp, a floating number and bytes, either NULL at times',
    columns: 't, f, b',
    types: 't timestamp, f float8, b bytea',
    values: `nullif(timestamp '2026-02-03 04:05:06.123456' + (g % 4) * interval '100 days', timestamp '2026-02-03 04:05:06.123456'),
      1 / (g % 7 + 1)::float8, case when g % 13 > 0 then decode(md5((g % 3)::text), 'hex') end`,
  },
  {
    key: 'one value in half of all rows',
    columns: 's',
    types: 's int',
    values: `case when g % 2 = 0 then 300 else g end`,
  },
];

/** What a load may say of its sessions, and what must not change where a key is cut. */
const SETTINGS = `{ search_path: "core, pg_temp", DateStyle: "SQL, DMY", IntervalStyle: sql_standard, TimeZone: Asia/Tokyo, extra_float_digits: "-6", bytea_output: escape }`;

// Types and settings of PostgreSQL; those of MySQL and MariaDB stand below.
describe.each(servers)('a plan by key on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('has every row once and all of one key in one chunk, whatever its type, order and spelling', async () => {
    const types = KEYS.map((key) => key.types).join(', ');
    const stage = ({ columns }: (typeof KEYS)[number], n: number): string => `
  - name: key_${n}
    chunk: { input: acq.items, rows: 29, key: [ ${columns} ] }
    sql: insert into core.sums_${n} select ${columns}, count(*), sum(i.v), :batch_id from {{ acq.items }} i group by ${columns}`;
    const sums = KEYS.map(
      (key, n) => `create table core.sums_${n} (${key.types}, n bigint, v bigint, batch_id bigint);`,
    );
    const yaml = `
kind: core
connection: warehouse
inputs: [ { table: acq.items, external: true } ]
lanes: 2
session_params: ${SETTINGS}
stages: ${KEYS.map(stage).join('')}
outputs: [ ${KEYS.map((_, n) => `core.sums_${n}`).join(', ')} ]
`;
    world = await World.create(server, {
      files: {
        'loads/core/sum.yaml': yaml.replace('key: [ c ]', 'key: [ j ]').replace('group by c', 'group by c, j::text'),
      },
      warehouse: `
        create schema acq; create schema core;
        create collation core.same (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
        create collation core.swedish (provider = icu, locale = 'sv-SE');
        create type public.size as enum ('small', 'big', 'Huge', 'a', 'b', 'c', 'd', 'e');
        create table acq.items (${types}, v int, j json);
        insert into acq.items select ${KEYS.map(({ values }) => values).join(', ')}, g from generate_series(1, 700) g;
        create table kept_items as table acq.items; ${sums.join('\n')}`,
    });
    await world.worker();
    expect(await world.run('core.sum'), 'a type that has no order').toMatchObject({
      ok: false,
      message: expect.stringMatching(
        /^acq\.items\.j is json: its values have no order, so no chunks can be cut by it/,
      ) as string,
    });
    await world.write('loads/core/sum.yaml', yaml);
    expect(await world.run('core.sum')).toMatchObject({ ok: true });
    for (const [n, { key, columns }] of KEYS.entries()) {
      const sums = (table: string) => `select ${columns}, n, v from ${table}`;
      const kept = `(select ${columns}, count(*) as n, sum(v)::bigint as v from kept_items group by ${columns}) k`;
      expect(
        await world.rows(`(${sums(kept)} except all ${sums(`core.sums_${n}`)}) union all
                          (${sums(`core.sums_${n}`)} except all ${sums(kept)}) limit 3`),
        key,
      ).toEqual([]);
      const chunks = `select count(*) from waybill.chunk where batch_id = 2 and stage = ${n + 1}`;
      expect(Number(await world.value(chunks)), key).toBeGreaterThan(3);
    }
  });
});

const ofMysql = oneOfEachFamily(import.meta.url).filter(({ name }) => !name.startsWith('PostgreSQL'));

describeOn(ofMysql, 'a plan by key on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  /** Texts that a collation may take for the same: by capitals, accents, a ß, a space at the end. */
  const texts = `concat(elt(1 + g % 12, 'a', 'A', 'á', 'Á', 'b', 'ß', 'SS', 'ss', 's', 'z', '', '\\\\'), g % 5, if(g % 2 = 0, ' ', ''))`;
  const noPad = server.name.startsWith('MySQL') ? 'utf8mb4_0900_ai_ci' : 'utf8mb4_unicode_nopad_ci';
  const keys: { key: string; columns: string; types: string; values: string }[] = [
    { key: 'a text with spaces', columns: 'c', types: 'c varchar(20) collate utf8mb4_unicode_ci', values: texts },
    { key: 'a text whose spaces count', columns: 'p', types: `p varchar(20) collate ${noPad}`, values: texts },
    { key: 'a text of bytes, padded', columns: 'q', types: 'q varchar(20) collate utf8mb4_bin', values: texts },
    {
      key: 'texts in the order of a language, and of fixed length',
      columns: 'l, m',
      types: 'l varchar(20) collate utf8mb4_swedish_ci, m char(5) character set latin1',
      values: `elt(1 + g % 8, 'zebra', 'ärlig', 'Östen', 'ål', 'apa', 'Zon', 'w', 'v'), char(60 + g % 70 using latin1)`,
    },
    {
      key: 'an enum and a time, either NULL at times',
      columns: 'e, t',
      types: `e enum('small', 'big', 'Huge', 'a', 'b'), t time(3)`,
      values: `nullif(elt(1 + g % 6, 'small', 'big', 'Huge', 'a', 'b', 'none'), 'none'), if(g % 7 = 0, null, sec_to_time((g % 23 - 11) * 3723.5))`,
    },
    {
      key: 'a moment, a floating number and bytes',
      columns: 'w, f, b',
      types: 'w timestamp(6) null, f double, b varbinary(16)',
      values: `timestamp('2026-02-03 04:05:06.123456') + interval g % 4 day, 1 / (g % 7 + 1), if(g % 13 > 0, unhex(left(sha2(g % 3, 256), 32)), null)`,
    },
    {
      key: 'numbers without a sign, and fixed ones',
      columns: 'u, x',
      types: 'u bigint unsigned, x decimal(20, 4)',
      values: '18446744073709551600 + g % 15, (g % 40 - 20) * 1234567890.0001',
    },
    { key: 'one value in half of all rows', columns: 's', types: 's int', values: 'if(g % 2 = 0, 300, g)' },
  ];

  test('has every row once and all of one key in one chunk, whatever its type, order and spelling', async () => {
    const types = keys.map((key) => key.types).join(', ');
    const stage = ({ columns }: (typeof keys)[number], n: number): string => `
  - name: key_${n}
    chunk: { input: acq.items, rows: 29, key: [ ${columns} ] }
    sql: insert into core.sums_${n} select ${columns}, count(*), sum(i.v), :batch_id from {{ acq.items }} i group by ${columns}`;
    world = await World.create(server, {
      files: {
        'loads/core/sum.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.items, external: true } ]
lanes: 2
session_params: { lc_time_names: de_DE, div_precision_increment: 30 }
stages: ${keys.map(stage).join('')}
outputs: [ ${keys.map((_, n) => `core.sums_${n}`).join(', ')} ]
`,
      },
      warehouse: `
        create schema acq; create schema core;
        create table acq.items (${types}, v int);
        insert into acq.items select ${keys.map(({ values }) => values).join(', ')}, g from generate_series(1, 700) g;
        create table core.kept_items as table acq.items;
        ${keys.map((key, n) => `create table core.sums_${n} (${key.types}, n bigint, v bigint, batch_id bigint);`).join('\n')}`,
    });
    await world.worker();
    expect(await world.run('core.sum')).toMatchObject({ ok: true });
    for (const [n, { key, columns }] of keys.entries()) {
      const kept = `select ${columns}, count(*) as n, sum(v) as v from core.kept_items group by ${columns}`;
      await expectSame(world, kept, `select ${columns}, n, v from core.sums_${n}`, [...columns.split(', '), 'n', 'v']);
      const chunks = `select count(*) from waybill.chunk where stage = ${n + 1}`;
      expect(Number(await world.value(chunks)), key).toBeGreaterThan(3);
    }
  });
});

// Row level security: only PostgreSQL has it.
describe.each(servers)('rows that a policy hides, on $name', (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let world: World;
  afterEach(() => world.close());

  it('of a snapshot or of an output: the load fails instead of leaving them out, and the next start has every row', async () => {
    world = await World.create(
      server,
      BY_PAGES({ yaml: 'checks: [ { name: no, sql: select ok from core.switch, expect: 1 } ]' }),
    );
    await world.warehouse.query(`create table core.switch (ok int); insert into core.switch values (0); ${LOADER}`);
    await workerAsLoader(world, 'WAREHOUSE_URL');
    const handle = await world.start('core.order');
    await until(async () => (await done(world)) > 1, 90);
    await world.warehouse.query(
      `alter table acq.orders_processing enable row level security, force row level security`,
    );
    let failed = await ended(handle);
    expect(failed).toMatchObject({ ok: false, type: 'Database' });
    expect(!failed.ok && failed.message).toContain(HIDDEN('orders_processing'));
    expect(await world.value('select count(*) from core.orders')).toBe('0');

    // Now an output: the check would fail, and the roll back not see the rows of one customer. It is not begun.
    await world.warehouse.query(`alter table acq.orders_processing no force row level security;
      create policy most on core.orders using (customer <> 'customer 5') with check (true);
      alter table core.orders enable row level security, force row level security`);
    failed = await world.run('core.order');
    expect(failed).toMatchObject({ ok: false, type: 'Refused' });
    expect(!failed.ok && failed.message).toContain('row level security of core.orders would hide some');
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    await world.warehouse.query('alter table core.orders no force row level security; update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
    await expectWhole(world);
  });

  it('of a source: it is not read, rather than read in part', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(100), columns: COLUMNS }));
    await world.source.query(`${LOADER} grant select on item to planning_loader;
      create policy half on item using (id % 2 = 0); alter table item enable row level security`);
    await workerAsLoader(world, 'SOURCE_URL');
    const failed = await world.run(ITEM);
    expect(failed).toMatchObject({ ok: false, type: 'Database' });
    expect(!failed.ok && failed.message).toContain(HIDDEN('item'));
    expect(await world.states(ITEM)).toEqual([]);
    await world.source.query('alter table item disable row level security');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectAcquired(world);
  });
});
