/** What tables look like: which are refused, which names and keys work, and what `{{ table }}` shows of them. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { document, waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { servers } from '../servers.ts';
import { COLUMNS, ITEM, ITEMS, PLAIN_SOURCE } from './items.ts';
import { holdLatch, LATCHES, WAIT } from './latch.ts';
import { expectWhole, ORDERS, World } from './orders.ts';
import { wordsAt, type ServerWords } from './server-words.ts';
import { ended, until, type WorldOptions } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

interface RefusedTable {
  made: string;
  sql: string;
  reason: RegExp;
  only?: string;
  /** Default: acq.orders. */
  table?: string;
  /** What would keep the database from being dropped. */
  undo?: string;
}

const LONG_NAME = 'o'.repeat(54); // 65 characters with _processing

/** Landing tables that cannot become a snapshot: how each is made, and what is said. */
const REFUSED: Record<ServerWords['family'], RefusedTable[]> = {
  mysql: [
    { made: 'MyISAM', sql: 'alter table acq.orders engine = MyISAM', reason: /its engine is MyISAM/ },
    { made: 'Aria', sql: 'alter table acq.orders engine = Aria', reason: /its engine is Aria/, only: 'MariaDB' },
    {
      made: 'one that another refers to',
      sql: `create table acq.items (order_id bigint, constraint items_order foreign key (order_id) references acq.orders (id))`,
      reason: /foreign key items_order of acq.items refers to it/,
    },
    {
      made: 'a view',
      sql: 'alter table acq.orders rename to real_orders; create view acq.orders as select * from acq.real_orders',
      reason: /it is a view/,
    },
    { made: 'missing', sql: 'drop table acq.orders', reason: /table acq.orders does not exist/ },
    {
      made: 'one whose name leaves no room for that of its snapshot',
      sql: `alter table acq.orders rename to ${LONG_NAME}`,
      table: `acq.${LONG_NAME}`,
      reason: /o+_processing would be longer than 64 characters/,
    },
  ],
  postgres: [
    { made: 'unlogged', sql: 'alter table acq.orders set unlogged', reason: /acq.orders is unlogged/ },
    {
      made: 'partitioned',
      sql: `alter table acq.orders rename to part;
          create table acq.orders (like acq.part) partition by range (id);
          alter table acq.orders attach partition acq.part default`,
      reason: /acq.orders is a partitioned table/,
    },
    {
      made: 'one that another refers to',
      sql: 'create table acq.items (order_id bigint references acq.orders)',
      reason: /foreign key items_order_id_fkey of acq.items refers to acq.orders/,
    },
    {
      made: 'a view',
      sql: 'alter table acq.orders rename to real_orders; create view acq.orders as select * from acq.real_orders',
      reason: /acq.orders is a view/,
    },
    { made: 'missing', sql: 'drop table acq.orders', reason: /table acq.orders does not exist/ },
    {
      made: 'one with row level security',
      sql: 'alter table acq.orders enable row level security',
      reason: /acq.orders has row level security/,
    },
    {
      made: 'one that a logical subscription fills',
      sql: `create subscription fills connection 'dbname=nowhere' publication p with (connect = false, slot_name = none);
          set allow_system_table_mods = on;
          insert into pg_subscription_rel (srsubid, srrelid, srsubstate)
            select oid, 'acq.orders'::regclass, 'r' from pg_subscription
            where subdbid = (select oid from pg_database where datname = current_database());
          reset allow_system_table_mods`,
      reason: /acq.orders is fed by logical replication \(subscription fills\)/,
      undo: 'drop subscription fills',
    },
    {
      made: 'one whose name leaves no room for that of its snapshot',
      sql: `alter table acq.orders rename to ${LONG_NAME}`,
      table: `acq.${LONG_NAME}`,
      reason: /the name o+_processing is longer than 63 bytes/,
    },
  ],
};

