import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../../src/database/dialect.ts';
import { looking } from '../../../src/database/transaction.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';
import { openLedger } from '../ledger-on.ts';

describeOn(await mysqlServers(), 'tables on $name', (server) => {
  let database: Database;
  let schema: string;

  beforeAll(async () => {
    const fresh = await freshMysqlDatabase(server);
    schema = fresh.name;
    database = openLedger(fresh.url, `${schema}_waybill`);
    for (const text of [
      `create table flight (
         id bigint unsigned not null auto_increment, day date not null default '2024-01-01', note varchar(20) null,
         delay int null default null, price decimal(12,4) not null, late boolean as (delay > 15) stored,
         at timestamp(3) not null default current_timestamp(3),
         primary key (id), unique key by_day (day, note), key by_note (note(5)), key by_price (price))`,
      'create table `Flight` (other int)',
      'create view late_flight as select id from flight',
      'create table kept (a int) engine = MyISAM',
      'create table `two words` (a int)',
      'create view kept_late as select k.a as number from flight f join kept k on k.a = f.id',
      'create view above as select * from kept_late',
      'insert into kept values (1)',
    ]) {
      await database.query({ strings: [text], values: [] });
    }
  });
  afterAll(() => database.close());
  const describeTable = (table: string) => database.dialect.describeTable(database, table);

  test('that no roll back empties are found, below views too, and by a column that only they have', async () => {
    const found = async (table: string, ifHas?: string) =>
      (await database.dialect.neverRolledBack!(database, table, ifHas))?.table;
    expect(await database.dialect.neverRolledBack!(database, 'kept')).toEqual({ table: 'kept', engine: 'MyISAM' });
    expect(await found(`${schema}.kept`, 'A')).toBe(`${schema}.kept`);
    for (const view of ['kept_late', 'above']) expect(await found(view)).toBe(`${schema}.kept`);
    expect(await found('kept', 'b')).toBeUndefined();
    for (const table of ['flight', 'late_flight', 'nowhere']) expect(await found(table)).toBeUndefined();
  });

  test.each(['flight', 'qualified'])('are described with columns and indexes: %s', async (form) => {
    const facts = await describeTable(form === 'qualified' ? `${schema}.flight` : form);
    expect(facts!.kind).toBe('table');
    const column = (name: string) => facts!.columns.find((one) => one.name === name);
    expect(facts!.columns.map(({ name }) => name)).toEqual(['id', 'day', 'note', 'delay', 'price', 'late', 'at']);
    expect(column('id')).toMatchObject({
      nullable: false,
      hasDefault: true,
      generated: false,
      castType: 'decimal(20,0)',
    });
    expect(column('day')).toMatchObject({ nullable: false, hasDefault: true, castType: 'date' });
    expect(column('note')).toMatchObject({ nullable: true, hasDefault: false, type: 'varchar(20)', castType: '' });
    expect(column('delay')).toMatchObject({ nullable: true, hasDefault: false, castType: 'signed' });
    expect(column('price')).toMatchObject({ hasDefault: false, type: 'decimal(12,4)', castType: 'decimal(12,4)' });
    expect(column('late')).toMatchObject({ generated: true });
    expect(column('at')).toMatchObject({ hasDefault: true, castType: 'datetime(6)' });
    // by_note holds the beginnings of texts only
    expect(facts!.indexes).toHaveLength(3);
    expect(facts!.indexes).toEqual(
      expect.arrayContaining([
        { name: 'PRIMARY', columns: ['id'], unique: true, primary: true },
        { name: 'by_day', columns: ['day', 'note'], unique: true, primary: false },
        { name: 'by_price', columns: ['price'], unique: false, primary: false },
      ]),
    );
  });

  test('are told apart by case, where the server does so', async () => {
    expect((await describeTable('Flight'))!.columns.map(({ name }) => name)).toEqual(['other']);
    expect(await describeTable('FLIGHT')).toBe(undefined);
    expect(await describeTable('nowhere.flight')).toBe(undefined);
  });

  test('say what they are, where it is no table that can be rolled back', async () => {
    expect((await describeTable('late_flight'))!.kind).toBe('view');
    expect((await describeTable('kept'))!.kind).toBe('MyISAM table');
  });

  test('are listed as people write them, and asked for rows', async () => {
    const ours = (await database.dialect.listTables(database)).filter((name) => name.startsWith(`${schema}.`));
    expect(ours.map((name) => name.slice(schema.length + 1)).sort()).toEqual(
      ['Flight', '`two words`', 'above', 'flight', 'kept', 'kept_late', 'late_flight'].sort(),
    );
    const hasRows = (table: string): Promise<boolean> =>
      looking(database, 'waybill read', (session) => database.dialect.hasRows(session, table));
    expect(await hasRows('kept')).toBe(true);
    expect(await hasRows(`${schema}.flight`)).toBe(false);
  });
});
