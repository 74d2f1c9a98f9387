import { afterEach, describe, expect, test } from 'vitest';
import { ITEMS, itemFile } from '../engine/items.ts';
import { ORDERS, World } from '../engine/orders.ts';
import { wordsAt } from '../engine/server-words.ts';
import type { WorldOptions } from '../engine/world.ts';
import { someServers } from '../every-server.ts';
import { servers } from '../servers.ts';
import { document, waybill } from './command-line.ts';

describe.each(someServers(import.meta.url))('waybill validate on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('counts what it has checked, and needs neither snapshot nor control tables', async () => {
    world = await World.create(server, ORDERS(0));
    expect(await waybill(world, 'validate')).toEqual({
      exitCode: 0,
      stdout:
        'Files: 1 load and 0 sessions are right.\n' +
        'Databases (warehouse): 2 tables and 1 SQL statement are right.\n',
      stderr: '',
    });
    expect(document(await waybill(world, 'validate', '--json'))).toEqual({
      loads: 1,
      sessions: 0,
      connections: ['warehouse'],
      tables: 2,
      statements: { checked: 1, unchecked: 0 },
      warnings: [],
    });
  });

  test('has the source asked about a cursor and its start, and the server about settings', async () => {
    const isMysql = wordsAt(server.url).family === 'mysql';
    const setting = isMysql ? 'sort_buffer_sze' : 'work_mem';
    const item = (from: string) => itemFile({ from, yaml: `session_params: { ${setting}: 9 apples }` });
    world = await World.create(
      server,
      ITEMS({
        source: 'create table item (id bigint primary key, name varchar(20) not null, at timestamp not null)',
        columns: 'id bigint, name varchar(20), at timestamp null',
        files: { 'loads/acquisition/item.yaml': item('table: public.item, cursor: name') },
      }),
    );
    const unfit = await waybill(world, 'validate');
    expect(unfit.exitCode).toBe(2);
    expect(unfit.stderr).toMatch(/item\.name is (?:character varying|varchar)\(20\): no cursor can be kept on it/);
    expect(unfit.stderr).toContain(`warehouse will not have ${setting}: 9 apples of session_params: `);
    await world.write(
      'loads/acquisition/item.yaml',
      itemFile({ from: 'table: public.item, cursor: at, start: 2024-02-31' }),
    );
    const impossible = await waybill(world, 'validate');
    expect(impossible.exitCode).toBe(2);
    expect(impossible.stderr).toMatch(/`start` is 2024-02-31, which is no timestamp/);
    await world.write(
      'loads/acquisition/item.yaml',
      itemFile({ from: 'table: public.item, cursor: at, start: 2024-02-29' }),
    );
    expect(await waybill(world, 'validate')).toMatchObject({ exitCode: 0 });
  });

  test('says that the database was asked of a task, too, which has statements alone', async () => {
    const sql = 'delete from core.orders where id >= :from and id < :to';
    const task = `kind: task\nconnection: warehouse\nrange: { min: 1, max: 10, step: 5 }\nstages: [{ name: all, sql: "${sql}" }]\n`;
    const { warehouse } = ORDERS(0);
    world = await World.create(server, { files: { 'loads/task/trim.yaml': task }, warehouse });
    expect((await waybill(world, 'validate')).stdout).toBe(
      'Files: 1 load and 0 sessions are right.\nDatabases (warehouse): 0 tables and 1 SQL statement are right.\n',
    );
  });

  test('leaves a table that another task makes to the run, and no other name', async () => {
    const task = (sql: string): string => `kind: task\nconnection: warehouse\nbefore: [ "${sql}" ]\n`;
    world = await World.create(server, {
      files: {
        'loads/task/make.yaml': task('create table if not exists core.made as select id from core.orders'),
        'loads/task/use.yaml': task('insert into core.orders (id, batch_id) select id, 1 from core.made'),
      },
      warehouse: ORDERS(0).warehouse!,
    });
    expect(document(await waybill(world, 'validate', '--json'))).toMatchObject({
      statements: { checked: 0, unchecked: 2 },
    });
    await world.write('loads/task/use.yaml', task('insert into core.orders (id, batch_id) select id, 1 from core.mad'));
    const { exitCode, stderr } = await waybill(world, 'validate');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/core\.mad\b/);
  });

  test('gives the place in the file of what the server does not understand, behind rendered braces too', async () => {
    world = await World.create(
      server,
      ORDERS(0, {
        sql: `-- ünïcode 😀 in front
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2, :batch_id
from {{ acq.orders }} o where :last_load_at < now() and o.custmer = 'x'`,
      }),
    );
    const answer = await waybill(world, 'validate', '--json');
    expect(answer.exitCode).toBe(2);
    expect(document(answer)).toMatchObject({
      error: {
        type: 'Configuration',
        message: expect.stringMatching(
          /^(column o.custmer does not exist|Unknown column 'o.custmer' in .*): did you mean `customer`\?$/,
        ) as string,
        where: `loads/core/order.sql:4:${57 + world.names.prefix.length}`,
      },
    });
  });

  test('names the nearest table, and does not complain of the same twice', async () => {
    world = await World.create(server, ORDERS(0));
    await world.warehouse.query('alter table core.orders rename to order_lines');
    await world.warehouse.query('create table core.order_ (id int)');
    const answer = await waybill(world, 'validate');
    expect(answer.exitCode).toBe(2);
    expect(answer.stderr).toMatch(
      /^waybill: there is no table `core\.orders` in `warehouse`: did you mean `core\.order_`\?\n/,
    );
    expect(answer.stderr).toContain('loads/core/order.yaml:');
  });

  test('leaves to the run what an earlier statement of the load makes first', async () => {
    world = await World.create(
      server,
      ORDERS(0, {
        yaml: 'before: ["create table if not exists core.extra (id bigint)", "insert into core.extra values (1)"]',
      }),
    );
    expect((await waybill(world, 'validate')).stdout).toContain(
      '1 SQL statement are right; 2 statements can only be seen when they run.',
    );
  });

  test('refuses SQL that would give other rows once per chunk, and so does a start', async () => {
    world = await World.create(server, ORDERS(400));
    await waybill(world, 'migrate');
    await world.worker();
    await world.write(
      'loads/core/order.sql',
      `insert into core.orders (id, customer, amount, batch_id)
select k.id, k.customer, o.amount, :batch_id
from kept.orders k
left join {{ acq.orders }} o on o.id = k.id and o.id > 10`,
    );
    const message = expect.stringContaining('is filled with NULLs: each chunk would give') as string;
    const answer = await waybill(world, 'validate', '--json');
    expect(answer.exitCode).toBe(2);
    expect(document(answer)).toMatchObject({
      error: { type: 'Configuration', message, where: 'loads/core/order.sql:4:1' },
    });
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Configuration', message });
    expect(await world.states('core.order')).toEqual([]);
  });
});