describe.each(oneOfEachFamily(import.meta.url))('landing tables on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  test.each(REFUSED[wordsAt(server.url).family].filter(({ only }) => server.name.startsWith(only ?? '')))(
    '$made: refused before anything is touched, with the reason',
    async ({ made, sql, reason, table = 'acq.orders', undo }) => {
      const orders = ORDERS(40, { yaml: 'before: "insert into core.steps values (1)"' });
      const files = Object.entries(orders.files).map(([name, text]) => [name, text.replaceAll('acq.orders', table)]);
      world = await World.create(server, { ...orders, files: Object.fromEntries(files) as WorldOptions['files'] });
      await world.warehouse.query(`create table core.steps (n int); ${sql}`);
      await world.worker();
      const looks = async (): Promise<unknown> => [
        await world.rows(`select table_name as name, table_type as type from information_schema.tables
                        where table_schema = '${world.names.prefix}acq' order by table_name`),
        ...(made === 'missing' ? [] : [await world.identity(table)]),
      ];
      const before = await looks();
      const validated = await waybill(world, 'validate', '--json');
      expect(validated.exitCode).toBe(2);
      const { error } = document(validated) as { error: object };
      const said = Object.values(error).join('\n');
      const refused = await world.run('core.order');
      expect(refused).toMatchObject({ ok: false, type: 'Refused' });
      expect(!refused.ok && refused.message).toMatch(/^the snapshot cannot be taken: /);
      expect(!refused.ok && refused.message).toMatch(reason);
      expect(!refused.ok && refused.next).toBeTruthy();
      // A name that leads nowhere may be a mistake in the file.
      const words =
        made === 'missing' ? ['there is no table `acq.orders`'] : refused.ok ? [] : [refused.message, refused.next!];
      for (const one of words) expect(said).toContain(one);
      expect(await looks()).toEqual(before);
      expect(await world.value('select count(*) from core.steps')).toBe('0');
      expect(await world.states('core.order')).toEqual([]);
      if (undo !== undefined) await world.warehouse.query(undo);
    },
  );

  it('that are empty beside one that is not: their stages are planned and empty, and the batch is published', async () => {
    const orders = ORDERS(150);
    world = await World.create(server, {
      files: {
        ...orders.files,
        'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true }, { table: acq.pages, external: true }, { table: acq.keys, external: true } ]
stages:
  - { name: pages, chunk: { input: acq.pages }, sql: "insert into core.orders select p.id, 'p', 0, :batch_id from {{ acq.pages }} p" }
  - { name: keys, chunk: { input: acq.keys, key: id }, sql: "insert into core.orders select k.id, 'k', 0, :batch_id from {{ acq.keys }} k" }
  - { name: orders, sql: order.sql, chunk: { input: acq.orders, rows: 100 } }
  - { name: uncut, sql: "insert into core.orders select k.id, 'k', 0, :batch_id from {{ acq.keys }} k" }
outputs: [ core.orders ]`,
      },
      warehouse: `${orders.warehouse} create table acq.pages (id bigint primary key); create table acq.keys (id bigint primary key);
        insert into acq.pages values (1); delete from acq.pages;`, // a page without a row
    });
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 150 } });
    expect(await world.rows('select name, planned_chunks from waybill.stage order by n')).toMatchObject([
      { name: 'pages', planned_chunks: 0 },
      { name: 'keys', planned_chunks: 0 },
      { name: 'orders' },
      { name: 'uncut', planned_chunks: 1 },
    ]);
    await expectWhole(world);
  });
});

/** Keys by which a stage is cut (on MySQL and MariaDB: test/database/mysql/chunk-ranges.test.ts): columns, and the SQL of a table that has them, with a number `v` beside. */
const KEYS: { key: string; columns: string; types: string; rows: string }[] = [
  {
    key: 'a text, with quotes, capitals, accents and an empty one',
    columns: 'k',
    types: 'k text',
    rows: `select (array['', ' ', 'a', 'A', 'á', 'b''c', 'b"c', 'b\\c', '[1]', 'null', '$1', ':x', '{{ y }}', 'z' || chr(10) || 'z', '😀'])[1 + g % 15]
             || case when g % 3 = 0 then g::text else '' end`,
  },
  {
    key: 'a text of a collation of its own',
    columns: 'k',
    types: 'k text collate "C"',
    rows: `select chr(33 + g % 90) || g % 7`,
  },
  {
    key: 'a number that is skewed, and NULL at times',
    columns: 'k',
    types: 'k int',
    rows: `select case when g % 10 = 0 then null when g % 10 < 9 then 42 else g end`,
  },
  {
    key: 'a time with a zone',
    columns: 'k',
    types: 'k timestamptz',
    rows: `select timestamptz '2026-03-29 00:00:00.000001+00' + g % 50 * interval '17 minutes'`,
  },
  {
    key: 'a floating number',
    columns: 'k',
    types: 'k float8',
    rows: `select case when g % 50 = 0 then 'NaN' else 1 / (g % 31 + 1)::float8 end`,
  },
  {
    key: 'a fixed number',
    columns: 'k',
    types: 'k numeric(20, 4)',
    rows: `select (g % 40)::numeric * 1234567890.0001`,
  },
  { key: 'a padded text', columns: 'k', types: 'k char(5)', rows: `select 'x' || g % 30` },
  { key: 'a uuid', columns: 'k', types: 'k uuid', rows: `select md5((g % 30)::text)::uuid` },
  {
    key: 'an enum',
    columns: 'k',
    types: 'k core.size',
    rows: `select (array['small', 'big', 'Huge'])[1 + g % 3]::core.size`,
  },
  {
    key: 'two columns, either NULL at times',
    columns: 'k, l',
    types: 'k date, l text',
    rows: `select case when g % 7 = 0 then null else date '2026-01-01' + g % 5 end, case when g % 11 = 0 then null else 'l' || g % 6 end`,
  },
];

describe.each(servers)('a stage cut by key on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test.each(KEYS)('$key: every row once, all rows of one key in one chunk', async ({ columns, types, rows }) => {
    const names = columns.split(', ');
    world = await World.create(server, {
      files: {
        'loads/core/sum.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.items, external: true } ]
lanes: 3
stages:
  - name: sums
    chunk: { input: acq.items, rows: 37, key: [ ${columns} ] }
    sql:
      - insert into core.sums select ${columns}, count(*), sum(i.v), :batch_id from {{ acq.items }} i group by ${columns}
      - insert into core.share select i.v, i.v * 1.0 / (select sum(a.v) from {{ acq.items | all }} a), :batch_id from {{ acq.items }} i
outputs: [ core.sums, core.share ]
`,
      },
      warehouse: `
        create schema acq; create schema core;
        create type core.size as enum ('small', 'big', 'Huge');
        create table acq.items (${types}, v int);
        insert into acq.items select r.*, g from generate_series(1, 1000) g, lateral (${rows}) r(${columns});
        create table kept_items as table acq.items;
        create table core.sums (${types}, n bigint, v bigint, batch_id bigint);
        create table core.share (v int, share numeric, batch_id bigint);`,
    });
    await world.worker();
    expect(await world.run('core.sum')).toMatchObject({ ok: true });
    const differences = (expected: string, found: string) =>
      world.rows(`with expected as (${expected}), found as (${found})
                  (table expected except all table found) union all (table found except all table expected) limit 5`);
    expect(
      await differences(
        `select ${columns}, count(*), sum(v)::bigint from kept_items group by ${columns}`,
        `select ${columns}, n, v from core.sums`,
      ),
    ).toEqual([]);
    // {{ t | all }} is the whole snapshot, in every chunk.
    expect(
      await differences(
        'select v, v * 1.0 / (select sum(v) from kept_items) from kept_items',
        'select v, share from core.share',
      ),
    ).toEqual([]);
    expect(Number(await world.value('select planned_chunks from waybill.stage'))).toBeGreaterThan(
      names.includes('l') ? 5 : 2,
    );
    expect(await world.value('select rows_read from waybill.batch')).toBe('1000');
  });
});

