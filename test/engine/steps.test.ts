/** `before` and `after` steps, and the values that SQL of a load may use. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { inTurns, someServers } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { exists } from './breakable-orders.ts';
import { asleep } from './moments.ts';
import { comingAgain, expectWhole, ORDERS, World, type OrdersOptions } from './orders.ts';
import { wordsAt } from './server-words.ts';
import { ended, until, type WorldOptions } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Orders with a diary that steps write into. */
function DIARY(n: number, options: OrdersOptions): WorldOptions {
  const orders = ORDERS(n, options);
  return {
    ...orders,
    warehouse: `${orders.warehouse}
      create table core.diary (n bigint generated always as identity primary key, what text, batch_id bigint, load_at timestamptz,
        last_load_at timestamptz, note text);
      create table core.switch (ok int); insert into core.switch values (0);`,
  };
}

const note = (what: string): string => `"insert into core.diary (what, batch_id) select '${what}', :batch_id"`;

const diary = async (world: World): Promise<string[]> =>
  (await world.rows<{ what: string }>('select what from core.diary order by n')).map((row) => row.what);

const steps = (world: World) =>
  world.rows('select batch_id, phase, n, state, attempts from waybill.step order by batch_id, phase desc, n');

describe.each(someServers(import.meta.url))('steps on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('run once each, in order, around the load, and stand in the ledger with what they wrote', async () => {
    const options = DIARY(300, {
      sql: `insert into core.orders (id, customer, amount, batch_id)
            select o.id, o.customer, o.amount * 2, :batch_id from {{ acq.orders }} o;
            insert into core.diary (what, batch_id) select 'chunk', :batch_id from {{ acq.orders }} o where o.id = 1`,
      yaml: `
before: [ ${note('before 1')}, before.sql ]
after:
  - ${note('after 1')}
  - ${note('after 2')}`,
    });
    world = await World.create(server, {
      ...options,
      files: {
        ...options.files,
        'loads/core/before.sql': `
          insert into core.diary (what, batch_id) values ('before 2', :batch_id);
          insert into core.diary (what, batch_id) select 'before 2; and 3', count(*) + :batch_id from core.orders;`,
      },
    });
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await diary(world)).toEqual(['before 1', 'before 2', 'before 2; and 3', 'chunk', 'after 1', 'after 2']);
    expect(
      await world.rows('select phase, n, state, attempts, row_count from waybill.step order by phase desc, n'),
    ).toEqual([
      { phase: 'before', n: 1, state: 'done', attempts: 1, row_count: '1' },
      { phase: 'before', n: 2, state: 'done', attempts: 1, row_count: '2' },
      { phase: 'after', n: 1, state: 'done', attempts: 1, row_count: '1' },
      { phase: 'after', n: 2, state: 'done', attempts: 1, row_count: '1' },
    ]);
    await expectWhole(world);
  });

  test('and chunks and checks know the batch, its times and its parameters, as bound values of their types', async () => {
    const { family } = wordsAt(server.url);
    // MySQL and MariaDB take a value's type from where it is used, and have no truth values.
    const values = {
      postgres: `:params.word::text, :params.number + 1, :params.half * 2, :params.yes, coalesce(:params.nothing::text, 'null')`,
      mysql: `:params.word, :params.number + 1, round(:params.half * 2, 1), :params.yes, coalesce(:params.nothing, 'null')`,
    }[family];
    const write = (what: string): string =>
      `insert into core.diary (what, batch_id, load_at, last_load_at, note)
       select '${what}', :batch_id, :load_at, :last_load_at, concat_ws('|', ${values})`;
    world = await World.create(
      server,
      DIARY(30, {
        sql: `insert into core.orders (id, customer, amount, batch_id)
              select o.id, o.customer, o.amount * 2, :batch_id from {{ acq.orders }} o;
              ${write('chunk')} from {{ acq.orders }} o where o.id in (1, 9001)`,
        yaml: `
params: { word: "it's :batch_id", number: 41, half: 0.5, yes: true, nothing: null }
before: |
  ${write('before').replaceAll('\n', '\n  ')}
after: |
  ${write('after').replaceAll('\n', '\n  ')}
checks: [ { name: mine, sql: "select count(*) from core.diary where batch_id = :batch_id and load_at = :load_at and :params.yes", expect: 2 } ]`,
      }),
    );
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await world.warehouse.query(`insert into acq.orders values (9001, 'late', 1);
                                 insert into kept.orders values (9001, 'late', 1)`);
    const params = { word: 'other', number: -1, yes: false };
    expect(await world.run({ load: 'core.order', params })).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    const [plain, given] = {
      postgres: [`it's :batch_id|42|1.0|t|null`, 'other|0|1.0|f|null'],
      mysql: [`it's :batch_id|42|1.0|1|null`, 'other|0|1.0|0|null'],
    }[family];
    const whats = (batch: string, text: string, all = ['before', 'chunk', 'after']) =>
      all.map((what) => ({ what, batch_id: batch, note: text }));
    expect(await world.rows('select what, batch_id, note from core.diary order by n')).toEqual([
      ...whats('1', plain!),
      ...whats('2', given!, ['before', 'chunk']),
      ...whats('3', plain!),
    ]);
    // The times of the ledger, to the millisecond; the last load is the last published one.
    const batches = await world.rows<{ batch_id: string; started_at: Date }>(
      'select batch_id, started_at from waybill.batch order by batch_id',
    );
    const started = Object.fromEntries(batches.map((batch) => [batch.batch_id, batch.started_at]));
    for (const row of await world.rows<{ batch_id: string; load_at: Date; last_load_at: Date | null }>(
      'select batch_id, load_at, last_load_at from core.diary',
    )) {
      expect(row.load_at).toEqual(started[row.batch_id]);
      expect(row.last_load_at).toEqual(row.batch_id === '1' ? null : started['1']);
    }
    await expectWhole(world);
  });

  test('and chunks and checks run with session_params, and only they', async () => {
    const { settings, own, shown, isSet, said, saidOfOwn } = {
      postgres: {
        settings: `{ app.who: "it's me", work_mem: 7MB, TimeZone: Asia/Tokyo }`,
        shown: `current_setting('app.who'), current_setting('work_mem'), current_setting('timezone')`,
        isSet: `current_setting('app.who') = 'it''s me'`,
        said: `it's me 7MB Asia/Tokyo`,
        own: '{ app.who: another, work_mem: 8MB }',
        saidOfOwn: /^another 8MB UTC$/,
      },
      mysql: {
        settings: `{ lc_time_names: de_DE, sort_buffer_size: 7340032, group_concat_max_len: 4711 }`,
        shown: '@@session.lc_time_names, @@session.sort_buffer_size, @@session.group_concat_max_len',
        isSet: `@@session.lc_time_names = 'de_DE'`,
        said: 'de_DE 7340032 4711',
        own: '{ lc_time_names: fr_FR, sort_buffer_size: 8388608 }',
        saidOfOwn: /^fr_FR 8388608 (?!4711$)\d+$/,
      },
    }[wordsAt(server.url).family];
    const write = `insert into core.diary (what) select concat_ws(' ', ${shown})`;
    world = await World.create(
      server,
      DIARY(20, {
        sql: `insert into core.orders (id, customer, amount, batch_id)
              select o.id, o.customer, o.amount * 2, :batch_id from {{ acq.orders }} o;
              ${write} from {{ acq.orders }} o where o.id = 1`,
        yaml: `
session_params: ${settings}
before: [ { sql: "${write}", session_params: ${own} }, "${write}" ]
after: "${write}"
checks: [ { name: me, sql: "select case when ${isSet} then 1 else 0 end", expect: 1 } ]`,
      }),
    );
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    // A step's own stand in place of the load's.
    expect(await diary(world)).toEqual([expect.stringMatching(saidOfOwn), ...Array<string>(3).fill(said)]);
    await expectWhole(world);
  });

  test('one that fails before the load rolls it back, says which, and leaves landing tables as they were', async () => {
    world = await World.create(
      server,
      DIARY(300, {
        yaml: `before: [ ${note('before 1')}, "insert into core.diary (what, batch_id) select 'x', 1 / ok from core.switch", ${note('before 3')} ]`,
      }),
    );
    await world.worker();
    const before = await world.identity('acq.orders');
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({
      ok: false,
      type: 'Database',
      message: world.words.divisionByZero,
      where: 'load core.order, batch 1, before step 2',
    });
    expect(await world.rows('select state, error_class, error from waybill.batch')).toEqual([
      { state: 'failed', error_class: 'database', error: `before step 2: ${world.words.divisionByZero}` },
    ]);
    expect(await steps(world)).toEqual([
      { batch_id: '1', phase: 'before', n: 1, state: 'done', attempts: 1 },
      { batch_id: '1', phase: 'before', n: 2, state: 'failed', attempts: 1 },
      { batch_id: '1', phase: 'before', n: 3, state: 'pending', attempts: 0 },
    ]);
    expect(await world.identity('acq.orders')).toBe(before);
    expect(await world.value('select count(*) from acq.orders')).toBe('300');
    expect(await exists(world, 'acq.orders_processing')).toBe(false);

    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await diary(world)).toEqual(['before 1', 'before 1', 'x', 'before 3']);
    await expectWhole(world);
  });

  test('one that fails after the load leaves it published; the next start resumes there, and then goes on', async () => {
    world = await World.create(
      server,
      DIARY(200, {
        yaml: `after: [ ${note('after 1')}, "insert into core.report select :batch_id", ${note('after 3')} ]`,
      }),
    );
    await world.worker();
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({ ok: false, type: 'AfterFailed', where: 'load core.order, batch 1, after step 2' });
    expect(!failed.ok && failed.message).toMatch(
      /^batch 1 is published, but what comes after failed: (relation "core.report" does not exist|Table 'core.report' doesn't exist)/,
    );
    expect(!failed.ok && failed.next).toMatch(/waybill run core.order --force skips it/);
    expect(await world.rows('select state, error from waybill.batch')).toEqual([{ state: 'published', error: null }]);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
    await expectWhole(world);

    // Not mended: the next start goes no further, and takes nothing.
    await world.warehouse.query(`insert into acq.orders values (9001, 'late', 1);
                                 insert into kept.orders values (9001, 'late', 1)`);
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'AfterFailed' });
    expect(await world.states('core.order')).toEqual(['published']);

    await world.warehouse.query('create table core.report (batch_id bigint)');
    expect(await world.run('core.order')).toMatchObject({
      ok: true,
      result: { rowsWritten: 1, batch: { batchId: '2' } },
    });
    await expectWhole(world);
    expect(await world.rows('select what, batch_id from core.diary order by n')).toEqual([
      { what: 'after 1', batch_id: '1' },
      { what: 'after 3', batch_id: '1' },
      { what: 'after 1', batch_id: '2' },
      { what: 'after 3', batch_id: '2' },
    ]);
    expect(await world.rows('select batch_id from core.report order by 1')).toEqual([
      { batch_id: '1' },
      { batch_id: '2' },
    ]);
    expect(await steps(world)).toMatchObject([
      { batch_id: '1', n: 1, state: 'done', attempts: 1 },
      { batch_id: '1', n: 2, state: 'done', attempts: 3 },
      { batch_id: '1', n: 3, state: 'done', attempts: 1 },
      { batch_id: '2', n: 1, state: 'done' },
      { batch_id: '2', n: 2, state: 'done' },
      { batch_id: '2', n: 3, state: 'done' },
    ]);
  });

  test('one that cannot be done after the load is skipped with --force, and the ledger says by whom', async () => {
    world = await World.create(
      server,
      DIARY(100, { yaml: `after: [ "insert into core.report select :batch_id", ${note('after 2')} ]` }),
    );
    await world.worker();
    expect(await world.run({ load: 'core.order', requestedBy: 'cron' })).toMatchObject({
      ok: false,
      type: 'AfterFailed',
    });
    const forced = await world.run({ load: 'core.order', force: true, requestedBy: 'mary' });
    expect(forced).toMatchObject({ ok: true, result: { status: 'nothing' } });
    expect(await steps(world)).toEqual([
      { batch_id: '1', phase: 'after', n: 1, state: 'skipped', attempts: 1 },
      { batch_id: '1', phase: 'after', n: 2, state: 'skipped', attempts: 0 },
    ]);
    expect(await world.rows(`select requested_by, reason from waybill.event where what = 'after_skipped'`)).toEqual([
      { requested_by: 'mary', reason: 'forced: 2 steps skipped' },
    ]);
    expect(await world.states('core.order')).toEqual(['published']);
    expect(await diary(world)).toEqual([]);
    await expectWhole(world);
  });

  test('after the load have time of their own, however long ago the load was', async () => {
    world = await World.create(
      server,
      DIARY(50, { yaml: `after: "insert into core.report select :batch_id from (select pg_sleep(2.5)) pause"` }),
    );
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'AfterFailed' });
    await world.warehouse.query(`create table core.report (batch_id bigint);
                                 update waybill.batch set deadline_at = now() - interval '1 day'`);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { status: 'nothing' } });
    expect(await world.rows('select batch_id from core.report')).toEqual([{ batch_id: '1' }]);
    await expectWhole(world);
  });

  test('are tried again after a transient error, up to max_attempts, and leave nothing of the attempts that failed', async () => {
    const stubborn = `"insert into core.diary (what) values ('tried'); select core.come_again()"`;
    world = await World.create(server, {
      ...DIARY(50, { yaml: `max_attempts: 3\nbefore: ${stubborn}` }),
      own: comingAgain('n < 3'),
    });
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await diary(world)).toEqual(['tried']);
    expect(await steps(world)).toMatchObject([{ state: 'done', attempts: 3 }]);
    await expectWhole(world);

    const fewerTries = {
      postgres: 'alter sequence core.tries minvalue -99 restart -99',
      mysql: 'update core.tries set n = -99',
    }[world.words.family];
    await world.warehouse.query(`${fewerTries}; insert into acq.orders values (9001, 'late', 1)`);
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      message: `${world.words.comesAgain.inHistory} (3 attempts)`,
      where: 'load core.order, batch 2, before step 1',
    });
    expect(await diary(world)).toEqual(['tried']);
  });

  test('one whose worker gets SIGKILL is done again by another, and its rows stand there once', async () => {
    world = await World.create(
      server,
      DIARY(50, {
        yaml: `before: "insert into core.diary (what) values ('before 1'); select pg_sleep(s) from core.pause"\nafter: ${note('after 1')}`,
      }),
    );
    await world.warehouse.query('create table core.pause (s int); insert into core.pause values (60)');
    const first = await world.workerProcess();
    const handle = await world.start('core.order');
    await until(async () => (await asleep(world)) === 1, 90);
    first.kill('SIGKILL');
    await world.warehouse.query('update core.pause set s = 0');
    await world.worker();
    expect(await ended(handle)).toMatchObject({ ok: true });
    expect(await diary(world)).toEqual(['before 1', 'after 1']);
    await expectWhole(world);
  });

  test('a cancel ends the SQL of a step, and nothing of it stays', async () => {
    world = await World.create(
      server,
      DIARY(50, {
        yaml: `before: [ ${note('before 1')}, "insert into core.diary (what) select 'x' from (select pg_sleep(120)) pause" ]`,
      }),
    );
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await asleep(world)) === 1, 90);
    await handle.cancel();
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
    await until(async () => (await asleep(world)) === 0, 30);
    expect(await diary(world)).toEqual(['before 1']);
    expect(await world.states('core.order')).toEqual(['cancelled']);
    expect(await world.value('select count(*) from acq.orders')).toBe('50');
  });
});

