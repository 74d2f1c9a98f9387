/** Transactions on the source that are open while a window is set: their rows belong to it, and nobody else's are waited for. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { someServers, someWays } from '../every-server.ts';
import type { RunningWorker } from '../../src/worker/worker.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import {
  chunks,
  COLUMNS,
  expectAcquired,
  halfway,
  ITEM,
  ITEMS,
  NOTHING_NEW,
  PLAIN_SOURCE,
  settling,
  SLOW_SOURCE,
  windows,
} from './items.ts';
import { subscribe } from './own-publisher.ts';
import type { OwnServer } from './own-server.ts';
import { ended, until, World } from './world.ts';

// Transactions of other tests on the same MySQL are waited for, too: hence the patience.

describe.each(someWays(import.meta.url))(
  'times on the way from $source to $target',
  { timeout: 300_000 },
  ({ from, into }) => {
    let world: World;
    afterEach(() => world.close());

    test('rows of one and the same time, of which some commit late, and some come after: none is missed, none comes twice', async () => {
      const source = `create table item (id bigint, at timestamptz not null);
        insert into item select g, now() - interval '1 hour' from generate_series(1, 20) g;`;
      world = await World.create(
        into,
        ITEMS({ source, columns: 'id bigint, at timestamptz', from: 'table: public.item, cursor: at, lag: 1s' }),
        from,
      );
      await world.worker();
      const late = await world.another('source');
      await late.query(`begin; insert into item select g, current_timestamp(6) from generate_series(101, 130) g`);
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
      await world.source.query('insert into item values (301, $1)', [(await windows(world))[0]!.window_to]);
      await pause(1_100);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
      await expectAcquired(world, 'id, at');
    });
  },
);

describe.each(someWays(import.meta.url))(
  'transactions on the source that are open, from $source to $target',
  { timeout: 300_000 },
  ({ from, into }) => {
    let world: World;
    afterEach(() => world.close());

    test('a transaction that opened before the window and commits late is waited for, and none of its rows is missed', async () => {
      world = await World.create(into, ITEMS({ source: PLAIN_SOURCE(100), columns: COLUMNS }), from);
      await world.worker();
      const late = await world.another('source');
      // Its ids are lower than those of rows that others commit before it.
      await late.query(`begin; insert into item (name) select 'late' from generate_series(1, 50) g`);
      await world.source.query(`insert into item (name) select 'early' from generate_series(1, 50) g`);
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

    test('one that rolls back leaves nothing behind, and ids that commit out of order land once', async () => {
      world = await World.create(into, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }), from);
      await world.worker();
      const others = await Promise.all([1, 2, 3, 4].map(() => world.another('source')));
      for (const other of others) {
        await other.query(`begin; insert into item (name) select 'of one' from generate_series(1, 30) g`);
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
      expect(await world.run(ITEM)).toMatchObject(NOTHING_NEW);
    });

    /** Slow enough to be met half-way, by `name`, of which one is too long for the landing table until it is mended. */
    async function begun(yaml: string, broken: string, options: Parameters<World['worker']>[0] = {}) {
      const columns = COLUMNS.replace('name text', 'name varchar(20)');
      const source = SLOW_SOURCE(1200, 0.005);
      world = await World.create(into, ITEMS({ source, columns, yaml: `lanes: 1\n${yaml}` }), from);
      await world.source.query(`update stock set name = '${broken}' where id = 950`);
      const patient = await world.worker(options);
      const handle = await world.start(ITEM);
      await until(() => halfway(world), 90);
      return { handle, patient };
    }

    /** From now on there is one that does not end, and nobody is waited for: MySQL's others, of other tests, neither. */
    async function hurried(patient: RunningWorker, options: Parameters<World['worker']>[0] = {}) {
      await patient.stop();
      const open = await world.another('source', 'monthly report');
      await open.query(`begin; insert into stock values (5000, 'of the next window', 1)`);
      await world.worker({ ...options, settleLimitMs: 0 });
    }

    test('a batch that is resumed waits for nobody: its window was closed before it was planned', async () => {
      const { handle, patient } = await begun('on_failure: hold', 'too long for the landing table');
      expect(await ended(handle)).toMatchObject({ ok: false });
      expect(await world.states(ITEM)).toEqual(['held']);
      await world.source.query(`update stock set name = 'mended' where id = 950`);
      await hurried(patient);
      const resumed = await world.run({ load: ITEM, resume: true });
      expect(resumed).toMatchObject({ ok: true, result: { batch: { batchId: '1' }, rowsWritten: 1200 } });
      await expectAcquired(world);
    });

    test('a load that goes on in a new run, its history being long, waits for nobody either', async () => {
      const { handle, patient } = await begun('', 'short', { historyLimit: 1 });
      await hurried(patient, { historyLimit: 1 });
      expect(await ended(handle)).toMatchObject({ ok: true, result: { batch: { batchId: '1' }, rowsWritten: 1200 } });
      const { raw } = await world.client.workflow.getHandle(`load/${ITEM}`).describe();
      const { firstRunId, execution } = raw.workflowExecutionInfo!;
      expect(execution!.runId).not.toBe(firstRunId);
      await expectAcquired(world);
    });
  },
);

