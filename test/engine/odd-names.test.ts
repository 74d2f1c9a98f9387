/** Names that must be quoted, from the files of a project to the snapshot and the roll back. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { exists } from './breakable-orders.ts';
import { expectSame, World } from './orders.ts';

vi.setConfig({ testTimeout: 180_000 });

describe.each(oneOf(servers, import.meta.url))('tables on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('with names that need quotes work from end to end: failure, roll back, redo', async () => {
    world = await World.create(server, {
      files: {
        'loads/core/odd.yaml': `
kind: core
connection: warehouse
inputs: [ { table: '"Acq Daily"."Orders; Land"', external: true }, { table: 'acq."Order"', external: true }, { table: acq.select, external: true } ]
stages:
  - name: orders
    chunk: { input: '"Acq Daily"."Orders; Land"', rows: 50, key: "Order Id" }
    sql: |
      insert into "Core"."Done.Orders" ("Order Id", "per cent %", batch_id)
      select o."Order Id", 100 / s."of", :batch_id from {{ "Acq Daily"."Orders; Land" }} o, core.switch s
  - name: others
    chunk: { input: 'acq."Order"', rows: 10 }
    sql: insert into "Core"."Done.Orders" ("Order Id", batch_id) select -o.id, :batch_id from {{ acq."Order" }} o
  - name: reserved
    sql: insert into "Core"."Done.Orders" ("Order Id", batch_id) select 1000 + s.id, :batch_id from {{ acq.select }} s
outputs: [ '"Core"."Done.Orders"' ]
`,
      },
      warehouse: `
        create schema "Acq Daily"; create schema acq; create schema "Core"; create schema core;
        create table core.switch ("of" int); insert into core.switch values (0);
        create table "Acq Daily"."Orders; Land" ("Order Id" bigserial primary key, "Who's" text);
        insert into "Acq Daily"."Orders; Land" ("Who's") select 'x' from generate_series(1, 200);
        create table acq."Order" (id int); insert into acq."Order" select generate_series(1, 30);
        create table acq.select (id int); insert into acq.select values (1), (2);
        create table "Core"."Done.Orders" ("Order Id" bigint, "per cent %" int, batch_id bigint);`,
    });
    await world.worker();
    expect(await world.run('core.odd')).toMatchObject({ ok: false, type: 'Database' });
    expect(await exists(world, '"Acq Daily"."Orders; Land_processing"')).toBe(true);
    expect(await exists(world, 'acq."Order_processing"')).toBe(true);
    expect(await exists(world, 'acq.select_processing')).toBe(true);
    await world.warehouse.query('update core.switch set "of" = 2');
    expect(await world.run('core.odd')).toMatchObject({ ok: true, result: { rowsWritten: 232 } });
    expect(
      await world.rows(`
        with expected as (select g::bigint, 50, 2::bigint from generate_series(1, 200) g
                          union all select -g, null, 2 from generate_series(1, 30) g
                          union all values (1001, null::int, 2), (1002, null, 2)),
             found as (table "Core"."Done.Orders")
        (table expected except all table found) union all (table found except all table expected)`),
    ).toEqual([]);
    expect(await world.value(`select count(*) from pg_class where relname like '%processing%'`)).toBe('0');
  });

  test('may be called what every object of JavaScript has, and so may loads and parameters', async () => {
    world = await World.create(server, {
      files: {
        'loads/constructor.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.result, external: true } ]
stages: [ { name: results, sql: "insert into core.result (id, batch_id) select r.id, :batch_id from {{ acq.result }} r" } ]
outputs: [ core.result ]
`,
        'loads/total.yaml': `
kind: services
connection: warehouse
consumes: [ constructor ]
reads: [ constructor ]
params: { constructor: 7 }
stages:
  - name: total
    sql: |
      insert into core.total (n, param, batch_id)
      select count(*), :params.constructor, :batch_id from {{ core.result }} r cross join {{ constructor }} c
outputs: [ core.total ]
`,
      },
      warehouse: `
        create schema acq; create schema core;
        create table acq.result (id bigint); insert into acq.result select generate_series(1, 5);
        create table core.result (id bigint, batch_id bigint);
        create table core.total (n bigint, param int, batch_id bigint);
        create table constructor (id int); insert into constructor values (1), (2);`,
    });
    await world.worker();
    expect(await world.run('toString')).toMatchObject({ ok: false, message: 'there is no load toString' });
    expect(await world.run('constructor')).toMatchObject({ ok: true, result: { rowsWritten: 5 } });
    expect(await world.run('total')).toMatchObject({ ok: true });
    expect(await world.rows('select n, param from core.total')).toEqual([{ n: '10', param: 7 }]);
  });
});

describeOn(oneOf(await mysqlServers(), import.meta.url), 'tables on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('with names that need quotes work from end to end: failure, roll back, redo', async () => {
    world = await World.create(server, { files: {}, warehouse: 'create schema acq; create schema core;' });
    const acq = `${world.names.prefix}acq`;
    const [land, order, done] = [
      `${acq}.\`Orders; Land\``,
      `${acq}.\`Order\``,
      `${world.names.prefix}core.\`Done.Orders\``,
    ];
    await world.warehouse.query(`
      create table core.switch (\`of\` int); insert into core.switch values (0);
      create table ${land} (\`Order Id\` bigint auto_increment primary key, \`Who's\` text);
      insert into ${land} (\`Who's\`) select 'x' from generate_series(1, 200) g;
      create table ${order} (id int primary key); insert into ${order} select g from generate_series(1, 30) g;
      create table ${acq}.\`select\` (id int primary key); insert into ${acq}.\`select\` values (1), (2);
      create table ${done} (\`Order Id\` bigint, \`per cent %\` int, batch_id bigint)`);
    await world.write(
      'loads/core/odd.yaml',
      `
kind: core
connection: warehouse
inputs: [ { table: '${land}', external: true }, { table: '${order}', external: true }, { table: '${acq}.\`select\`', external: true } ]
stages:
  - name: orders
    chunk: { input: '${land}', rows: 50, key: Order Id }
    sql: |
      insert into ${done} (\`Order Id\`, \`per cent %\`, batch_id)
      select o.\`Order Id\`, 100 / s.\`of\`, :batch_id from {{ ${land} }} o, core.switch s
  - name: others
    chunk: { input: '${order}', rows: 10 }
    sql: insert into ${done} (\`Order Id\`, batch_id) select -o.id, :batch_id from {{ ${order} }} o
  - name: reserved
    sql: insert into ${done} (\`Order Id\`, batch_id) select 1000 + s.id, :batch_id from {{ ${acq}.\`select\` }} s
outputs: [ '${done}' ]
`,
    );
    await world.worker();
    expect(await world.run('core.odd')).toMatchObject({ ok: false, type: 'Database' });
    const snapshots = `select count(*) from information_schema.tables where table_schema = '${acq}' and table_name like '%processing'`;
    expect(await world.value(snapshots)).toBe('3');
    await world.warehouse.query('update core.switch set `of` = 2');
    expect(await world.run('core.odd')).toMatchObject({ ok: true, result: { rowsWritten: 232 } });
    await expectSame(
      world,
      `select g as id, 50 as part, 2 as batch from generate_series(1, 200) g
       union all select -g, null, 2 from generate_series(1, 30) g
       union all select 1001, null, 2 union all select 1002, null, 2`,
      `select \`Order Id\` as id, \`per cent %\` as part, batch_id as batch from ${done}`,
      ['id', 'part', 'batch'],
    );
    expect(await world.value(snapshots)).toBe('0');
  });
});