const ofMysqlFamily = await mysqlServers();

describeOn(ofMysqlFamily, 'a step whose statement commits by itself, on $name', (server) => {
  const it = inTurns(import.meta.url, server, ofMysqlFamily);
  let world: World;
  afterEach(() => world.close());

  /** Its second statement ends the transaction of the first one; the third takes as long as `core.pause` says. */
  const COMMITS = `
before:
  - |
    insert into core.diary (what, batch_id) values ('begun', :batch_id);
    truncate core.scratch;
    insert into core.diary (what, batch_id) select 'slept', :batch_id from (select pg_sleep(s) from core.pause) pause;
  - ${note('before 2')}`;
  const SCRATCH = `
      create table core.scratch (n int); insert into core.scratch values (1);
      create table core.pause (s int); insert into core.pause values (0);`;
  const create = async (yaml: string): Promise<World> => {
    const options = DIARY(50, { yaml });
    world = await World.create(server, { ...options, warehouse: `${options.warehouse} ${SCRATCH}` });
    return world;
  };

  it('is done in order, and once where nothing breaks off', async () => {
    await create(COMMITS);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await diary(world)).toEqual(['begun', 'slept', 'before 2']);
    expect(await world.value('select count(*) from core.scratch')).toBe('0');
    expect(await steps(world)).toMatchObject([
      { n: 1, state: 'done', attempts: 1 },
      { n: 2, state: 'done', attempts: 1 },
    ]);
    await expectWhole(world);
  });

  it('is done again from its start by another worker, which ends the first one’s connection before it begins', async () => {
    await create(COMMITS);
    await world.warehouse.query('update core.pause set s = 600');
    const first = await world.workerProcess();
    const handle = await world.start('core.order');
    await until(async () => (await asleep(world)) === 1, 90);
    const [{ id: dead }] = (await world.rows<{ id: string }>(world.words.sleepers)) as [{ id: string }];
    first.kill('SIGKILL');
    await world.warehouse.query('update core.pause set s = 0');
    await world.worker();
    expect(await ended(handle)).toMatchObject({ ok: true });
    // What the dead one had committed stays; what it was at does not: it was ended, not waited for.
    expect(await diary(world)).toEqual(['begun', 'begun', 'slept', 'before 2']);
    const left = await world.rows<{ id: string }>(world.words.connections);
    expect(left.map(({ id }) => String(id))).not.toContain(String(dead));
    expect(await steps(world)).toMatchObject([{ state: 'done' }, { state: 'done' }]);
    await expectWhole(world);
  });

  it('is ended by a cancel, and what it has not begun is not done', async () => {
    await create(COMMITS);
    await world.warehouse.query('update core.pause set s = 600');
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await asleep(world)) === 1, 90);
    await handle.cancel();
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
    await until(async () => (await asleep(world)) === 0, 30);
    expect(await diary(world)).toEqual(['begun']);
    expect(await world.states('core.order')).toEqual(['cancelled']);
    expect(await world.value('select count(*) from acq.orders')).toBe('50');
  });

  it('is ended by a cancel though it has left the gate by then', async () => {
    await create('before: "create table core.made as select n, pg_sleep(s) as slept from core.scratch, core.pause"');
    await world.warehouse.query('update core.pause set s = 600');
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await asleep(world)) === 1, 90);
    await handle.cancel();
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
    await until(async () => (await asleep(world)) === 0, 30);
    expect(await world.exists('core.made')).toBe(false);
    await world.warehouse.query('update core.pause set s = 0');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.value('select count(*) from core.made')).toBe('1');
  });

  it('fails where the server only says so in a row', async () => {
    await create('after: analyze table core.nowhere');
    await world.worker();
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({ ok: false, type: 'AfterFailed', where: 'load core.order, batch 1, after step 1' });
    expect(!failed.ok && failed.message).toMatch(/core.nowhere: Table 'core.nowhere' doesn't exist/);
    await world.warehouse.query('create table core.nowhere (n int)');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { status: 'nothing' } });
    expect(await steps(world)).toMatchObject([{ state: 'done', attempts: 2 }]);
  });
});
