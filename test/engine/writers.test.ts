/** Writers that insert without pause while core loads take one snapshot after another. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { BatchView } from '../../src/client/views.ts';
import { progressQuery } from '../../src/workflows/messages.ts';
import { document, waybill } from '../cli/command-line.ts';
import { servers } from '../servers.ts';
import { ended, until, World } from './world.ts';

vi.setConfig({ testTimeout: 300_000 });

const LOADS = 10;

const FILES = {
  'loads/core/both.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.a, external: true }, { table: acq.b, external: true } ]
stages:
  - { name: a, chunk: { input: acq.a, rows: 2000 }, sql: "insert into core.a select a.id, a.writer, a.n, :batch_id from {{ acq.a }} a" }
  - { name: b, chunk: { input: acq.b, rows: 2000, key: k }, sql: "insert into core.b select b.k, b.writer, b.n, :batch_id from {{ acq.b }} b" }
outputs: [ core.a, core.b ]
`,
};

const SCHEMA = `
create schema acq; create schema core;
create table acq.a (id bigserial primary key, writer text not null, n int not null);
create index on acq.a (writer, n);
create table acq.b (k bigint generated always as identity primary key, writer text not null, n int not null);
create table core.a (id bigint, writer text, n int, batch_id bigint);
create table core.b (k bigint, writer text, n int, batch_id bigint);
create index on core.a (batch_id); create index on core.b (batch_id);`;

/** Each writes row `n` of its own and resolves once it is committed. */
const WRITERS: Record<
  string,
  { into: ('a' | 'b')[]; rows: number; write: (client: pg.Client, n: number) => Promise<unknown> }
> = {
  plain: {
    into: ['a'],
    rows: 1,
    write: (client, n) => client.query(`insert into acq.a (writer, n) values ('plain', ${n})`),
  },
  prepared: {
    into: ['b'],
    rows: 1,
    write: (client, n) =>
      client.query({ name: 'put', text: `insert into acq.b (writer, n) values ('prepared', $1)`, values: [n] }),
  },
  copy: {
    into: ['a'],
    rows: 3,
    write: (client, n) =>
      pipeline(
        Readable.from([`copy\t${n}\ncopy\t${n}\ncopy\t${n}\n`]),
        client.query(copyFrom('copy acq.a (writer, n) from stdin')),
      ),
  },
  'several in one transaction': {
    into: ['b'],
    rows: 4,
    write: async (client, n) => {
      await client.query('begin');
      for (let row = 0; row < 4; row += 1) {
        await client.query(`insert into acq.b (writer, n) values ('several in one transaction', ${n})`);
      }
      await client.query('commit');
    },
  },
  'a then b': {
    into: ['a', 'b'],
    rows: 1,
    write: async (client, n) => {
      await client.query(`begin; insert into acq.a (writer, n) values ('a then b', ${n})`);
      await client.query(`insert into acq.b (writer, n) values ('a then b', ${n}); commit`);
    },
  },
  'b then a': {
    into: ['a', 'b'],
    rows: 1,
    write: async (client, n) => {
      await client.query(`begin; insert into acq.b (writer, n) values ('b then a', ${n})`);
      await client.query(`insert into acq.a (writer, n) values ('b then a', ${n}); commit`);
    },
  },
};

/** Lets all writers write until `stop` is called, which answers how many times each did. */
function startWriting(world: World): { failed: () => unknown; stop: () => Promise<Record<string, number>> } {
  let stopped = false;
  let failure: unknown;
  const written: Record<string, number> = {};
  const writing = Object.entries(WRITERS).map(async ([name, { write }]) => {
    const client = new pg.Client({ connectionString: world.env['WAREHOUSE_URL'], application_name: `writer ${name}` });
    client.on('error', () => undefined); // the write that was under way rejects
    await client.connect();
    written[name] = 0;
    try {
      while (!stopped) {
        await write(client, written[name]);
        written[name] += 1;
      }
    } catch (error) {
      failure ??= error;
    } finally {
      await client.end().catch(() => undefined);
    }
  });
  return {
    failed: () => failure,
    stop: async () => {
      stopped = true;
      await Promise.all(writing);
      return written;
    },
  };
}

/** Every row of every writer stands in the core tables, as often as it was written. */
async function expectWritten(world: World, written: Record<string, number>, least: number): Promise<void> {
  for (const [name, { into, rows }] of Object.entries(WRITERS)) {
    expect(written[name], `${name} wrote`).toBeGreaterThan(least);
    for (const table of into) {
      const differences = await world.rows(
        `with expected as (select n from generate_series(0, $2::int - 1) n, generate_series(1, $3::int) copies),
              found as (select n from core.${table} where writer = $1)
         (table expected except all table found) union all (table found except all table expected)`,
        [name, written[name], rows],
      );
      expect(differences, `${name} into ${table}, lost or doubled`).toEqual([]);
    }
  }
}

/** How long one attempt at a lock may wait (src/activities/take-snapshot.ts, docs/snapshot.md). */
const LOCK_WAIT_S = 2;

