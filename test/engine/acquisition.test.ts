import { afterEach, describe, expect, test } from 'vitest';
import { servers } from '../servers.ts';
import {
  BY_ID,
  chunks,
  COLUMNS,
  expectAcquired,
  expectSameRows,
  ITEM,
  itemFile,
  ITEMS,
  PLAIN_SOURCE,
  retract,
  windows,
  settling,
} from './items.ts';
import { ended, World } from './world.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const NOTHING = { ok: true, result: { status: 'nothing', reason: 'nothing new in source public.item' } };

describe.each(servers)('what an acquisition reads on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('cuts time by the clock of the source, less the lag, floored to the precision of the column', async () => {
    const types = [
      'timestamptz',
      'timestamp',
      'timestamp(0)',
      'timestamptz(1)',
      'timestamp(2)',
      'timestamp(3)',
      'date',
    ];
    const tables = types.map((type, i) => ({ type, name: `item${i}` }));
    world = await World.create(server, {
      files: Object.fromEntries(
        tables.map(({ name }) => [
          `loads/acquisition/${name}.yaml`,
          itemFile({ from: `table: public.${name}, cursor: at, lag: 6s` }).replace('acq.item', `acq.${name}`),
        ]),
      ),
      source: tables
        .map(
          ({ name, type }) => `create table ${name} (id bigint, at ${type} not null);
          insert into ${name} select g, now() - (g || ' hours')::interval from generate_series(48, 400) g;
          insert into ${name} select -g, now() + (g || ' hours')::interval from generate_series(24, 40) g;
          `,
        )
        .join('\n'),
      warehouse: `create schema acq; ${tables
        .map(
          ({ name, type }) =>
            `create table acq.${name} (id bigint, at ${type}, batch_id bigint not null, ngdw_id bigserial);`,
        )
        .join('\n')}`,
    });
    await world.worker();
    let written = 0;
    for (const { name, type } of tables) {
      await world.source.query(`insert into ${name} values (0, clock_timestamp())`);
      written = Date.now();
      expect(await world.run(`acquisition.${name}`), type).toMatchObject({ ok: true, result: { rowsWritten: 353 } });
      await expectSameRows(world, `select id, at from ${name} where id > 0`, `select id, at from acq.${name}`);
      const end = await world.source.query<{ floored: boolean; behind: boolean }>(
        `select $1::text::${type}::text = $1 as floored, $1::text::${type} <= clock_timestamp()::timestamp - interval '6s' as behind`,
        [await world.value('select max(window_to) from waybill.batch where load_name = $1', [`acquisition.${name}`])],
      );
      expect(end.rows, type).toEqual([{ floored: true, behind: true }]);
    }
    // What was written "now" is in the next window, once the lag has passed; today's date is in tomorrow's.
    await pause(Math.max(0, 8_000 - (Date.now() - written)));
    for (const { name, type } of tables) {
      const again = await world.run(`acquisition.${name}`);
      if (type === 'date') expect(again).toMatchObject({ ok: true, result: { status: 'nothing' } });
      else expect(again, type).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    }
  });

  test('loses no row and takes none twice while rows are written, whatever the precision, without any lag', async () => {
    const types = [
      'timestamptz',
      'timestamp',
      'timestamp(0)',
      'timestamp(1)',
      'timestamp(2)',
      'timestamp(3)',
      'timestamptz(5)',
    ];
    const tables = types.map((type, i) => ({ type, name: `item${i}` }));
    world = await World.create(server, {
      files: Object.fromEntries(
        tables.map(({ name }) => [
          `loads/acquisition/${name}.yaml`,
          itemFile({ from: `table: public.${name}, cursor: at, lag: 0s` }).replace('acq.item', `acq.${name}`),
        ]),
      ),
      source: tables
        .map(({ name, type }) => `create table ${name} (id bigserial, at ${type} not null default clock_timestamp());`)
        .join('\n'),
      warehouse: `create schema acq; ${tables
        .map(
          ({ name, type }) =>
            `create table acq.${name} (id bigint, at ${type}, batch_id bigint not null, ngdw_id bigserial);`,
        )
        .join('\n')}`,
    });
    await world.worker();
    let writing = true;
    const writer = (async () => {
      while (writing) {
        await world.source.query(tables.map(({ name }) => `insert into ${name} default values`).join(';'));
        await pause(2);
      }
    })();
    await pause(300);
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(
        tables.map(async ({ name }) => expect(await world.run(`acquisition.${name}`)).toMatchObject({ ok: true })),
      );
    }
    writing = false;
    await writer;
    await pause(1_100); // timestamp(0) may have been rounded up to the next second
    for (const { name, type } of tables) {
      const last = await world.run(`acquisition.${name}`);
      expect(last, type).toMatchObject({ ok: true });
      await expectSameRows(world, `select id, at from ${name}`, `select id, at from acq.${name}`);
    }
  });

  test('reads a table without a cursor whole, each time, in chunks of its primary key, whatever its type', async () => {
    const source = `create table item (name text, id bigint, amount numeric(12,2), primary key (name, id));
      insert into item select 'näme ''' || chr(65 + g % 26) || '\\' || g % 97, g, 1 from generate_series(1, 1000) g;`;
    world = await World.create(server, ITEMS({ source, columns: COLUMNS, from: 'table: public.item' }));
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1000, chunks: 10 } });
    await expectAcquired(world);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1000 } });
    await expectSameRows(world, 'select * from item', 'select name, id, amount from acq.item where batch_id = 2');
    await world.source.query('truncate item');
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
  });

  test('takes a `start` without a time zone in the zone of the source', async () => {
    const source = `create table item (id bigint, at timestamptz not null);
      insert into item select g, '2026-01-01 00:00+00'::timestamptz + g * interval '1 hour' from generate_series(0, 23) g;
      do $$ begin execute format('alter database %I set timezone = ''Asia/Tokyo''', current_database()); end $$;`;
    world = await World.create(
      server,
      ITEMS({
        source,
        columns: 'id bigint, at timestamptz',
        from: 'table: public.item, cursor: at, start: "2026-01-01 12:00"',
      }),
    );
    await world.worker();
    for (const n of [0, 1]) {
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 21 } });
      expect(await world.rows('select min(id) as id, count(*) as n from acq.item')).toEqual([{ id: '3', n: '21' }]);
      const from = (await windows(world))[n]!.window_from as string;
      expect(await world.value(`select '${from}'::timestamptz = '2026-01-01 03:00:00Z'`)).toBe(true);
      await retract(world, String(n + 1));
    }
  });

  test('keeps rows of one cursor value in one chunk, so that a bound never splits them', async () => {
    const source = `create table item (id bigint, at timestamp not null);
      insert into item select g, timestamp '2026-01-01' + (g / 90) * interval '1 second' from generate_series(0, 1799) g;`;
    world = await World.create(
      server,
      ITEMS({ source, columns: 'id bigint, at timestamp', from: 'table: public.item, cursor: at', chunkRows: 70 }),
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1800, chunks: 20 } });
    await expectAcquired(world, 'id, at');
    expect(await world.rows('select distinct row_count from waybill.chunk')).toEqual([{ row_count: '90' }]);
  });
});