describe.each(someServers(import.meta.url))('waybill plan on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('shows the SQL as it would be sent, chunks, snapshot and locks, and touches nothing', async () => {
    world = await World.create(server, ORDERS(1000, { byKey: true }));
    await waybill(world, 'migrate');
    const answer = await waybill(world, 'plan', 'core.order', '--json');
    expect(answer.exitCode).toBe(0);
    expect(document(answer)).toMatchObject({
      load: 'core.order',
      does: 'new batch',
      redoes: null,
      snapshot: [{ table: 'acq.orders', taken: 'anew' }],
      stages: [
        {
          name: 'orders',
          chunks: 10,
          lanes: 2,
          cut: 'about 100 rows each of acq.orders, by id',
          statements: [
            { where: 'loads/core/order.sql:2:1', text: expect.stringContaining('acq.orders_processing') as string },
          ],
        },
      ],
      removes: [],
    });
    expect(await world.value('select count(*) from waybill.batch')).toBe('0');
    expect(await world.exists('acq.orders_processing')).toBe(false);
    expect((await waybill(world, 'plan', 'core.order')).stdout).toContain('A start opens a new batch.');
  });

  test('says that there is nothing to do, and why', async () => {
    world = await World.create(server, ORDERS(0));
    await waybill(world, 'migrate');
    expect(document(await waybill(world, 'plan', 'core.order', '--json'))).toMatchObject({
      does: 'nothing',
      because: ['no rows in acq.orders'],
    });
  });

  test('after a failed batch says that its snapshot is taken over', async () => {
    world = await World.create(
      server,
      ORDERS(100, {
        byKey: true,
        sql: `insert into core.orders select o.id, o.customer, 1 / (o.id - 50), :batch_id from {{ acq.orders }} o`,
      }),
    );
    await world.worker();
    expect((await waybill(world, 'run', 'core.order')).exitCode).toBe(1);
    expect(document(await waybill(world, 'plan', 'core.order', '--json'))).toMatchObject({
      does: 'redo',
      redoes: '1',
      snapshot: [{ table: 'acq.orders', taken: 'before' }],
      removes: [],
    });
  });
});

