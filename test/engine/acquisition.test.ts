import { afterEach, describe, expect, test } from 'vitest';
import { progressQuery } from '../../src/workflows/messages.ts';
import { servers } from '../servers.ts';
import {
  BY_ID,
  chunks,
  COLUMNS,
  expectAcquired,
  expectSameRows,
  halfway,
  ITEM,
  itemFile,
  ITEMS,
  PLAIN_SOURCE,
  retract,
  SLOW_SOURCE,
  windows,
} from './items.ts';
import { ended, until, World } from './world.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const NOTHING = { ok: true, result: { status: 'nothing', reason: 'nothing new in source public.item' } };

/** Sessions of ours that read from the source now. */
const readers = async (world: World): Promise<number> =>
  (
    await world.source.query(`select 1 from pg_stat_activity
      where application_name like 'waybill read %' and datname = current_database() and query like 'copy %'
        and state = 'active'`)
  ).rows.length;

describe.each(servers)('what an acquisition reads on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('copies by a growing number, in chunks; the next run only what is new; the one after that opens no batch', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(1050), columns: COLUMNS }));
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({
      ok: true,
      result: { status: 'finished', rowsWritten: 1050, chunks: 11 },
    });
    await expectAcquired(world);
    expect(await world.value('select count(distinct ngdw_id) from acq.item')).toBe('1050');
    expect(await world.rows('select state, rows_read, rows_written from waybill.batch')).toEqual([
      { state: 'published', rows_read: '1050', rows_written: '1050' },
    ]);

    await world.source.query(`insert into item (name) select 'new' from generate_series(1, 7)`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 7 } });
    await expectAcquired(world);
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    expect(await windows(world)).toEqual([
      { state: 'published', window_from: null, window_to: '1051' },
      { state: 'published', window_from: '1051', window_to: '1058' },
    ]);
    expect(await world.rows('select batch_id, count(*) as n from acq.item group by 1 order by 1')).toEqual([
      { batch_id: '1', n: '1050' },
      { batch_id: '2', n: '7' },
    ]);
  });

  test('takes decimals of a fixed scale for a cursor, and the greatest integer that there is', async () => {
    const source = `create table item (id integer, step numeric(8,2));
      insert into item select g, g * 0.25 from generate_series(1, 300) g;
      insert into item values (2147483647, 80.01);`;
    world = await World.create(server, {
      ...ITEMS({ source, columns: 'id integer, step numeric(8,2)' }),
      files: {
        'loads/acquisition/item.yaml': itemFile({}),
        'loads/acquisition/step.yaml': itemFile({ from: 'table: public.item, cursor: step' }).replace(
          'acq.item',
          'acq.step',
        ),
      },
    });
    await world.warehouse.query('create table acq.step (like acq.item including all)');
    await world.worker();
    for (const table of ['item', 'step']) {
      expect(await world.run(`acquisition.${table}`)).toMatchObject({ ok: true, result: { rowsWritten: 301 } });
      await expectSameRows(world, 'select id, step from item', `select id, step from acq.${table}`);
    }
    expect((await windows(world)).map((window) => window.window_to)).toEqual(['2147483648', '80.02']);
    await world.source.query('insert into item values (17, 80.02)');
    expect(await world.run('acquisition.step')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
  });

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

  test('reads a table without cursor and key, or a view, as one chunk', async () => {
    const source = `create table stock (id bigint, name text, amount numeric(12,2));
      insert into stock select g % 5, 'x', null from generate_series(1, 500) g; create view item as table stock;`;
    world = await World.create(server, ITEMS({ source, columns: COLUMNS, from: 'table: public.item' }));
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 500, chunks: 1 } });
    await expectAcquired(world);
  });

  test('begins at `start`, and keeps what lies below out for good', async () => {
    world = await World.create(
      server,
      ITEMS({ source: PLAIN_SOURCE(300), columns: COLUMNS, from: `${BY_ID}, start: 201` }),
    );
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectSameRows(world, 'select * from item where id > 200', 'select id, name, amount from acq.item');
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    await retract(world, '1');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    expect((await windows(world))[1]).toEqual({ state: 'published', window_from: '201', window_to: '301' });
    // A lower start brings what lies between; a higher one changes nothing that was read.
    await world.write('loads/acquisition/item.yaml', itemFile({ from: `${BY_ID}, start: 101` }));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await world.write('loads/acquisition/item.yaml', itemFile({ from: `${BY_ID}, start: 900` }));
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    await world.source.query('insert into item (id) values (301), (2000)');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    await expectSameRows(world, 'select * from item where id > 100', 'select id, name, amount from acq.item');
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

  const settling = (handle: Awaited<ReturnType<World['start']>>): Promise<true> =>
    until<true>(
      async () => (await handle.query(progressQuery)).phase === 'waiting for transactions on the source' || undefined,
      90,
    );

  test('a transaction that opened before the window and commits late is waited for, and none of its rows is missed', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(100), columns: COLUMNS }));
    await world.worker();
    const late = await world.another('source');
    // Its ids are lower than those of rows that others commit before it.
    await late.query(`begin; insert into item (name) select 'late' from generate_series(1, 50)`);
    await world.source.query(`insert into item (name) select 'early' from generate_series(1, 50)`);
    const handle = await world.start(ITEM);
    await settling(handle);
    await pause(700);
    expect((await chunks(world)).all).toBe(0);
    // One that opens now is none of our business, even when it never ends.
    const later = await world.another('source');
    await later.query(`begin; insert into item (name) values ('later')`);
    await late.query('commit');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 200 } });
    await expectAcquired(world);
    await later.query('commit');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await expectAcquired(world);
  });

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

  test('one that rolls back leaves nothing behind, and ids that commit out of order land once', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.worker();
    const others = await Promise.all([1, 2, 3, 4].map(() => world.another('source')));
    for (const other of others) {
      await other.query(`begin; insert into item (name) select 'of one' from generate_series(1, 30)`);
    }
    await others[3]!.query('commit');
    const handle = await world.start(ITEM);
    await settling(handle);
    await pause(700);
    expect((await chunks(world)).all).toBe(0);
    await others[1]!.query('commit');
    await others[2]!.query('rollback');
    await others[0]!.query('commit');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectAcquired(world);
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
  });

  test('one that stays open fails the load after a while, which names it; the next run has its rows too', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.worker({ settleLimitMs: 1_500 });
    const open = await world.another('source', 'monthly report');
    await open.query(`begin; insert into item (name) values ('open')`);
    await world.source.query(`insert into item (name) values ('shut')`);
    const pid = (await open.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;
    const failed = await world.run(ITEM);
    expect(failed).toMatchObject({ ok: false, type: 'LoadFailed' });
    expect(!failed.ok && failed.message).toMatch(
      /^1 transaction on source stayed open for 1.5 s, and it could still commit rows into this window: connection \d+ \(\w+, monthly report, open \d+ s\)$/,
    );
    expect(!failed.ok && failed.message).toContain(`connection ${pid} `);
    expect(await world.states(ITEM)).toEqual(['failed']);
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    await open.query('commit');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 12 } });
    await expectAcquired(world);
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

  /** Three published windows of 100 rows each. */
  async function three(): Promise<void> {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(100), columns: COLUMNS }));
    await world.worker();
    for (const round of [1, 2, 3]) {
      if (round > 1) await world.source.query(`insert into item (name) select 'x' from generate_series(1, 100)`);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    }
  }

  test('a window that was retracted in the middle is read again, exactly that gap, and then what is new', async () => {
    await three();
    await retract(world, '2');
    await world.source.query(`insert into item (name) select 'new' from generate_series(1, 5)`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 5 } });
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    await expectAcquired(world);
    expect((await windows(world)).slice(3)).toEqual([
      { state: 'published', window_from: '101', window_to: '201' },
      { state: 'published', window_from: '301', window_to: '306' },
    ]);
  });

  test('the first window, open below, is read again when it was retracted', async () => {
    await three();
    await world.source.query(`insert into item (id, name) values (-5, 'below zero')`);
    await retract(world, '1');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 101 } });
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    await expectAcquired(world);
    expect((await windows(world))[3]).toEqual({ state: 'published', window_from: null, window_to: '101' });
  });

  test('all windows retracted: everything is read again; the last one only: from where it began', async () => {
    await three();
    await retract(world, '3');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await expectAcquired(world);
    for (const batch of ['1', '2', '4']) await retract(world, batch);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectAcquired(world);
  });

  test('a gap whose rows are gone from the source does not keep what is new out', async () => {
    await three();
    await retract(world, '2');
    await world.source.query(`delete from item where id between 101 and 200`);
    await world.source.query(`insert into item (name) values ('new')`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.run(ITEM)).toMatchObject(NOTHING);
    await expectAcquired(world);
    // A row that turns up in the gap after all is still wanted.
    await world.source.query(`insert into item (id, name) values (150, 'back')`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await expectAcquired(world);
  });

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

  test('another cursor is refused once windows were published, for they say nothing about it', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true });
    await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item, cursor: amount' }));
    const refused = await world.run(ITEM);
    expect(refused).toMatchObject({ ok: false, type: 'Configuration' });
    expect(!refused.ok && refused.message).toBe(
      'acquisition.item was read by cursor id so far: what was read is not known in terms of amount',
    );
    expect(await world.states(ITEM)).toEqual(['published']);
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