describe.each(servers)('transactions on the source, on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('rows of one and the same time, of which some commit late, and some come after: none is missed, none comes twice', async () => {
    const source = `create table item (id bigint, at timestamptz not null);
      insert into item select g, now() - interval '1 hour' from generate_series(1, 20) g;`;
    world = await World.create(
      server,
      ITEMS({ source, columns: 'id bigint, at timestamptz', from: 'table: public.item, cursor: at, lag: 1s' }),
    );
    await world.worker();
    const late = await world.another('source');
    await late.query(`begin; insert into item select g, now() from generate_series(101, 130) g`);
    const { rows } = await late.query<{ at: string }>(`select max(at)::text as at from item`);
    await world.source.query(`insert into item select g, $1 from generate_series(201, 230) g`, [rows[0]!.at]);
    await pause(1_100);
    const handle = await world.start(ITEM);
    await settling(handle);
    await pause(700);
    expect((await chunks(world)).all).toBe(0);
    await late.query('commit');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 80 } });
    // The end of a window is not in it: a row of just that time is in the next one.
    await world.source.query(`insert into item select 301, window_to::timestamptz from (values ($1)) w(window_to)`, [
      (await windows(world))[0]!.window_to,
    ]);
    await pause(1_100);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    await expectAcquired(world, 'id, at');
  });

  test('a role that may read only this one table waits for the transactions of others all the same', async () => {
    world = await World.create(server, {
      ...ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }),
    });
    await world.source.query(`
      do $$ begin create role waybill_reader login password 'r'; exception when duplicate_object then null; end $$;
      grant select on item to waybill_reader`);
    const owner = world.env['SOURCE_URL']!;
    const url = new URL(owner);
    url.username = 'waybill_reader';
    url.password = 'r';
    world.env['SOURCE_URL'] = url.href;
    await world.worker({ settleLimitMs: 1_000 });
    world.env['SOURCE_URL'] = owner;
    const open = await world.another('source', 'shop');
    await open.query(`begin; insert into item (name) values ('open')`);
    const failed = await world.run(ITEM);
    expect(!failed.ok && failed.message).toMatch(
      /^1 transaction on source stayed open for 1 s, .*: connection \d+ \(\w+, shop\)$/,
    );
    await open.query('commit');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 11 } });
    await expectAcquired(world);
  });
});