describe.each(someServers(import.meta.url))('a landing table that is yet to be made, on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  const project = (to: string, query: string): WorldOptions => ({
    files: {
      'loads/acquisition/item.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, sql: item.sql, cursor: id }
to: ${to}
`,
      'loads/acquisition/item.sql': query,
      'loads/core/item.yaml': `kind: core
connection: warehouse
inputs: [acq.item]
stages: [{ name: items, sql: "insert into core.item select i.id, :batch_id from {{ acq.item }} i" }]
outputs: [core.item]
`,
    },
    source: `create table item (id bigint primary key); insert into item values (1), (2);`,
    warehouse: `create schema acq; create schema core;
      create table core.item (id bigint, batch_id bigint not null); create index item_by_batch on core.item (batch_id);`,
  });

  test('validate warns that a start makes it, plan shows how, and nothing is touched', async () => {
    world = await World.create(server, project('{ table: acq.item, create: true }', 'select id from item;'));
    await waybill(world, 'migrate');
    const validated = await waybill(world, 'validate');
    expect(validated.exitCode).toBe(0);
    expect(validated.stdout + validated.stderr).toContain(
      'loads/acquisition/item.yaml:4:5: a start makes the landing table acq.item (id bigint)',
    );
    const planned = await waybill(world, 'plan', 'acquisition.item');
    expect(planned.stdout + planned.stderr).toContain('a start makes the landing table acq.item (id bigint)');
    expect(planned.stdout).toMatch(/1 chunk, about 50,?000 rows each of source from\.sql, by id/);
    expect(planned.stdout).toContain('select id from item');
    expect(planned.stdout).toContain('window: id from the beginning up to, not with, 3');
    expect(await world.exists('acq.item')).toBe(false);
    expect(await world.value('select count(*) from waybill.event')).toBe('0');
  });

  test('without `create` it is missing, for both loads', async () => {
    world = await World.create(server, project('acq.item', 'select id from item'));
    const validated = await waybill(world, 'validate');
    expect(validated.exitCode).toBe(2);
    expect(validated.stderr.match(/there is no table `acq\.item`/g)).toHaveLength(2);
  });
});

const INSERT = (columns: string, values: string): string =>
  `insert into core.orders\n  (id, ${columns}, batch_id)\nselect o.id,\n  ${values}, :batch_id\nfrom {{ acq.orders }} o`;

describe.each(someServers(import.meta.url))('names in SQL that $name does not know', (server) => {
  let world: World;
  afterEach(() => world.close());

  test.each([
    ['a column', INSERT('customer', 'o.custmer'), '4:3', 'custmer', 'customer'],
    ['a column of the output', INSERT('custmer', 'o.customer'), '2:8', 'custmer', 'customer'],
    ['a column that only the input has', INSERT('notes', 'o.note'), '2:8', 'notes', undefined],
    ['a function', INSERT('amount', 'lenght(o.customer)'), '4:3', 'lenght', 'length'],
    [
      'a table',
      `${INSERT('customer', 'o.customer')}\nwhere o.id not in (select w.id from\n  core.ordrs w)`,
      '7:3',
      'ordrs',
      'core.orders',
    ],
  ])('%s: with its place, and the nearest name that is right', async (_, sql, place, wrong, right) => {
    world = await World.create(server, ORDERS(0, { sql }));
    await world.warehouse.query('alter table acq.orders add column note varchar(20)');
    const answer = await waybill(world, 'validate', '--json');
    expect(answer.exitCode).toBe(2);
    const { error } = document(answer) as { error: { message: string; where: string } };
    expect(error.message).toContain(wrong);
    expect(/: did you mean `(.*)`\?$/.exec(error.message)?.[1]).toBe(right);
    expect(error.where).toBe(`loads/core/order.sql:${place}`);
  });
});

// No trigger of MySQL or MariaDB keeps a row from going.
describe.each(servers)('waybill validate of a table with triggers on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('warns of one that may keep rows from going', async () => {
    world = await World.create(server, ORDERS(0));
    await world.warehouse.query(`
      create function core.keep() returns trigger language plpgsql as 'begin if old.id > 7 then return null; end if; return old; end';
      create function core.slip() returns trigger language plpgsql as 'begin RETURN NEW; end';
      create function core.note() returns trigger language plpgsql as 'begin old.id = 1; return old; end';
      create trigger keep before delete on core.orders for each row execute function core.keep();
      create trigger slip before insert or delete on core.orders for each row execute function core.slip();
      create trigger note before delete on core.orders for each row execute function core.note();
      create trigger later after delete on core.orders for each row execute function core.keep()`);
    const { exitCode, stdout } = await waybill(world, 'validate');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      'loads/core/order.yaml:8:12: core.orders may keep rows when they are deleted (trigger keep on core.orders, trigger slip on core.orders): ' +
        'a batch that has to be taken back would wait until somebody changes that',
    );
  });
});
