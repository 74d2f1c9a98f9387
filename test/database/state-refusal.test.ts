/** Which rows one state of a source holds (`Dialect.stateRefusal`), by the kinds of objects that its server has. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/dialect.ts';
import type { RowSource } from '../../src/database/row-source.ts';
import { reading } from '../../src/database/transaction.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../mysql-servers.ts';
import { freshDatabase, servers } from '../servers.ts';
import { openLedger } from './ledger-on.ts';

async function make(database: Database, statements: string[]): Promise<void> {
  for (const text of statements) await database.query({ strings: [text], values: [] });
}

const refusal = async (database: Database, rows: RowSource): Promise<string | undefined> =>
  (await reading(database, 'waybill read test', (session) => database.dialect.stateRefusal(session, rows)))?.reason;

const query = (text: string): RowSource => ({ query: text });

describe.each(servers)('one state of $name', (server) => {
  let database: Database;
  beforeAll(async () => {
    database = openLedger((await freshDatabase(server)).url, 'waybill');
    await make(database, [
      'create extension postgres_fdw',
      'create extension dblink',
      `create server away foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1')`,
      'create user mapping for current_user server away',
      'create table item (id bigint primary key)',
      'create table parted (id bigint) partition by list (id)',
      'create table parted_1 partition of parted for values in (1)',
      'create foreign table parted_2 partition of parted for values in (2) server away',
      'create foreign table away (id bigint) server away',
      'create table parent (id bigint)',
      'create foreign table child () inherits (parent) server away',
      'create view plain as select id from item',
      'create view over as select i.id from item i where exists (select from away a where a.id = i.id)',
      'create view above as with o as (select * from over) select * from o',
      "create view linked as select * from dblink('port=1', 'select 1') d (id bigint)",
      'create materialized view kept as select id from item',
      'create sequence numbers',
    ]);
  });
  afterAll(() => database.close());

  test.each<[string, RowSource]>([
    ['a table', 'item'],
    ['a view', 'plain'],
    ['a materialized view', 'kept'],
    ['a partitioned table without what is foreign', query('select * from parted where id = 1')],
    ['a query', query('select i.id from item i join plain using (id) -- of two')],
  ])('has %s', async (_, rows) => {
    expect(await refusal(database, rows)).toBe(undefined);
  });

  test.each<[string, RowSource, string]>([
    ['foreign table', 'away', 'away is a foreign table'],
    ['partition that is foreign', 'parted', 'parted_2 is a foreign table'],
    ['child that is foreign', 'parent', 'child is a foreign table'],
    ['foreign table below a view', 'above', 'away is a foreign table'],
    [
      'foreign table that is read elsewhere',
      query('select count(*) as id from away'),
      'foreign tables (Aggregate on (',
    ],
    ['foreign table in a query', query('select id from item where id in (select id from away)'), 'away is a foreign'],
    ['sequence', 'numbers', 'numbers is a sequence'],
    ['function of dblink', 'linked', 'dblink goes elsewhere'],
  ])('has no %s', async (_, rows, reason) => {
    expect(await refusal(database, rows)).toContain(reason);
  });
});

describeOn(await mysqlServers(), 'one state of $name', (server) => {
  let database: Database;
  let limited: Database;
  let schema: string;
  const mariadb = server.flavour === 'MariaDB';

  beforeAll(async () => {
    const fresh = await freshMysqlDatabase(server);
    schema = fresh.name;
    database = openLedger(fresh.url, `${schema}_waybill`);
    await make(database, [
      'create table item (id bigint primary key)',
      'create table parted (id bigint primary key) partition by hash (id) partitions 2',
      'create table kept (id bigint) engine = MyISAM',
      'create table memory (id bigint) engine = MEMORY',
      'create table csv (id bigint not null) engine = CSV',
      ...(mariadb
        ? [
            'create table aria (id bigint) engine = Aria',
            'create table kept_parts (id bigint) engine = MyISAM partition by hash (id) partitions 2',
            'create table versioned (id bigint) with system versioning',
            'create sequence numbers',
            'create view counted as select seq as id from seq_1_to_3 join item on id = seq',
          ]
        : ['create table archive (id bigint) engine = ARCHIVE']),
      'create view plain as with i as (select id from item) select id from i',
      'create view outer_view as select i.id from item i where exists (select 1 from kept k where k.id = i.id)',
      'create view above as select id from (select id from plain) p union all select id from outer_view',
      'create algorithm = temptable view locked as select id from item lock in share mode',
      'insert into kept values (1)',
      `create user ${schema}@'%' identified by 'test'`,
      `grant select on ${schema}.above to ${schema}@'%'`,
      `grant select on ${schema}.item to ${schema}@'%'`,
    ]);
    const url = new URL(fresh.url);
    [url.username, url.password] = [schema, 'test'];
    limited = openLedger(url.href, `${schema}_waybill`);
  });
  afterAll(() => Promise.all([database.close(), limited.close()]));

  test.each<[string, RowSource]>([
    ['a table', 'item'],
    ['a partitioned table', 'parted'],
    ['a view', 'plain'],
    ['a query', query('select id from item join (parted, plain p) using (id) -- of three')],
    ...(mariadb
      ? [
          ['a table that keeps what was there before', 'versioned'] as [string, RowSource],
          ['a table of numbers below a view', 'counted'] as [string, RowSource],
        ]
      : [['a view that was told to lock', 'locked'] as [string, RowSource]]),
  ])('has %s', async (_, rows) => {
    expect(await refusal(database, rows)).toBe(undefined);
  });

  test.each<[string, RowSource, string]>([
    ['table of MyISAM', 'kept', 'kept is a table of MyISAM'],
    ['table of MEMORY', 'memory', 'memory is a table of MEMORY'],
    ['table of CSV', 'csv', 'csv is a table of CSV'],
    ...((mariadb
      ? [
          ['table of Aria', 'aria', 'aria is a table of Aria'],
          ['partitioned table of MyISAM', 'kept_parts', 'kept_parts is a table of MyISAM'],
          ['sequence', 'numbers', 'numbers is a sequence'],
          ['view that locks', 'locked', 'locked locks the rows'],
        ]
      : [['table of ARCHIVE', 'archive', 'archive is a table of ARCHIVE']]) as [string, RowSource, string][]),
    ['table of a system schema', 'information_schema.tables', 'is a system view'],
    ['MyISAM below a view', 'above', 'kept is a table of MyISAM'],
    ['MyISAM in a query', query('select id from item where id in (select k.id from kept k)'), 'kept is a table'],
    [
      'MyISAM that a query calls as it is called',
      query('with kept as (select * from kept) select * from kept'),
      'kept is',
    ],
    ['rows that a query locks', query('select id from item lock in share mode'), 'from.sql locks'],
  ])('has no %s', async (_, rows, reason) => {
    expect(await refusal(database, rows)).toContain(reason);
  });

  test('cannot be told to have what a view reads, by an account that may not see it', async () => {
    expect(await refusal(limited, 'item')).toBe(undefined);
    expect(await refusal(limited, 'above')).toBe(
      'this account may not see which tables view above reads, and only those of InnoDB keep what was there when a transaction began',
    );
    await make(database, [`grant show view on ${schema}.above to ${schema}@'%'`]);
    expect(await refusal(limited, 'above')).toMatch(/may not see which tables view .*(above|plain)/);
  });
});