describe.each(servers)('what breaks in the middle of a copy, on $name', { timeout: 180_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const slow = (): Promise<World> =>
    World.create(server, ITEMS({ source: SLOW_SOURCE(1200, 0.002), columns: COLUMNS, yaml: 'lanes: 2' }));

  test('a worker that gets SIGKILL: another one goes on, each row once', async () => {
    world = await slow();
    const first = await world.workerProcess();
    const handle = await world.start(ITEM);
    await until(() => halfway(world), 90);
    await until(async () => (await readers(world)) > 0);
    first.kill('SIGKILL');
    const { done, all } = await chunks(world);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(all);
    await world.worker();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1200, chunks: 12 } });
    await expectSameRows(world, 'select id, name, amount from stock', 'select id, name, amount from acq.item');
  });

  test.each([
    ['source', 'waybill read %'],
    ['warehouse', 'waybill % lane %'],
  ] as const)('connections of the %s that are cut: the chunk is done again, each row once', async (side, named) => {
    world = await slow();
    await world.worker();
    const handle = await world.start(ITEM);
    for (const times of [1, 2]) {
      await until(async () => (await chunks(world)).done >= times * 2, 90);
      await until(async () => (await readers(world)) > 0);
      const { rows } = await world[side].query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name like $1 and datname = current_database()`,
        [named],
      );
      expect(rows.length).toBeGreaterThan(0);
    }
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1200, chunks: 12 } });
    await expectSameRows(world, 'select id, name, amount from stock', 'select id, name, amount from acq.item');
    expect(await world.states(ITEM)).toEqual(['published']);
  });

  test('an error of the source in a late row: nothing of the chunk stays, and the message holds no value', async () => {
    const source = `create table stock (id bigint primary key, name text, amount numeric(12,2));
      insert into stock select g, case g when 180 then 'secret' else '1' end, 1 from generate_series(1, 300) g;
      create view item as select id, name::int::text as name, amount / (case id when 290 then 0 else 1 end) as amount from stock;`;
    world = await World.create(
      server,
      ITEMS({ source, columns: 'id bigint, name text, amount numeric', yaml: 'lanes: 1' }),
    );
    await world.worker();
    const first = await world.run(ITEM);
    expect(first).toMatchObject({ ok: false, type: 'Database' });
    expect(!first.ok && first.message).toBe('chunk 2 of 3: on the source: invalid text for the type (SQLSTATE 22P02)');
    expect(await world.value(`select error from waybill.chunk where state = 'failed'`)).toBe(
      'on the source: invalid input syntax for type integer: "secret" (SQLSTATE 22P02)',
    );
    expect(await world.value(`select sum(attempts) from waybill.chunk`)).toBe('1');
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    await world.source.query(`update stock set name = '2' where id = 180`);
    const second = await world.run(ITEM);
    expect(!second.ok && second.message).toBe('chunk 3 of 3: on the source: division by zero (SQLSTATE 22012)');
    await world.source.query('update stock set id = 1290 where id = 290');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectAcquired(world);
    expect(await world.states(ITEM)).toEqual(['failed', 'failed', 'published']);
  });

  test('an error of the landing table: the batch fails with what it said, and the source is let go', async () => {
    world = await World.create(
      server,
      ITEMS({
        source: SLOW_SOURCE(400, 0.002),
        columns: 'id bigint, name varchar(6), amount numeric(12,2)',
        yaml: 'lanes: 1',
      }),
    );
    await world.worker();
    const failed = await world.run(ITEM);
    expect(!failed.ok && failed.message).toBe(
      'chunk 1 of 4: value too long for type character varying(6) (SQLSTATE 22001)',
    );
    await until(async () => (await readers(world)) === 0, 30);
    expect(await world.value('select count(*) from acq.item')).toBe('0');
  });

  test('a cancel ends the copy on both servers, and takes the rows out', async () => {
    world = await World.create(server, ITEMS({ source: SLOW_SOURCE(400, 0.1), columns: COLUMNS, chunkRows: 200 }));
    await world.worker();
    const handle = await world.start(ITEM);
    await until(async () => (await readers(world)) === 2);
    await handle.cancel();
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
    expect(await world.states(ITEM)).toEqual(['cancelled']);
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    await until(async () => (await readers(world)) === 0, 30);
  });

  test('within one database it needs one connection a lane, so that lanes never wait for each other', async () => {
    const options = ITEMS({ source: '', columns: COLUMNS });
    const file = itemFile({ yaml: 'lanes: 2' }).replace('connection: source', 'connection: warehouse');
    world = await World.create(server, {
      warehouse: `${options.warehouse} ${PLAIN_SOURCE(2000)}`,
      files: {
        'loads/acquisition/item.yaml': file,
        'waybill.yaml': `name: test\nconnections:\n  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 4 }\n`,
      },
    });
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2000, chunks: 20 } });
    expect(
      await world.value(`select count(*) from item i full join acq.item a using (id, name, amount)
                         where i.id is not null and a.batch_id = 1`),
    ).toBe('2000');
  });
});
