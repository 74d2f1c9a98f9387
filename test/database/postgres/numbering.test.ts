/** Which sequences may number a cursor (`Dialect.numberingsOf`), below whatever its rows are read from. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/database/dialect.ts';
import type { RowSource } from '../../../src/database/row-source.ts';
import { reading } from '../../../src/database/transaction.ts';
import { freshDatabase, servers } from '../../servers.ts';
import { openLedger } from '../ledger-on.ts';

const ID: Record<string, string> = {
  'a view': 'select i.n as id, i.kind from (select id as n, kind from item) i',
  'a union': 'select id, kind from item union all select id, kind from item where kind > 1',
  'another order': 'select kind, id from item order by kind limit 5',
  'partitions, sorted': 'select id, kind from part order by kind limit 10',
  'a group': 'select id, max(kind) as kind from item group by id offset 0',
  'a window': 'select id, lag(kind) over (order by id) as kind from item offset 0',
  DISTINCT: 'select distinct kind, id from item',
  OFFSET: 'select kind, id from item offset 0',
  'a union without doubles': 'select kind, id from old union select kind, id from item',
  intersection: 'select kind, id from item intersect select kind, id from old',
  'a set-returning function': 'select id, generate_series(1, kind) as kind from item',
};
/** The cursor is made of it, or may be: of a subquery below the uppermost the plan says no names. */
const MAYBE: Record<string, string> = {
  'an expression': 'select coalesce(id, 0) as id from item',
  'a cast': 'select id::numeric as id from item',
  'a scalar subquery': 'select (select max(id) from item) as id, kind from old',
  'a materialized CTE': 'with i as materialized (select kind, id from item) select i.id, i.kind from i',
  'a recursion': `with recursive i as (select id, kind from old union all
                  select item.id, item.kind from item join i on i.id = item.kind) select * from i`,
  'DISTINCT below DISTINCT': 'select distinct id, kind from (select distinct kind, id from item) i',
  'DISTINCT below a join':
    'select i.id, o.kind from (select distinct kind, id from item) i join old o on o.id = i.kind',
};

describe.each(servers)('the numbers of a cursor on $name', (server) => {
  let database: Database;
  beforeAll(async () => {
    database = openLedger((await freshDatabase(server)).url, 'waybill');
    const id = `bigint default nextval('numbers')`;
    for (const text of [
      'create sequence numbers cache 20',
      'create sequence others cache 20',
      `create table item (id ${id}, kind int default nextval('others'))`,
      'create table old (id bigint, kind int)',
      `create table part (id ${id}, kind int default nextval('others')) partition by range (id)`,
      'create table part_1 partition of part for values from (0) to (10)',
      'create table part_2 partition of part default',
      'insert into item select g, g from generate_series(1, 100) g',
      'analyze item',
      `create view "Behind a barrier" with (security_barrier) as select kind, id as "Nr", "kind" as id from item`,
    ]) {
      await database.query({ strings: [text], values: [] });
    }
  });
  afterAll(() => database.close());

  const found = (rows: RowSource, name = 'id') =>
    reading(database, 'waybill read test', async (session) => {
      const column = { name, type: 'bigint', castType: 'int8', nullable: true, hasDefault: false };
      const all = await database.dialect.numberingsOf(session, rows, column as never);
      return all.map(({ column: of, certain }) => `${of}${certain ? '' : '?'}`);
    });
  const view = async (text: string): Promise<string> => {
    await database.query({ strings: ['drop view if exists v'], values: [] });
    await database.query({ strings: [`create view v as ${text}`], values: [] });
    return 'public.v';
  };

  test.each(Object.entries(ID))('are those of the column, below %s', async (_, text) => {
    // A partition has a default of its own.
    const parts = ['public.part.id', 'public.part_1.id', 'public.part_2.id'];
    const expected = text.includes('part') ? parts : ['public.item.id'];
    expect(await found({ query: text })).toEqual(expected);
    expect(await found(await view(text))).toEqual(expected);
  });

  test.each(Object.entries(MAYBE))('may be those of the column, below %s', async (_, text) => {
    for (const rows of [{ query: text }, await view(text)]) {
      const all = await found(rows);
      expect(all).toContainEqual(expect.stringMatching(/^public\.item\.id/));
    }
  });

  test('are those of another column where the view says so', async () => {
    expect(await found('public."Behind a barrier"')).toEqual(['public.item.kind']);
    expect(await found('public."Behind a barrier"', 'Nr')).toEqual(['public.item.id']);
  });

  test('are no others, where the server says of which columns it is not made', async () => {
    const others = 'select distinct o.id, i.kind from old o join item i on i.id = o.id';
    for (const text of [
      others,
      'select 1 as id, kind from item offset 0',
      `select length('item.id') as id from item`,
    ]) {
      expect(await found({ query: text }), text).toEqual([]);
      expect(await found(await view(text)), text).toEqual([]);
    }
  });
});
