/** Values and columns on their way through an acquisition. What each type becomes between families: test/copy/values.test.ts. */
import { afterEach, describe, expect, test } from 'vitest';
import { someServers, someWays, ways } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { MARIADB, MYSQL } from '../copy/samples.ts';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { COLUMNS, expectAcquired, expectSameRows, ITEM, itemFile, ITEMS, NOTHING_NEW } from './items.ts';
import { wordsAt, type ServerWords } from './server-words.ts';
import { World } from './world.ts';

describe.each(someServers(import.meta.url))('a table without a cursor on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('reads a table without a cursor whole, each time, in chunks of its primary key, whatever its type', async () => {
    const source = `create table item (name varchar(60), id bigint, amount numeric(12,2), primary key (name, id));
      insert into item select concat('näme ''', chr(65 + g % 26), chr(92), g % 97), g, 1 from generate_series(1, 1000) g;`;
    world = await World.create(server, ITEMS({ source, columns: COLUMNS, from: 'table: public.item' }));
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1000, chunks: 10 } });
    await expectAcquired(world);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1000 } });
    await expectSameRows(world, 'select * from item', 'select name, id, amount from acq.item where batch_id = 2');
    await world.source.query('truncate item');
    expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
  });
});

describe.each(someWays(import.meta.url))('columns from $source to $target', { timeout: 120_000 }, ({ from, into }) => {
  let world: World;
  afterEach(() => world.close());

  test('what the source computes is copied; what both compute is computed; names may need quotes', async () => {
    const quoted = (url: string, ...names: string[]): string[] =>
      names.map((name) =>
        wordsAt(url).family === 'postgres' ? `"${name.replaceAll('"', '""')}"` : `\`${name.replaceAll('`', '``')}\``,
      );
    const [group, odd] = quoted(from.url, 'Group By', 'a"b');
    const [landedGroup, landedOdd] = quoted(into.url, 'Group By', 'a"b');
    // A table of MySQL has one column that numbers itself, and that is ngdw_id.
    const id = wordsAt(into.url).family === 'postgres' ? 'bigint generated always as identity' : 'bigint';
    world = await World.create(
      into,
      ITEMS({
        source: `create table item (id bigint primary key, net int, gross int generated always as (net * 2) stored,
                   twice int generated always as (net + net) stored, ${group} varchar(20), ${odd} text);
                 insert into item (id, net, ${group}, ${odd}) select g, g, concat('x', g), 'y' from generate_series(1, 250) g;`,
        columns: `id ${id}, net int, gross int, twice int generated always as (net + net) stored,
                  ${landedGroup} varchar(20), ${landedOdd} text, extra varchar(5) default 'e'`,
      }),
      from,
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 250 } });
    await expectSameRows(
      world,
      `select id, net, gross, twice, ${group}, ${odd} from item`,
      `select id, net, gross, twice, ${landedGroup}, ${landedOdd} from acq.item`,
    );
    expect(await world.rows('select distinct batch_id, extra from acq.item')).toEqual([{ batch_id: '1', extra: 'e' }]);
  });
});