/** Watches how long writers wait for a lock that is not granted: the server's own clock, looked at all the time. */
async function longestInLine(world: World): Promise<{ longest: () => number; waits: () => number; stop: () => void }> {
  const watcher = await world.another('warehouse', 'watcher');
  let [longest, waits, inLine, stopped] = [0, 0, false, false];
  const look = async (): Promise<void> => {
    while (!stopped) {
      const { rows } = await watcher.query<{ seconds: number | null }>(`
        select max(extract(epoch from clock_timestamp() - l.waitstart))::float8 as seconds
        from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where not l.granted and l.locktype = 'relation' and a.application_name like 'writer %'
          and a.datname = current_database()`);
      const seconds = rows[0]?.seconds ?? 0;
      if (seconds > 0.3 && !inLine) waits += 1;
      inLine = seconds > 0.3;
      longest = Math.max(longest, seconds);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  look().catch(() => undefined); // the world is closed under it
  return { longest: () => longest, waits: () => waits, stop: () => (stopped = true) };
}

describe.each(servers)('writers without pause on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test(`through ${LOADS} loads of two inputs: no row is lost, none comes twice, no writer fails, no transaction is split`, async () => {
    world = await World.create(server, { files: FILES, warehouse: SCHEMA });
    await world.worker();
    const writers = startWriting(world);
    let written: Record<string, number>;
    try {
      for (let load = 1; load <= LOADS; load += 1) {
        expect(await world.run('core.both'), `load ${load}`).toMatchObject({
          ok: true,
          result: { status: 'finished' },
        });
        expect(writers.failed(), `a writer failed during load ${load}`).toBeUndefined();
      }
    } finally {
      written = await writers.stop();
    }
    expect(writers.failed()).toBeUndefined();
    expect(await world.run('core.both')).toMatchObject({ ok: true }); // what is left
    expect(await world.states('core.both')).toEqual(Array(LOADS + 1).fill('published'));
    expect(await world.rows('select * from acq.a union all select * from acq.b')).toEqual([]);

    await expectWritten(world, written, LOADS);
    // One transaction's rows are one batch's rows, also when it wrote into both inputs.
    const split = `select writer, n from (select writer, n, batch_id from core.a union select writer, n, batch_id from core.b) w
                   group by writer, n having count(*) > 1`;
    expect(await world.rows(split)).toEqual([]);
    // The sequences of the landing tables never stepped back.
    expect(await world.rows('select id from core.a group by id having count(*) > 1')).toEqual([]);
    expect(await world.rows('select k from core.b group by k having count(*) > 1')).toEqual([]);
  });

  test('a long reader of an input: the load waits and says for whom, and no writer stands in line longer than the setting', async () => {
    world = await World.create(server, { files: FILES, warehouse: SCHEMA });
    await world.worker();
    const reader = await world.another('warehouse', 'a long report');
    await reader.query(`begin; select count(*) from acq.a`);
    const writers = startWriting(world);
    const line = await longestInLine(world);
    let written: Record<string, number>;
    try {
      const handle = await world.start('core.both');
      const waits = async () => {
        const [view] = document(await waybill(world, 'status', '--json')) as BatchView[];
        return view?.waiting;
      };
      expect(await until(waits, 90)).toMatch(
        /^waits for acq.a, in use by connection \d+ \(\w+, a long report, query \d+ s\)/,
      );
      expect((await handle.query(progressQuery)).phase).toBe('snapshot');
      await until(() => Promise.resolve(line.waits() > 3), 90);
      expect(await world.value(`select to_regclass('acq.a_processing')`)).toBeNull();
      expect(line.longest(), 'seconds that a writer stood in line').toBeGreaterThan(0.5);
      expect(line.longest(), 'seconds that a writer stood in line').toBeLessThan(LOCK_WAIT_S + 1);
      await reader.query('commit');
      expect(await ended(handle)).toMatchObject({ ok: true, result: { status: 'finished' } });
    } finally {
      line.stop();
      written = await writers.stop();
    }
    expect(writers.failed()).toBeUndefined();
    expect(await world.run('core.both')).toMatchObject({ ok: true });
    await expectWritten(world, written, 3);
  });

  test('a worker that is asked to stop while the snapshot waits for a lock does stop, and another one takes it', async () => {
    world = await World.create(server, { files: FILES, warehouse: SCHEMA });
    await world.warehouse.query(
      `insert into acq.a (writer, n) values ('before', 0); insert into acq.b (writer, n) values ('before', 0)`,
    );
    const writer = new pg.Client({ connectionString: world.env['WAREHOUSE_URL'] });
    await writer.connect();
    await writer.query(`begin; insert into acq.b (writer, n) values ('slow', 0)`);
    const first = await world.worker();
    const handle = await world.start('core.both');
    const waits = `select count(*) > 0 from pg_stat_activity where application_name = 'waybill 1 snapshot'
                   and datname = current_database() and wait_event_type = 'Lock'`;
    await until(() => world.value(waits), 90);
    await first.stop();
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await world.worker();
    await until(() => world.value(waits), 90);
    await writer.query(`insert into acq.a (writer, n) values ('slow', 0); commit`);
    await writer.end();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 4 } });
    expect(await world.rows('select writer, n from core.a order by 1')).toEqual([
      { writer: 'before', n: 0 },
      { writer: 'slow', n: 0 },
    ]);
    expect(await world.rows('select * from acq.a union all select * from acq.b')).toEqual([]);
  });
});
