/**
 * A MySQL or MariaDB that takes capitals in names of tables for small letters (lower_case_table_names = 1, as on Windows, and on many
 * servers in the cloud), and a project that writes them. On the others they count.
 */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { oneOfEachFamily } from '../every-server.ts';
import { sql } from '../../src/database/sql.ts';
import { openLedger } from '../database/ledger-on.ts';
import { describeOn, ownServers } from '../mysql-servers.ts';
import { expectSameRows } from './items.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import { World } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const FILES: Record<string, string> = {
  'loads/acquisition/item.yaml': `
kind: acquisition
connection: warehouse
from: { connection: source, table: Item, cursor: id }
to: { table: Acq.Item, create: true }`,
  'loads/core/item.yaml': `
kind: core
connection: warehouse
inputs: [ Acq.Item ]
reads: [ Core.Settings ]
stages:
  - name: items
    chunk: { input: Acq.Item, rows: 30 }
    sql: |
      insert into Core.Items (id, name, batch_id)
      select i.id, i.name, :batch_id from {{ Acq.Item }} i cross join {{ Core.Settings }} s
outputs: [ Core.Items ]
checks: [ { name: nothing is broken, sql: "select sum(s.Broken) from {{ Core.Settings }} s", expect: 0 } ]`,
  'loads/services/item.yaml': `
kind: services
connection: warehouse
consumes: [ core.item ]
stages: [ { name: count, sql: "insert into Core.Counts select count(*), :batch_id from {{ Core.Items }} i" } ]
outputs: [ Core.Counts ]`,
};

const ofMysql = oneOfEachFamily(import.meta.url).filter(({ name }) => !name.startsWith('PostgreSQL'));

/** The project with capitals, and its tables as this statement makes them. */
async function capitals(server: Parameters<typeof World.create>[0], warehouse: string): Promise<World> {
  const world = await World.create(server, {
    files: {},
    source: 'create table item (id bigint auto_increment primary key, name varchar(20))',
    warehouse,
  });
  for (const [path, text] of Object.entries(FILES)) await world.write(path, text);
  return world;
}

const TABLES = `
  create schema Acq; create schema Core;
  create table Core.Items (id bigint, name varchar(20), batch_id bigint not null, key (batch_id));
  create table Core.Counts (n bigint, batch_id bigint not null, key (batch_id));
  create table Core.Settings (Broken int, batch_id bigint);
  insert into Core.Settings values (1, null)`;

const own = (await ownServers()).map(({ name }) => name);
const canFold = ofMysql.filter(({ name }) => own.includes(name));

describeOn(canFold, 'capitals in names on a $name that folds them', (like) => {
  let server: OwnServer;
  let world: World;
  beforeAll(async () => {
    server = await startOwnServer(like, { 'lower-case-table-names': '1' });
  }, 240_000);
  afterAll(() => server.remove());
  afterEach(() => world.close());

  const stored = async (): Promise<string[]> =>
    (
      await world.rows<{ t: string }>(`
        select concat(table_schema, '.', table_name) as t from information_schema.tables
        where left(table_schema, 10) = left(database(), 10) and table_schema not like '%waybill' order by 1`)
    ).map(({ t }) => t);

  test('are one name: acquisition, snapshot, roll back, redo, services, adoption', async () => {
    world = await capitals(server, TABLES);
    await world.worker();
    const arrive = (from: number) =>
      world.source.query(
        `insert into item (name) select concat('item ', g) from generate_series(${from}, ${from + 99}) g`,
      );
    await arrive(1);
    expect(await world.run('acquisition.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    const failed = await world.run('core.item');
    expect(!failed.ok && failed.message).toMatch(/nothing is broken/);
    expect(await stored()).toEqual(['acq.item', 'acq.item_processing', 'core.counts', 'core.items', 'core.settings']);
    expect(await world.value('select count(*) from Core.Items')).toBe('0');

    await arrive(101);
    expect(await world.run('acquisition.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await world.warehouse.query('update Core.Settings set Broken = 0');
    expect(await world.run('core.item')).toMatchObject({ ok: true, result: { rowsWritten: 100, chunks: 4 } });
    expect(await world.run('core.item')).toMatchObject({ ok: true, result: { rowsWritten: 100, chunks: 4 } });
    await expectSameRows(world, 'select id, name from item', 'select id, name from Core.Items');
    expect(await world.run('services.item')).toMatchObject({ ok: true, result: { status: 'finished' } });
    expect(await world.rows('select n from Core.Counts')).toEqual([{ n: '200' }]);
    expect((await stored()).filter((name) => name.includes('processing'))).toEqual([]);

    await arrive(201);
    expect(await world.run('acquisition.item')).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await world.warehouse.query(
      'rename table Acq.Item to Acq.Item_Processing; create table Acq.Item like Acq.Item_Processing',
    );
    const refused = await world.run('core.item');
    expect(!refused.ok && refused.message).toMatch(/Item_processing exists, but no batch of core\.item made it$/);
    expect(await world.run({ load: 'core.item', adopt: true })).toMatchObject({
      ok: true,
      result: { rowsWritten: 100 },
    });
    await expectSameRows(world, 'select id, name from item', 'select id, name from Core.Items');
    expect((await stored()).filter((name) => name.includes('processing'))).toEqual([]);
  });

  test('hide no TRUNCATE', async () => {
    world = await capitals(server, TABLES);
    const database = openLedger(world.env['WAREHOUSE_URL']!, 'waybill');
    try {
      const { dialect } = database;
      const table = world.names.into('Core.Items');
      const known = (await dialect.outputIdentity(database, table))!;
      const isStill = async (): Promise<unknown> =>
        (await database.query<{ yes: boolean }>(sql`select ${dialect.isOutput(table, known)} as yes`)).rows[0]!.yes;
      expect(await isStill()).toBe(true);
      await world.warehouse.query('truncate Core.Items');
      expect(await isStill()).toBe(false);
      expect(dialect.isSameOutput((await dialect.outputIdentity(database, table))!, known)).toBe(false);
    } finally {
      await database.close();
    }
  });

  test('validate finds every table, and the nearest name of one that is not there', async () => {
    world = await capitals(server, TABLES);
    const right = await waybill(world, 'validate', '--json');
    expect(right, right.stdout + right.stderr).toMatchObject({ exitCode: 0 });
    const wrongly = FILES['loads/services/item.yaml']!.replaceAll('Core.Counts', 'Core.Count');
    await world.write('loads/services/item.yaml', wrongly);
    const wrong = await waybill(world, 'validate', '--json');
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stdout).toMatch(/there is no table `\w+Core\.Count` in `warehouse`: did you mean `core\.counts`\?/);
  });
});

describeOn(ofMysql, 'capitals in names on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('count, and validate says which name was probably meant', async () => {
    world = await capitals(server, TABLES.replaceAll('Core.Items', 'Core.items'));
    const wrong = await waybill(world, 'validate', '--json');
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stdout).toMatch(/there is no table `\w+Core\.Items` in `warehouse`: did you mean `\w+Core\.items`\?/);
  });
});