describe.each(oneOfEachFamily(import.meta.url))('outputs on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  test.each(['core.orders, core.items', 'core.items, core.orders'])(
    'that refer to each other are rolled back, whatever the order in which they are declared (%s)',
    async (outputs) => {
      const orders = ORDERS(500);
      world = await World.create(server, {
        files: {
          ...orders.files,
          'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true } ]
lanes: 1
stages:
  - { name: orders, sql: order.sql, chunk: { input: acq.orders, rows: 100 } }
  - { name: items, chunk: { input: acq.orders, rows: 100 }, sql: "insert into core.items select o.id, o.id, nullif(o.id - 1, 0), :batch_id from {{ acq.orders }} o" }
outputs: [ ${outputs} ]
checks: [ { name: allowed, sql: select ok from core.switch, expect: 1 } ]`,
        },
        warehouse: `${orders.warehouse}
          create table core.switch (ok int); insert into core.switch values (0);
          alter table core.orders add primary key (id);
          create table core.items (id bigint primary key, order_id bigint, previous bigint, batch_id bigint);
          alter table core.items add constraint of_order foreign key (order_id) references core.orders (id);
          alter table core.items add constraint after_item foreign key (previous) references core.items (id)${
            wordsAt(server.url).family === 'postgres' ? ' deferrable initially deferred' : ''
          };`,
      });
      await world.worker();
      const failed = await world.run('core.order');
      expect(failed).toMatchObject({
        ok: false,
        type: 'CheckFailed',
        message: 'check failed: "allowed" found 0, expected 1',
      });
      expect(await world.states('core.order')).toEqual(['failed']);
      expect(await world.rows('select id from core.items union all select id from core.orders')).toEqual([]);
      await world.warehouse.query('update core.switch set ok = 1');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1000 } });
      await expectWhole(world);
      expect(await world.value('select count(*) from core.items where batch_id = 2 and order_id = id')).toBe('500');
    },
  );

  const view: [string, string] = [
    'view',
    'alter table core.orders rename to real_orders; create view core.orders as select * from core.real_orders',
  ];
  const PASSING: Record<ServerWords['family'], [string, string, string?][]> = {
    mysql: [
      ['MyISAM table', 'alter table core.orders engine = MyISAM'],
      ['Aria table', 'alter table core.orders engine = Aria', 'MariaDB'],
      view,
    ],
    postgres: [
      ['unlogged table', 'alter table core.orders set unlogged'],
      [
        'table of access method columns',
        `drop table core.orders;
       create function core.handler(internal) returns table_am_handler language internal as 'heap_tableam_handler';
       create access method columns type table handler core.handler;
       create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint) using columns`,
      ],
      [
        'partitioned table with partitions that are unlogged, temporary, foreign or not of heap',
        `drop table core.orders; create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint) partition by range (id);
       create table core.orders_1 partition of core.orders for values from (0) to (50); create unlogged table core.orders_2 partition of core.orders default`,
      ],
      [
        'foreign table',
        `drop table core.orders; create foreign data wrapper w; create server s foreign data wrapper w;
       create foreign table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint) server s`,
      ],
      view,
    ],
  };
  test.each(PASSING[wordsAt(server.url).family].filter(([, , only]) => server.name.startsWith(only ?? '')))(
    'that would not keep their rows (%s) are refused before a batch opens',
    async (kind, sql) => {
      world = await World.create(server, ORDERS(20));
      await world.warehouse.query(sql);
      await world.worker();
      expect(await world.run('core.order')).toMatchObject({
        ok: false,
        type: 'Refused',
        message: `core.orders is no ordinary, permanent table (${kind}): its rows would not be safe with their batch`,
      });
      expect(await world.states('core.order')).toEqual([]);
      expect(await world.value('select count(*) from acq.orders')).toBe('20');
    },
  );

  it('that cannot keep the number of every batch, or nothing that a roll back takes, are refused before anything is written', async () => {
    world = await World.create(server, ORDERS(10));
    await world.worker();
    const isMysql = wordsAt(server.url).family === 'mysql';
    const alter = isMysql ? 'alter table core.orders modify batch_id' : 'alter table core.orders alter batch_id type';
    for (const type of ['smallint', isMysql ? 'float' : 'real']) {
      await world.warehouse.query(`${alter} ${type}`);
      expect(await world.run('core.order')).toMatchObject({
        ok: false,
        type: 'Refused',
        message: expect.stringMatching(`^batch_id of core.orders must be bigint, and is ${type}`) as string,
        next: 'make batch_id of core.orders a plain bigint',
      });
    }
    await world.warehouse.query('alter table core.orders drop column batch_id');
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      type: 'Refused',
      message: 'core.orders has no column batch_id: no roll back could find its rows',
      next: 'alter table core.orders add column batch_id bigint',
    });
    await world.warehouse.query('alter table core.orders add column batch_id bigint');
    await world.warehouse.query(
      isMysql ? 'alter table core.orders engine = MyISAM' : 'drop table core.orders; create sequence core.orders',
    );
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      type: 'Refused',
      message: `core.orders is no ordinary, permanent table (${isMysql ? 'MyISAM table' : 'sequence'}): its rows would not be safe with their batch`,
      next: isMysql ? 'alter table core.orders engine = InnoDB; or name another table' : 'name another table',
    });
    const { exitCode, stderr } = await waybill(world, 'validate');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(
      `\`core.orders\` is a ${isMysql ? 'MyISAM table' : 'sequence'}, and only a plain table can be used here`,
    );
    expect(stderr).not.toContain('add column batch_id');
    expect(await world.states('core.order')).toEqual([]);
  });

  it('nor is such a table one that an acquisition lands in', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(20), columns: COLUMNS }));
    const [kind, made, mended] = {
      mysql: ['MyISAM table', 'engine = MyISAM', 'engine = InnoDB'],
      postgres: ['unlogged table', 'set unlogged', 'set logged'],
    }[world.words.family] as [string, string, string];
    await world.warehouse.query(`alter table acq.item ${made}`);
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({
      ok: false,
      type: 'Refused',
      message: `acq.item is no ordinary, permanent table (${kind}): its rows would not be safe with their batch`,
      next: `alter table acq.item ${mended}; or name another table`,
    });
    expect(await world.states(ITEM)).toEqual([]);
    expect(await world.rows('select * from acq.item')).toEqual([]);
  });

  it('whose rows somebody else refers to stop the roll back, which says so and is finished later', async () => {
    world = await World.create(
      server,
      ORDERS(200, { yaml: 'checks: [ { name: no, sql: select ok from core.switch, expect: 1 } ]' }),
    );
    await world.warehouse.query(`
      create table core.switch (ok int); insert into core.switch values (0);
      alter table core.orders add primary key (id);
      create table core.notes (order_id bigint, constraint notes_order foreign key (order_id) references core.orders (id))`);
    await world.warehouse.query(
      {
        postgres: `create function core.take_note() returns trigger language plpgsql as $$ begin
            insert into core.notes values (new.id); return null; end $$;
          create trigger take_note after insert on core.orders for each row when (new.id = 77) execute function core.take_note()`,
        mysql: `create trigger core.take_note after insert on core.orders for each row
          if new.id = 77 then insert into core.notes values (new.id); end if`,
      }[world.words.family],
    );
    await world.worker();
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(!failed.ok && failed.message).toMatch(/and the roll back is not finished: .*notes_order/);
    expect(await world.states('core.order')).toEqual(['rolling_back']);
    await world.warehouse.query('truncate core.notes; update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
  });

  it('in braces: what was published before and this batch’s own rows', async () => {
    world = await World.create(
      server,
      ORDERS(100, {
        yaml: `checks:
  - { name: own, sql: "select (select count(*) from {{ core.orders }} o) = (select n from core.expected)", expect: 1 }`,
      }),
    );
    // Rows of an earlier tool, with and without an id; and rows of a batch that is nobody's yet: not to be seen.
    await world.warehouse.query(`insert into core.orders values (-1, 'old', 0, 5), (-2, 'older', 0, 6);
      create table core.expected (n int); insert into core.expected values (102)`);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '7' } } });
    await world.warehouse.query(`insert into acq.orders select g, 'late', 1 from generate_series(9001, 9010) g;
      insert into core.orders values (-3, 'from the future', 0, 4000);
      update core.expected set n = 112`);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '8' } } });
    await world.warehouse.query(
      `delete from core.orders where id < 0; insert into kept.orders select id, 'late', 1 from core.orders where id > 9000`,
    );
    await expectWhole(world);
  });
});