describe.each(someServers(import.meta.url))('one that does not end, on $name', { timeout: 300_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('one that stays open fails the load after a while, which names it; the next run has its rows too', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    const impatient = await world.worker({ settleLimitMs: 1_500 });
    const open = await world.another('source', 'monthly report');
    await open.query(`begin; insert into item (name) values ('open')`);
    await world.source.query(`insert into item (name) values ('shut')`);
    const [{ id }] = (await open.query<{ id: number }>(world.words.self)).rows as [{ id: number }];
    const failed = await world.run(ITEM);
    expect(failed).toMatchObject({ ok: false, type: 'LoadFailed' });
    expect(!failed.ok && failed.message).toMatch(world.words.family === 'postgres' ? /^1 transaction / : /^\d+ trans/);
    // MySQL tells from where a connection comes, not of what it calls itself; those of other tests stand beside it there.
    const theirs = `connection ${id} \\(\\w+, (?:monthly report|127.0.0.1), open \\d+ s\\)`;
    const named = world.words.family === 'postgres' ? theirs : `.*(?:${theirs}|, and \\d+ more).*`;
    expect(!failed.ok && failed.message).toMatch(
      new RegExp(
        `^\\d+ transactions? on source stayed open for 1.5 s, and (?:it|they) could still commit rows into this window: ${named}$`,
      ),
    );
    expect(await world.states(ITEM)).toEqual(['failed']);
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    await open.query('commit');
    await impatient.stop();
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 12 } });
    await expectAcquired(world);
  });
});

describe.each(oneOf(servers, import.meta.url))('background workers of $name', { timeout: 120_000 }, (server) => {
  let world: World;
  let own: OwnServer;
  afterEach(async () => {
    await world.close();
    await own.remove();
  });

  test('one that writes and commits late is waited for, as anybody else is', async () => {
    world = await World.create(server, ITEMS({ source: '', columns: COLUMNS }));
    // What a subscription brings into another table makes a trigger write into this one, which the test holds up.
    const subscribed = await subscribe(world, server, {
      published: 'create table sale (id bigint)',
      subscribed: `${PLAIN_SOURCE(10)}
        create function sold() returns trigger language plpgsql as $$ begin
          insert into public.item (name) values ('late'); perform pg_advisory_xact_lock(42); return null; end $$;
        create trigger sold after insert on sale for each row execute function sold();
        alter table sale enable always trigger sold;
        select pg_advisory_lock(42)`,
      publication: 'for table sale',
    });
    own = subscribed.own;
    const { publisher, subscriber } = subscribed;
    await world.worker();
    await publisher.query('insert into sale values (1)');
    const waiting = `select from pg_locks join pg_stat_activity using (pid)
      where locktype = 'advisory' and not granted and backend_type like 'logical replication%'`;
    await until(async () => (await subscriber.query(waiting)).rowCount === 1);
    await subscriber.query(`insert into item (name) values ('early')`);
    const handle = await world.start(ITEM);
    await settling(handle);
    await pause(700);
    expect((await chunks(world)).all).toBe(0);
    await subscriber.query('select pg_advisory_unlock(42)');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 12 } });
    expect(await world.rows('select id, name from acq.item where id > 10 order by id')).toEqual([
      { id: '11', name: 'late' },
      { id: '12', name: 'early' },
    ]);
  });
});

/** A worker that reads the source as this account, whose password is `r`. */
function workerAs(world: World, reader: string, options: Parameters<World['worker']>[0] = {}) {
  const url = new URL(world.env['SOURCE_URL']!);
  url.username = reader;
  url.password = 'r';
  return world.worker({ ...options, env: { ...world.env, SOURCE_URL: url.href } });
}

describe.each(oneOf(servers, import.meta.url))('a role with few rights on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('a role that may read only this one table waits for the transactions of others all the same', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.source.query(`
      do $$ begin create role waybill_reader login password 'r'; exception when duplicate_object then null; end $$;
      grant select on item to waybill_reader`);
    await workerAs(world, 'waybill_reader', { settleLimitMs: 1_000 });
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

describeOn(oneOf(await mysqlServers(), import.meta.url), 'a role with few rights on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('an account that may not see the transactions of others is told what it needs, and waits for them with it', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    const reader = `${world.names.prefix}reader`;
    await world.source.query(`create user ${reader} identified by 'r'; grant select on item to ${reader}`);
    try {
      const poor = await workerAs(world, reader);
      const refused = await world.run(ITEM);
      expect(refused).toMatchObject({ ok: false, type: 'Configuration' });
      const right = server.flavour === 'MySQL' ? 'replication client' : 'slave monitor';
      expect(!refused.ok && refused.next).toContain(`grant process, ${right} on *.* to it`);
      expect(await world.states(ITEM)).toEqual([]);
      await poor.stop();
      await world.source.query(`grant process, ${right} on *.* to ${reader}`);
      await workerAs(world, reader);
      const open = await world.another('source', 'shop');
      await open.query(`begin; insert into item (name) values ('open')`);
      await world.source.query(`insert into item (name) values ('shut')`);
      const handle = await world.start(ITEM);
      await settling(handle);
      await open.query('commit');
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 12 } });
      await expectAcquired(world);
    } finally {
      await world.source.query(`drop user ${reader}`);
    }
  });
});
