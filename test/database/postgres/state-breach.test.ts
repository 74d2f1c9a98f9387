/** What takes rows from a state that is held, or gives it others, without an error of the server (`Dialect.stateBreach`). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/database/dialect.ts';
import { withSession } from '../../../src/database/transaction.ts';
import { freshDatabase, servers } from '../../servers.ts';
import { openLedger } from '../ledger-on.ts';

describe.each(servers)('a state that is held on $name', (server) => {
  let database: Database;
  const run = async (text: string): Promise<unknown[]> => (await database.query({ strings: [text], values: [] })).rows;

  beforeAll(async () => {
    database = openLedger((await freshDatabase(server)).url, 'waybill');
  });
  afterAll(() => database.close());

  /** What is said of each look, between which each statement is run. */
  async function breaches(make: string[], read: string, changes: string[]): Promise<(string | undefined)[]> {
    for (const text of ['drop schema if exists s cascade', 'create schema s', ...make]) await run(text);
    const { dialect } = database;
    return withSession(database, 'holds', async (holder) => {
      const name = (await dialect.holdState(holder))!;
      const look = (): Promise<string | undefined> =>
        withSession(database, 'reads', async (session) => {
          expect(await dialect.joinState(session, name)).toBe(true);
          await session.query({ strings: [read], values: [] });
          const breach = await dialect.stateBreach(database, session);
          await session.commit();
          return breach;
        });
      const found = [await look()];
      for (const text of changes) {
        await run(text);
        found.push(await look());
      }
      await holder.rollback();
      return found;
    });
  }

  const ITEM = ['create table s.item (id bigint primary key, v int)', 'insert into s.item values (1, 1), (2, 2)'];
  const PARTS = [
    'create table s.item (id bigint primary key, v int) partition by list (id)',
    'create table s.item_1 partition of s.item for values in (1)',
    'create table s.item_2 partition of s.item for values in (2)',
    'insert into s.item values (1, 1), (2, 2)',
    'create table s.item_3 (id bigint primary key, v int)',
    'insert into s.item_3 values (3, 3)',
  ];
  const ALL = 'select * from s.item';
  const emptied = 's.item was truncated, or its rows were rewritten';

  test.each<[string, string[], string, string[], string]>([
    ['TRUNCATE', ITEM, ALL, ['truncate s.item'], emptied],
    [
      'TRUNCATE below a view',
      [...ITEM, 'create view s.above as select id from s.item'],
      'select * from s.above',
      ['truncate s.item'],
      emptied,
    ],
    [
      'TRUNCATE below a function',
      [...ITEM, "create function s.count() returns bigint stable language sql as 'select count(*) from s.item'"],
      'select s.count()',
      ['truncate s.item'],
      emptied,
    ],
    [
      'TRUNCATE of a partition',
      PARTS,
      ALL,
      ['truncate s.item_2'],
      's.item_2 was truncated, or its rows were rewritten',
    ],
    [
      'an ALTER TABLE that rewrites',
      ITEM,
      ALL,
      ['alter table s.item add w double precision default random()'],
      emptied,
    ],
    ['VACUUM FULL, though no row goes', ITEM, ALL, ['vacuum full s.item'], emptied],
    [
      'REFRESH',
      [...ITEM, 'create materialized view s.kept as select id from s.item'],
      'select * from s.kept',
      ['refresh materialized view s.kept'],
      's.kept was truncated, or its rows were rewritten',
    ],
    [
      'a table of the same name',
      ITEM,
      ALL,
      ['drop table s.item; create table s.item (id bigint)'],
      's.item was made anew',
    ],
    [
      'another view',
      [...ITEM, 'create view s.above as select id from s.item'],
      'select * from s.above',
      ['create or replace view s.above as select id from s.item where id > 1'],
      's.above was replaced by another view',
    ],
    [
      'DETACH PARTITION',
      PARTS,
      ALL,
      ['alter table s.item detach partition s.item_2'],
      's.item lost a partition or a child',
    ],
    [
      'ATTACH PARTITION',
      PARTS,
      ALL,
      ['alter table s.item attach partition s.item_3 for values in (3)'],
      's.item_3 became a partition or a child, or is none any more',
    ],
  ])('%s is noticed', async (_, make, read, changes, breach) => {
    expect(await breaches(make, read, changes)).toEqual([undefined, breach]);
  });

  test('what changes rows, indexes and statistics is none, nor a new partition', async () => {
    const changes = [
      'delete from s.item where id = 1',
      'insert into s.item select id + 10, v from s.item_3 where false',
      'vacuum analyze s.item',
      'create index by_v on s.item (v)',
      'reindex table s.item_2',
      'create table s.item_4 partition of s.item for values in (4)',
      'alter table s.item add w int',
    ];
    expect(await breaches(PARTS, ALL, changes)).toEqual([undefined, ...changes.map(() => undefined)]);
  });
});