/** `core.customer` fills core.customers, `core.order` reads it, twice; both wait for locks that a test holds. */
const READERS = {
  files: {
    'loads/core/customer.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.customers, external: true } ]
lanes: 1
stages:
  - name: customers
    chunk: { input: acq.customers, rows: 10, key: id }
    sql:
      - select c.id from {{ acq.customers }} c, (${WAIT(2)}) held where c.id % 10 = 5
      - insert into core.customers select c.id, c.city, :batch_id from {{ acq.customers }} c
outputs: [ core.customers ]`,
    'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true } ]
reads: [ core.customers ]
stages:
  - name: early
    sql: insert into core.seen select 'early', c.id, c.batch_id, :batch_id from {{ core.customers }} c, {{ acq.orders }} o
  - { name: wait, sql: "${WAIT(1)}" }
  - name: late
    chunk: { input: acq.orders, rows: 10, key: id }
    sql: insert into core.seen select 'late', c.id, c.batch_id, :batch_id from {{ core.customers }} c, {{ acq.orders }} o
outputs: [ core.seen ]`,
  },
  warehouse: `
    create schema acq; create schema core; ${LATCHES}
    create table acq.customers (id int primary key, city text);
    create table core.customers (id int, city text, batch_id bigint);
    create table acq.orders (id int primary key); insert into acq.orders values (1);
    create table core.seen (stage varchar(20), customer int, customer_batch bigint, batch_id bigint);`,
};

