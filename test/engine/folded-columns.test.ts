/** MySQL and MariaDB take names of columns that differ by capitals only for one, whatever is set there. On PostgreSQL they are two. */
import { afterEach, expect, test, vi } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { servers } from '../servers.ts';
import { brought, fileWorld, item, LOAD, put } from './csv-files.ts';
import { expectAcquired, ITEM, itemFile, ITEMS, PLAIN_SOURCE, COLUMNS } from './items.ts';
import { expectWhole, ORDERS } from './orders.ts';
import { World } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

const FILE = 'loads/acquisition/item.yaml';

describeOn(await mysqlServers(), 'capitals in names of columns on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  const notes = (): Promise<unknown> =>
    world.rows(`select what, reason from waybill.event
      where what in ('landing_created', 'columns_added', 'columns_ignored', 'columns_empty') order by event_id`);

  test.each(['ignore', 'add', 'add, on_invalid: { amount: null }'])(
    'a column of the source that is renamed by them fills its landing column as before (on_new_columns: %s)',
    async (rule) => {
      const to = `to: { table: acq.item, on_new_columns: ${rule} }`;
      const files = { [FILE]: itemFile({}).replace('to: { table: acq.item }', to) };
      world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(30), columns: COLUMNS, files }));
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 30 } });
      for (const [column, renamed] of [
        ['amount', 'Amount'],
        ['id', 'ID'],
      ]) {
        await world.source.query(`alter table item rename column ${column} to ${renamed}`);
        await world.source.query(`insert into item (name, amount) values ('new', 4.5)`);
        expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
        await expectAcquired(world);
      }
      expect(await notes()).toEqual([]);
      const { stdout, exitCode } = await waybill(world, 'validate', '--json');
      expect(exitCode, stdout).toBe(0);
    },
  );

  test('a header of a file may have others than the landing table, and names no column twice', async () => {
    const to = 'table: acq.item, on_new_columns: ignore';
    world = await fileWorld(server, { 'data/a.csv': 'ID,Name,AMOUNT\n1,one,1.50\n' }, item(undefined, to));
    expect(await world.run(LOAD)).toMatchObject(brought(1, 1));
    expect(await world.rows('select id, name, amount from acq.item')).toEqual([
      { id: '1', name: 'one', amount: '1.50' },
    ]);
    const refused = async (header: string): Promise<string> => {
      await put(world, { 'data/b.csv': `${header}\n2,two\n` });
      const end = await world.run(LOAD);
      return end.ok ? '' : end.message;
    };
    expect(await refused('id,ID')).toBe('data/b.csv:1: the header names id and ID, which are one column');
    expect(await refused('id,BATCH_ID')).toBe(
      'data/b.csv:1: the header names BATCH_ID, which the landing table keeps for itself',
    );
    expect(await notes()).toEqual([]);
    // A table is made of each column once, however the files write it.
    await put(world, { 'data/b.csv': 'id,NAME,colour\n2,two,red\n' });
    await world.write(FILE, item(undefined, 'table: acq.note, create: true, on_new_columns: add'));
    world.names.into('create table acq.note (id bigint)');
    expect(await world.run({ load: LOAD, full: true })).toMatchObject(brought(2, 2));
    expect(await world.rows('select id, name, amount, colour from acq.note order by id')).toEqual([
      { id: '1', name: 'one', amount: '1.50', colour: null },
      { id: '2', name: 'two', amount: null, colour: 'red' },
    ]);
  });

  test('an output has its BATCH_ID, by which a batch is taken back; a key may be written with them', async () => {
    const checks = 'checks: [ { name: no, sql: select ok from core.switch, expect: 1 } ]';
    const orders = ORDERS(300, { byKey: true, yaml: checks });
    const files = { ...orders.files };
    files['loads/core/order.yaml'] = files['loads/core/order.yaml']!.replace('key: id', 'key: ID');
    const warehouse = `${orders.warehouse as string} create table core.switch (ok int); insert into core.switch values (0);`;
    world = await World.create(server, { ...orders, files, warehouse });
    await world.warehouse.query('alter table core.orders rename column batch_id to BATCH_ID');
    await world.worker();
    const { stdout, exitCode } = await waybill(world, 'validate', '--json');
    expect(exitCode, stdout).toBe(0);
    expect(stdout).not.toMatch(/begins with `batch_id`/);
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(!failed.ok && failed.message).not.toMatch(/roll back/);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.states('core.order')).toEqual(['failed']);
    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectWhole(world);
  });

  test('of a source that tells them apart are refused: one of the two would be lost', async () => {
    const [postgres] = servers;
    const create = itemFile({}).replace('acq.item }', 'acq.item, create: true }');
    const source = 'create table item (id bigint primary key, a int, "A" int)';
    world = await World.create(server, { files: { [FILE]: create }, source, warehouse: 'create schema acq' }, postgres);
    await world.worker();
    world.names.into('create table acq.item (id bigint)');
    const refused = async (): Promise<string> => {
      const end = await world.run(ITEM);
      return end.ok ? '' : end.message;
    };
    expect(await refused()).toMatch(
      /^acq\.item cannot be given the columns of (?:public\.)?item: the source has columns a and A, which are one to (?:MySQL|MariaDB)$/,
    );
    await world.warehouse.query(`create table acq.item (id bigint, a int, batch_id bigint not null,
      ngdw_id bigint generated by default as identity primary key)`);
    expect(await refused()).toMatch(/^(?:public\.)?item does not fit acq\.item: the source has columns a and A, which/);
  });
});