describe.each(servers)('where a cursor stands, on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('a failed batch leaves no window: the next one reads the same', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(250), columns: `${COLUMNS}, check (id <> 222)` }));
    await world.worker();
    const failed = await world.run(ITEM);
    expect(failed).toMatchObject({ ok: false, type: 'Database' });
    expect(!failed.ok && failed.message).toMatch(
      /chunk 3 of 3: check constraint violated \(constraint item_id_check, table acq.item\)/,
    );
    expect(!failed.ok && failed.message).not.toContain('222,');
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    await world.warehouse.query('alter table acq.item drop constraint item_id_check');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 250 } });
    await expectAcquired(world);
  });

  test('a clock that was set back by less than the lag loses no row, and reads none twice', async () => {
    const source = `create table item (id bigint, at timestamptz not null);
      insert into item select g, now() - interval '1 day' from generate_series(1, 100) g;`;
    world = await World.create(
      server,
      ITEMS({ source, columns: 'id bigint, at timestamptz', from: 'table: public.item, cursor: at, lag: 3s' }),
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    // As if it had been two seconds ahead then: that window ends later than one of now would.
    await world.warehouse.query(`update waybill.batch set window_to = (clock_timestamp() - interval '1 s')::text`);
    await world.source.query('insert into item values (101, clock_timestamp())');
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    await pause(3_500);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    await expectAcquired(world, 'id, at');
  });

  test('a clock that stands in a window which was read: refused, for rows of now would never be read; it goes on when it has caught up', async () => {
    const source = `create table item (id bigint, at timestamp not null);
      insert into item select g, now() - interval '1 day' from generate_series(1, 100) g;`;
    world = await World.create(
      server,
      ITEMS({ source, columns: 'id bigint, at timestamp', from: 'table: public.item, cursor: at, lag: 500ms' }),
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await world.warehouse.query(
      `update waybill.batch set window_to = (clock_timestamp()::timestamp + interval '3 s')::text`,
    );
    const refused = await world.run(ITEM);
    expect(refused).toMatchObject({ ok: false, type: 'LoadFailed' });
    expect(!refused.ok && refused.message).toMatch(
      /^it is 2\S+ \S+ on source, and batch 1 has read everything up to 2.*: the clock, or the time zone of the role, was set back, and rows that are written now would never be read$/,
    );
    expect(!refused.ok && refused.next).toMatch(/^start again when it is later than 2/);
    expect(await world.states(ITEM)).toEqual(['published']);
    await pause(3_100);
    await world.source.query(`insert into item values (101, clock_timestamp())`);
    await pause(600);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await expectAcquired(world, 'id, at');
  });

  test('a gap that reaches into the future is read up to now only', async () => {
    const source = `create table item (id bigint, at timestamptz not null);
      insert into item select g, now() - interval '1 day' from generate_series(1, 100) g;`;
    world = await World.create(
      server,
      ITEMS({ source, columns: 'id bigint, at timestamptz', from: 'table: public.item, cursor: at, lag: 0s' }),
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true });
    // The clock ran an hour ahead for a while, and the window of that while is published; the first one is retracted.
    await world.warehouse.query(`update waybill.batch set state = 'published',
      window_from = (now() + interval '1 hour')::text, window_to = (now() + interval '2 hours')::text`);
    await world.warehouse.query('truncate acq.item');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await world.source.query('insert into item values (101, clock_timestamp())');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await expectAcquired(world, 'id, at');
  });
});