describe.each(oneOfEachFamily(import.meta.url))('reads of another load’s output on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('show what was published when the batch opened, though rows of an unfinished batch stand there and become published', async () => {
    world = await World.create(server, READERS);
    await world.warehouse.query(`
      insert into core.customers values (-1, 'without an id', null), (-2, 'of an earlier tool', 900);
      insert into acq.customers select g, 'old' from generate_series(1, 20) g`);
    await world.worker();
    expect(await world.run('core.customer')).toMatchObject({ ok: true, result: { batch: { batchId: '901' } } });
    await world.warehouse.query(`insert into acq.customers select g, 'new' from generate_series(101, 120) g`);
    // The second chunk waits; the first one's rows are committed, and belong to nobody yet.
    const letOrdersGo = await holdLatch(world, 1);
    const letCustomersGo = await holdLatch(world, 2);
    const customers = await world.start('core.customer');
    await until(async () => (await world.states('core.customer')).length === 2, 90);
    await world.warehouse.query(`insert into core.customers values (102, 'new', 902)`); // as if a chunk were done
    const orders = await world.start('core.order');
    await until(async () => (await world.value(`select count(*) from core.seen where stage = 'early'`)) === '22', 90);
    await letCustomersGo();
    expect(await ended(customers)).toMatchObject({ ok: true, result: { rowsWritten: 20 } });
    await letOrdersGo();
    expect(await ended(orders)).toMatchObject({ ok: true, result: { rowsWritten: 44 } });
    const visible = [
      { customer_batch: '900', n: '1' },
      { customer_batch: '901', n: '20' },
      { customer_batch: null, n: '1' },
    ];
    const seen = (stage: string, batch: number) =>
      world.rows(
        `select customer_batch, count(*) as n from core.seen where stage = $1 and batch_id = $2
                  group by customer_batch order by customer_batch is null, customer_batch`,
        [stage, batch],
      );
    expect(await seen('early', 903)).toEqual(visible);
    expect(await seen('late', 903)).toEqual(visible);
    expect(
      await world.rows('select producer_batch_id, producer_load, via from waybill.batch_input where batch_id = 903'),
    ).toEqual([{ producer_batch_id: '901', producer_load: 'core.customer', via: 'reads' }]);

    await world.warehouse.query('insert into acq.orders values (2)');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await seen('late', 904)).toEqual([
      { customer_batch: '900', n: '1' },
      { customer_batch: '901', n: '20' },
      { customer_batch: '902', n: '21' },
      { customer_batch: null, n: '1' },
    ]);
  });

  it('show rows of an earlier tool, although the load that goes on with them has never run here', async () => {
    world = await World.create(server, READERS);
    await world.warehouse.query(`insert into core.customers values (1, 'old', 7000), (2, 'older', null)`);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { batch: { batchId: '7001' } } });
    expect(
      await world.rows('select stage, customer, customer_batch, batch_id from core.seen order by stage, customer'),
    ).toEqual([
      { stage: 'early', customer: 1, customer_batch: '7000', batch_id: '7001' },
      { stage: 'early', customer: 2, customer_batch: null, batch_id: '7001' },
      { stage: 'late', customer: 1, customer_batch: '7000', batch_id: '7001' },
      { stage: 'late', customer: 2, customer_batch: null, batch_id: '7001' },
    ]);
  });
});