/** A column of a source with a value at the edge of it, and how both families show that in the same words. */
interface Edge {
  type: string;
  value: string;
  shown?: Record<ServerWords['family'], string>;
}
const bytes = { postgres: `encode(c, 'hex')`, mysql: 'lower(hex(c))' };
const yes = { postgres: 'case when c then 1 else 0 end', mysql: 'c' };
const MOST = `${'9'.repeat(35)}.${'9'.repeat(30)}`;
const EDGES: Record<ServerWords['family'], Edge[]> = {
  postgres: [
    { type: 'smallint', value: '-32768' },
    { type: 'integer', value: '-2147483648' },
    { type: 'bigint', value: '-9223372036854775808' },
    { type: 'numeric(65,30)', value: MOST },
    { type: 'numeric', value: MOST },
    { type: 'double precision', value: '1.2345678901234567' },
    { type: 'varchar(9)', value: `'nine char'` },
    { type: 'text', value: `repeat('😀', 70000)` },
    { type: 'bytea', value: `decode(repeat('00ff5c0a', 20000), 'hex')`, shown: bytes },
    { type: 'text[]', value: `array[repeat('long', 20000)]` },
    { type: 'boolean', value: 'true', shown: yes },
    { type: 'date', value: `'9999-12-31'` },
    { type: 'time', value: `'23:59:59.999999'` },
    { type: 'timestamp', value: `'9999-12-31 23:59:59.999999'` },
    { type: 'timestamptz', value: `'2099-12-31 23:59:59.999999+00'` },
    { type: 'interval', value: `'1 year 04:05:06.789'` },
    { type: 'uuid', value: `'00000000-0000-0000-0000-0000000000ff'` },
    { type: 'jsonb', value: `'{"a": "😀"}'` },
    { type: 'int generated always as (6 * 7) stored', value: 'default' },
    { type: 'bit(64)', value: `repeat('1', 64)::bit(64)`, shown: { postgres: 'c', mysql: `lpad(bin(c), 64, '0')` } },
  ],
  mysql: [
    { type: 'smallint unsigned', value: '65535' },
    { type: 'int unsigned', value: '4294967295' },
    { type: 'bigint', value: '-9223372036854775808' },
    { type: 'bigint unsigned', value: '18446744073709551615' },
    { type: 'decimal(65,30)', value: MOST },
    { type: 'double', value: '1.2345678901234567' },
    { type: 'varchar(300)', value: `repeat('é', 300)` },
    { type: 'longtext', value: `repeat('😀', 70000)` },
    { type: 'longblob', value: `unhex(repeat('00ff5c0a', 20000))`, shown: bytes },
    { type: 'tinyint(1)', value: '-128' },
    { type: 'date', value: `'9999-12-31'` },
    { type: 'time(6)', value: `'-838:59:58.999999'` },
    { type: 'datetime(6)', value: `'9999-12-31 23:59:59.999999'` },
    { type: 'timestamp(6) null', value: `'2037-12-31 23:59:59.999999'` },
    { type: 'year', value: '2155' },
    { type: `enum('a','other')`, value: `'other'` },
    { type: 'json', value: `'{"a": "😀"}'` },
    { type: 'int generated always as (6 * 7) stored', value: 'default' },
    { type: 'bit(10)', value: `b'1111111111'`, shown: { postgres: 'c', mysql: `lpad(bin(c), 10, '0')` } },
  ],
};

/** MariaDB's tables are of latin1 unless they say so. */
const unicode = (url: string): string => (wordsAt(url).family === 'mysql' ? ' character set utf8mb4' : '');

describe.each(ways(import.meta.url))('a table that is made, from $source to $target', ({ from, into }) => {
  let world: World;
  afterEach(() => world.close());

  test('keeps the values at the edges of every type', async () => {
    const edges = EDGES[wordsAt(from.url).family];
    world = await World.create(
      into,
      {
        files: {
          'loads/acquisition/item.yaml': itemFile({ from: 'table: public.item' }).replace(
            'acq.item',
            'acq.item, create: true',
          ),
        },
        source: `create table item (${edges.map(({ type }, n) => `c${n} ${type}`).join()})${unicode(from.url)};
          insert into item values (${edges.map(({ value }) => value).join()});`,
        warehouse: 'create schema acq',
      },
      from,
    );
    world.names.into('create table acq.item (id bigint)'); // that it is a table of the test's is learned from this
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    const shown = (url: string): string =>
      edges
        .map((edge, n) => (edge.shown?.[wordsAt(url).family] ?? 'c').replace(/\bc\b/g, `c${n}`))
        .map((text) => (wordsAt(url).family === 'mysql' ? `cast(${text} as char)` : text))
        .join();
    await expectSameRows(world, `select ${shown(from.url)} from item`, `select ${shown(into.url)} from acq.item`);
  });
});

