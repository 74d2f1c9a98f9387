/** What an acquisition refuses before it opens a batch. */
import { afterEach, describe, expect, test } from 'vitest';
import { oneOfEachFamily, someServers, someWays } from '../every-server.ts';
import { servers, type TestServer } from '../servers.ts';
import { BY_ID, COLUMNS, ITEM, itemFile, ITEMS, PLAIN_SOURCE } from './items.ts';
import { wordsAt } from './server-words.ts';
import { World } from './world.ts';

let world: World;
afterEach(() => world.close());

/** A refused start, in which a table of the source has no schema on any server. */
async function refused(): Promise<{ type: string; message: string; next: string }> {
  const end = await world.run(ITEM);
  return end.ok
    ? { type: 'ok', message: JSON.stringify(end.result), next: '' }
    : { type: end.type, message: end.message.replaceAll('public.', ''), next: end.next ?? '' };
}

async function refusal(
  options: Parameters<typeof ITEMS>[0],
  into: TestServer,
  from = into,
): ReturnType<typeof refused> {
  world = await World.create(into, ITEMS(options), from);
  await world.worker();
  const refusedFor = await refused();
  expect(await world.states(ITEM)).toEqual([]);
  return refusedFor;
}

describe.each(someServers(import.meta.url))(
  'what an acquisition refuses before it opens a batch, on $name',
  { timeout: 120_000 },
  (server) => {
    test('rows without a cursor value: it says how many, and what to do', async () => {
      const source = `create table item (id bigint, name text, amount numeric(12,2));
        insert into item (id) values (1), (null), (null)`;
      expect(await refusal({ source, columns: COLUMNS }, server)).toEqual({
        type: 'Configuration',
        message: 'item on source has 2 rows whose id is NULL: no window would ever read them',
        next: 'give those rows a value (and the column NOT NULL), or leave cursor out to read the whole table each time',
      });
    });

    test('a cursor that is not there, or of a type that has no next value', async () => {
      const source = 'create table item (id bigint, name text, amount numeric(12,2)); insert into item (id) values (1)';
      const first = await refusal({ source, columns: COLUMNS, from: 'table: public.item, cursor: nam' }, server);
      expect(first).toMatchObject({ message: 'item has no column nam', next: 'did you mean name?' });
      await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item, cursor: name' }));
      expect(await refused()).toMatchObject({ message: 'item.name is text: no cursor can be kept on it' });
    });

    test('a `start` that is no value of the cursor', async () => {
      const from = `${BY_ID}, start: monday`;
      const { type, message } = await refusal({ source: PLAIN_SOURCE(1), columns: COLUMNS, from }, server);
      expect(type).toBe('Configuration');
      expect(message).toMatch(/^from\.start is monday, which is no bigint(\(20\))?$/);
    });

    test('a `lag` of a cursor of numbers, whose windows no clock ends', async () => {
      const { type, message, next } = await refusal(
        { source: PLAIN_SOURCE(1), columns: COLUMNS, from: `${BY_ID}, lag: 5s` },
        server,
      );
      expect({ type, next }).toEqual({ type: 'Configuration', next: 'leave it out' });
      expect(message).toMatch(
        /^`lag` means nothing for a cursor that is no time \(bigint(\(20\))?\): windows of numbers end behind the greatest$/,
      );
    });

    test('a landing table whose rows nothing numbers, before it is given the columns that it lacks', async () => {
      const files = {
        'loads/acquisition/item.yaml': itemFile({}).replace('acq.item }', 'acq.item, on_new_columns: add }'),
      };
      const { source, columns } = { source: PLAIN_SOURCE(1), columns: 'id bigint, name text' };
      const without = 'alter table acq.item drop column ngdw_id';
      const refusedFor = await refusal({ source, columns, files, warehouse: without }, server);
      expect(refusedFor).toMatchObject({ type: 'Refused', message: 'acq.item has no column ngdw_id' });
      expect(refusedFor.next).toMatch(/^alter table acq.item add column ngdw_id /);
      await world.warehouse.query('alter table acq.item add column ngdw_id bigint');
      expect(await refused()).toMatchObject({
        message: 'ngdw_id of acq.item has no default: nothing would number the rows',
      });
      await expect(world.warehouse.query('select amount from acq.item')).rejects.toThrow();
    });

    test('a table that is not there, on either side', async () => {
      expect(await refusal({ source: '', columns: COLUMNS }, server)).toMatchObject({
        message: 'source has no table item',
      });
      await world.source.query(PLAIN_SOURCE(1));
      await world.warehouse.query('drop table acq.item');
      expect(await refused()).toMatchObject({ message: 'warehouse has no table acq.item' });
    });
  },
);

/** An item behind a view, in a table that keeps no state of itself for a transaction. */
const UNSTEADY = {
  postgres: `create extension postgres_fdw; create server away foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
    create user mapping for current_user server away;
    create foreign table stock (id bigint, name text, amount numeric(12,2)) server away;
    create view item as select * from stock`,
  mysql: `create table stock (id bigint primary key, name text, amount numeric(12,2)) engine = MyISAM;
    insert into stock values (1, 'one', 1); create view item as select * from stock`,
};