const ofMysqlFamily = await mysqlServers();

describeOn(ofMysqlFamily, 'tables that a task writes to without naming them, on $name', (server) => {
  const own = inTurns(import.meta.url, server, ofMysqlFamily);
  let world: World;
  afterEach(() => world.close());
  const task = (sql: string) => ({
    warehouse: `create schema core; create table core.number (n bigint primary key, seen int not null default 0);
      insert into core.number (n) values ${Array.from({ length: 20 }, (_, i) => `(${i + 1})`).join()};`,
    files: {
      'loads/t.yaml': `kind: task
connection: warehouse
range: { min: 1, max: 20, step: 2 }
sql: ${sql}
`,
    },
  });

  own('are refused before a batch opens where a roll back would not take its rows out again', async () => {
    world = await World.create(
      server,
      task('update core.number set seen = seen + if(n = 15, 1/0, 1) where n >= :from and n < :to'),
    );
    const engine = server.name.startsWith('MariaDB') ? 'Aria' : 'MEMORY';
    await world.warehouse.query(`alter table core.number engine = ${engine}`);
    await world.worker();
    expect(await world.run('t')).toMatchObject({
      ok: false,
      type: 'Refused',
      message: `core.number is a table of ${engine}, which keeps what a chunk that is rolled back has written: the next attempt writes it again`,
    });
    expect(await world.rows('select n from core.number where seen > 0')).toEqual([]);
  });

  own('are its own affair where they go with its connection', async () => {
    world = await World.create(
      server,
      task(`|
  create temporary table found (n bigint) engine = MEMORY;
  insert into found select n from core.number where n >= :from and n < :to;
  update core.number t join found f on f.n = t.n set seen = seen + 1;
  delete from found`),
    );
    await world.warehouse.query('create table core.found (n bigint) engine = MyISAM');
    await world.worker();
    expect(await world.run('t')).toMatchObject({ ok: true });
    expect(await world.rows('select n from core.number where seen <> 1')).toEqual([]);
  });
});