describeOn(await mysqlServers(), 'values on their way, on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('every type arrives as it was', async () => {
    const types = server.flavour === 'MariaDB' ? [...MYSQL, ...MARIADB] : MYSQL;
    const columns = types.map(({ type }, i) => `c${i} ${type}`).join(', ');
    // A strict server takes no dates of zeros, and MySQL no decimals that it computed inside a JSON (test/copy/values.test.ts).
    const samples = types.map((one) =>
      one.samples.filter(({ sql, value }) => !/^\d{4}-00-|^0000-/.test(value) && !sql.startsWith('json_')),
    );
    const rows = Array.from({ length: Math.max(...samples.map(({ length }) => length)) }, (_, n) => {
      const values = samples.map((some) => some[n]?.sql.replaceAll('\\', '\\\\') ?? 'null');
      return `(${n + 1}, ${values.join(', ')})`;
    });
    world = await World.create(
      server,
      ITEMS({
        source: `create table item (id bigint primary key, ${columns})${unicode(server.url)};`,
        columns: 'id bigint',
        warehouse: `drop table acq.item;
          create table acq.item (id bigint, ${columns}, batch_id bigint not null,
                                 ngdw_id bigint auto_increment primary key)${unicode(server.url)};`,
        from: 'table: public.item',
        chunkRows: 3,
      }),
    );
    await world.source.query(`set session sql_mode = ''`); // the least float is out of a strict server's range
    for (const row of rows) await world.source.query(`insert into item values ${row}`);
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: rows.length } });
    const names = ['id', ...types.map((_, i) => `hex(c${i})`)].join(', ');
    await expectSameRows(world, `select ${names} from item`, `select ${names} from acq.item`);
  });
});

/** A value of each type of PostgreSQL, for the comparison row for row. */
const KINDS = `
  id bigint primary key, small smallint, whole integer, big numeric, money numeric(20,5), float double precision, single real,
  plain text, short varchar(40), fixed char(5), yes boolean, raw bytea, doc json, docb jsonb, day date, at timestamp, zoned timestamptz,
  noon time, span interval, who uuid, net inet, texts text[], numbers bigint[], maybe bit varying(9)`;
const VALUES = `
  insert into item values
    (1, -32768, 2147483647, 12345678901234567890123456789.000000000000000000001, -0.00001, 0.1, 3.4028235e38,
     E'tab\\there\\nnew line \\\\N backslash \\\\ quote '' "double" \\r', E'\\\\.', 'ab', true, '\\x00ff5c4e0a09'::bytea,
     '{"b": 1,  "a": [1.50, "\\u00e4"], "b": 2}', '{"big": 12345678901234567890.5, "x": null}', '2026-02-28', '1999-12-31 23:59:59.999999',
     '2026-03-29 01:30:00.000001+02', '24:00', '1 year -2 months 3 days 04:05:06.789', '00000000-0000-0000-0000-0000000000ff', '10.0.0.0/8',
     array['a,b', null, '{"x"}', '', E'\\\\'], array[9223372036854775807, null], B'10101'),
    (2, 0, 0, 'NaN', 'NaN', 'NaN', '-infinity', '', '', '', false, '', 'null', '[]', 'infinity', '-infinity', 'infinity', '00:00', '0',
     gen_random_uuid(), '::1', '{}', '{}', ''),
    (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
    (4, 1, -1, 1e-30, 99999, 5e-324, 1e-45, E'😀 ünïcode \\u2028 \\U0001F680', '\\N', '\\t', true, E'\\\\\\\\x41', '"\\\\n"', '"\\\\u0041"',
     '0044-03-15 BC', '4713-01-01 BC', '0001-01-01 BC', '12:34:56.123456', 'P1Y2M3DT4H5M6S', gen_random_uuid(), '192.168.0.1/32',
     '{{a,b},{c,d}}', '{{1,2},{3,4}}', B'1');
  insert into item (id, plain) select g, repeat('long ', 20000) || g from generate_series(5, 12) g;`;

describe.each(oneOf(servers, import.meta.url))('values on their way, on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test.each([
    ['in binary', 'id bigint primary key', ''],
    ['as text, because a type differs', 'id integer primary key', 'id::bigint as '],
  ])('every type arrives as it was, %s', async (_how, id, cast) => {
    const sourceColumns = KINDS.replace('id bigint primary key', id);
    world = await World.create(
      server,
      ITEMS({
        source: `create table item (${sourceColumns}); ${VALUES}`,
        columns: KINDS.replace(' primary key', ''),
        chunkRows: 3,
      }),
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 12 } });
    const names = KINDS.split(',')
      .filter((part) => !/^\s*\d/.test(part))
      .map((part) => part.trim().split(/\s+/)[0]!);
    const columns = names.filter((name) => !/^\d/.test(name)).join(', ');
    await expectSameRows(
      world,
      `select ${columns.replace('id', `${cast}id`)} from item`,
      `select ${columns} from acq.item`,
    );
  });
});