describe.each(oneOfEachFamily(import.meta.url))('one moment, on $name', { timeout: 120_000 }, (server) => {
  test('of a source that has none: refused by its table, before the landing table is made', async () => {
    const from = 'table: public.item, range: { column: id, step: 100 }, consistent: true';
    const file = itemFile({ from }).replace('acq.item }', 'acq.made, create: true }');
    const files = { 'loads/acquisition/item.yaml': file };
    const warehouse = 'create table acq.made (id bigint); drop table acq.made';
    const options = { source: UNSTEADY, columns: COLUMNS, files, warehouse };
    const { type, message, next } = await refusal(options, server);
    expect(type).toBe('Refused');
    expect(message).toMatch(
      /^source item cannot be read as it was at one moment \(consistent\): .*\bstock is a (table of MyISAM|foreign table), and/,
    );
    expect(next).toMatch(/leave consistent out$/);
    expect(await world.exists('acq.made')).toBe(false);
  });
});

// MySQL and MariaDB have neither value.
describe(`values above every window, on ${servers[0]!.name}`, { timeout: 120_000 }, () => {
  test('a cursor that is infinity or NaN in some rows; minus infinity is in the first window', async () => {
    const source = `create table item (at timestamp not null default '2001-01-31', id numeric(12,2));
      insert into item values ('infinity', 1), ('-infinity', 2), (default, null), (default, 'NaN'), (default, 'NaN')`;
    const columns = 'at timestamp, id numeric(12,2)';
    const from = 'table: public.item, cursor: at, lag: 1s';
    expect(await refusal({ source, columns, from }, servers[0]!)).toMatchObject({
      type: 'Configuration',
      message: 'item on source has 1 row whose at is infinity or NaN: no window would ever read them',
    });
    await world.write('loads/acquisition/item.yaml', itemFile({ from: BY_ID }));
    expect(await refused()).toMatchObject({
      message: 'item on source has 3 rows whose id is NULL, infinity or NaN: no window would ever read them',
    });
    await world.source.query("delete from item where at = 'infinity'");
    await world.write('loads/acquisition/item.yaml', itemFile({ from }));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 4 } });
  });
});

/** The same table of a source, by what each family calls its types. */
const GIVEN = {
  postgres: {
    price: 'numeric(12,4)',
    at: 'timestamp with time zone',
    day: 'timestamp without time zone',
    exact: 'timestamp(6) without time zone',
    weight: 'double precision',
  },
  mysql: { price: 'decimal(12,4)', at: 'timestamp(6)', day: 'datetime', exact: 'datetime(6)', weight: 'double' },
};
/** Types of a landing table that keep less, and what they do to the values. */
const KEPT = {
  postgres: {
    price: ['numeric(12,2)', 'would be rounded to 2 decimals'],
    at: ['timestamp without time zone', 'would lose its time zone'],
    day: ['date', 'would lose its time of day'],
    exact: ['timestamp(3) without time zone', 'would be rounded to 3 digits of a second'],
    weight: ['real', 'would be rounded'],
    made: ['timestamp with time zone', 'has no time zone, and one would be guessed'],
  },
  mysql: {
    price: ['decimal(12,2)', 'would be rounded to 2 decimals'],
    at: ['time(6)', 'would lose its date'],
    day: ['date', 'would lose its time of day'],
    exact: ['datetime(3)', 'would be rounded to 3 digits of a second'],
    weight: ['float', 'would be rounded'],
    made: ['timestamp', 'has no time zone, and one would be guessed'],
  },
};

describe.each(someWays(import.meta.url))(
  'what does not fit, from $source to $target',
  { timeout: 120_000 },
  ({ from, into }) => {
    test('columns that have no place, that nothing fills, or whose values would silently change: all of them named', async () => {
      const given = { ...GIVEN[wordsAt(from.url).family], made: 'date' };
      const kept = KEPT[wordsAt(into.url).family];
      const names = Object.keys(kept) as (keyof typeof kept)[];
      const { type, message } = await refusal(
        {
          source: `create table item (id bigint, surnam text, ${names.map((name) => `${name} ${given[name]} null`).join()},
                     ngdw_id bigint, sum bigint);
                   insert into item (id) values (1);`,
          columns: `id bigint, surname text, ${names.map((name) => `${name} ${kept[name][0]} null`).join()},
                    needed text not null, sum bigint generated always as (id + 1) stored`,
        },
        into,
        from,
      );
      expect(type).toBe('Configuration');
      expect(message).toBe(
        'item does not fit acq.item: ' +
          [
            'acq.item has no column surnam (text); is it surname?',
            ...names.map((name) => {
              const [keeps, how] = kept[name] as [string, string];
              return `${name}, ${given[name]}, ${how} in acq.item, where it is ${keeps}`;
            }),
            'the source has a column ngdw_id, which the landing table keeps for itself',
            "acq.item.sum is generated: the source's value would be lost",
            'acq.item.needed is NOT NULL without a default, and the source has no such column',
          ].join('; '),
      );
    });
  },
);