describe.each(servers)(
  'what an acquisition refuses before it opens a batch, on $name',
  { timeout: 120_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    async function refusal(
      options: Parameters<typeof ITEMS>[0],
    ): Promise<{ type: string; message: string; next: string }> {
      world = await World.create(server, ITEMS(options));
      await world.worker();
      const end = await world.run(ITEM);
      expect(await world.states(ITEM)).toEqual([]);
      return end.ok
        ? { type: 'ok', message: JSON.stringify(end.result), next: '' }
        : { type: end.type, message: end.message, next: end.next ?? '' };
    }

    test('rows without a cursor value: it says how many, and what to do', async () => {
      expect(
        await refusal({
          source: `create table item (id bigint, name text, amount numeric(12,2));
                 insert into item values (1), (null), (null)`,
          columns: COLUMNS,
        }),
      ).toEqual({
        type: 'Configuration',
        message: 'public.item on source has 2 rows whose id is NULL: no window would ever read them',
        next: 'give those rows a value (and the column NOT NULL), or leave cursor out to read the whole table each time',
      });
    });

    test('a cursor that is not there, or of a type that has no next value', async () => {
      const source = 'create table item (id bigint, name text, amount numeric(12,2)); insert into item values (1)';
      const first = await refusal({ source, columns: COLUMNS, from: 'table: public.item, cursor: nam' });
      expect(first).toMatchObject({ message: 'public.item has no column nam', next: 'did you mean name?' });
      await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item, cursor: name' }));
      const second = await world.run(ITEM);
      expect(second).toMatchObject({
        ok: false,
        message: 'public.item.name is text: no cursor can be kept on it',
      });
    });

    test('a `start` that is no value of the cursor', async () => {
      const source = PLAIN_SOURCE(1);
      expect(await refusal({ source, columns: COLUMNS, from: `${BY_ID}, start: monday` })).toMatchObject({
        type: 'Configuration',
        message: 'from.start is monday, which is no bigint',
      });
    });

    test('columns that have no place, that nothing fills, or whose values would silently change: all of them named', async () => {
      const { type, message } = await refusal({
        source: `create table item (id bigint, surnam text, price numeric(12,4), at timestamptz, day timestamp, exact timestamp(6),
                 weight double precision, made date, ngdw_id bigint, sum bigint);
               insert into item (id) values (1);`,
        columns: `id bigint, surname text, price numeric(12,2), at timestamp, day date, exact timestamp(3), weight real,
                made timestamptz, needed text not null, sum bigint generated always as (id + 1) stored`,
      });
      expect(type).toBe('Configuration');
      expect(message).toBe(
        'public.item does not fit acq.item: ' +
          [
            'acq.item has no column surnam (text); is it surname?',
            'price, numeric(12,4), would be rounded to 2 decimals in acq.item, where it is numeric(12,2)',
            'at, timestamp with time zone, would lose its time zone in acq.item, where it is timestamp without time zone',
            'day, timestamp without time zone, would lose its time of day in acq.item, where it is date',
            'exact, timestamp(6) without time zone, would be rounded to 3 digits of a second in acq.item, where it is timestamp(3) without time zone',
            'weight, double precision, would be rounded in acq.item, where it is real',
            'made, date, has no time zone, and one would be guessed in acq.item, where it is timestamp with time zone',
            'the source has a column ngdw_id, which the landing table keeps for itself',
            "acq.item.sum is generated: the source's value would be lost",
            'acq.item.needed is NOT NULL without a default, and the source has no such column',
          ].join('; '),
      );
    });

    test('a table that is not there, on either side', async () => {
      expect(await refusal({ source: '', columns: COLUMNS })).toMatchObject({
        message: 'source has no table public.item',
      });
      await world.source.query(PLAIN_SOURCE(1));
      await world.warehouse.query('drop table acq.item');
      expect(await world.run(ITEM)).toMatchObject({ ok: false, message: 'warehouse has no table acq.item' });
    });
  },
);

/** A value of each, for the comparison row for row. */
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

describe.each(servers)('values on their way, on $name', { timeout: 120_000 }, (server) => {
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

  test('what the source computes is copied; what both compute is computed; names may need quotes', async () => {
    world = await World.create(
      server,
      ITEMS({
        source: `create table item (id bigint primary key, net int, gross int generated always as (net * 2) stored,
                   twice int generated always as (net + net) stored, "Group By" text, "a""b" text);
                 insert into item (id, net, "Group By", "a""b") select g, g, 'x' || g, 'y' from generate_series(1, 250) g;`,
        columns: `id bigint generated always as identity, net int, gross int,
                  twice int generated always as (net + net) stored, "Group By" text, "a""b" text, extra text default 'e'`,
      }),
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 250 } });
    const columns = 'id, net, gross, twice, "Group By", "a""b"';
    await expectSameRows(world, `select ${columns} from item`, `select ${columns} from acq.item`);
    expect(await world.rows('select distinct batch_id, extra from acq.item')).toEqual([{ batch_id: '1', extra: 'e' }]);
  });
});
