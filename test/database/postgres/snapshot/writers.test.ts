import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { dropSnapshot } from '../../../../src/database/postgres/snapshot/drop.ts';
import { lockTables } from '../../../../src/database/postgres/snapshot/lock-tables.ts';
import { swapTable } from '../../../../src/database/postgres/snapshot/swap.ts';
import type { TableName } from '../../../../src/database/postgres/snapshot/table-name.ts';
import { oneOf } from '../../../seed.ts';
import { servers } from '../../../servers.ts';
import { inTransaction, Scene } from './scene.ts';

const A: TableName = { schema: 'acq', name: 'a' };
const B: TableName = { schema: 'acq', name: 'b' };
/** Of both tables at once. */
const SWAPS = inject('seed').all ? 300 : 20;
const LOCK_TIMEOUT_MS = 1_500;
/** What a transaction may take besides, where tests run side by side. */
const BUSY_MACHINE_MS = 4_000;

const SCHEMA = `
create table acq.country (id int primary key); insert into acq.country values (1);
create table acq.a (gone int, id bigserial primary key, writer text not null, n int not null, c int default 1 references acq.country, unique (writer, n));
alter table acq.a drop gone;
create table acq.b (k bigint generated always as identity, writer text not null, n int not null, v text);
create index on acq.b (n);
create view acq.av as select writer, n from acq.a;
create function acq.put(p_writer text, p_n int) returns void language plpgsql as $$
declare r acq.b%rowtype;
begin
  r.writer := p_writer; r.n := p_n;
  insert into acq.b (writer, n, v) values (r.writer, r.n, 'f');
end $$;`;

/** Each writes row `n` of itself and resolves once that is committed. Some write to both tables, in either order. */
const WRITERS: Record<string, { into: TableName[]; write: (client: Client, n: number) => Promise<unknown> }> = {
  plain: { into: [A], write: (client, n) => client.query(`insert into acq.a (writer, n) values ('plain', ${n})`) },
  prepared: {
    into: [B],
    write: (client, n) =>
      client.query({ name: 'put', text: `insert into acq.b (writer, n) values ('prepared', $1)`, values: [n] }),
  },
  copy: {
    into: [A],
    write: (client, n) =>
      pipeline(Readable.from([`copy\t${n}\n`]), client.query(copyFrom('copy acq.a (writer, n) from stdin'))),
  },
  plpgsql: {
    into: [B],
    write: (client, n) => client.query({ name: 'call', text: `select acq.put('plpgsql', $1)`, values: [n] }),
  },
  'insert select': {
    into: [A],
    write: (client, n) =>
      client.query(`insert into acq.a (writer, n) select 'insert select', max(x) + ${n} from generate_series(-9, 0) x`),
  },
  'through a view': {
    into: [A],
    write: (client, n) => client.query(`insert into acq.av values ('through a view', ${n})`),
  },
  'repeatable read': {
    into: [B],
    write: (client, n) =>
      client.query(
        `begin isolation level repeatable read; insert into acq.b (writer, n) values ('repeatable read', ${n}); commit`,
      ),
  },
  'a then b': {
    into: [A, B],
    write: async (client, n) => {
      await client.query(`begin; insert into acq.a (writer, n) values ('a then b', ${n})`);
      await client.query(`insert into acq.b (writer, n) values ('a then b', ${n}); commit`);
    },
  },
  'b then a': {
    into: [A, B],
    write: async (client, n) => {
      await client.query(`begin; insert into acq.b (writer, n) values ('b then a', ${n})`);
      await client.query(`insert into acq.a (writer, n) select 'b then a', ${n} from nextval('acq.a_id_seq'); commit`);
    },
  },
};

describe.each(oneOf(servers, import.meta.url))('writers without pause on $name', { retry: 0 }, (server) => {
  let scene: Scene;
  afterEach(() => scene.close());

  test(
    `through ${SWAPS} swaps of two tables: no row is lost, none is doubled, no writer fails`,
    { timeout: 120_000 + SWAPS * 2_000 },
    async () => {
      scene = await Scene.open(server);
      await scene.client.query(SCHEMA);
      let stop = false;
      const written = Object.entries(WRITERS).map(async ([name, { write }]) => {
        const client = await scene.connect(name);
        let n = 0;
        let longest = 0;
        while (!stop) {
          const started = performance.now();
          await write(client, n);
          longest = Math.max(longest, performance.now() - started);
          n += 1;
        }
        return { name, n, longest };
      });
      const everything = Promise.all(written);
      let failure: unknown;
      everything.catch((error: unknown) => (failure = error));
      const reads = readers(scene, () => stop);

      const counted = new Map<string, number>();
      let attempts = 0;
      let longestSwap = 0;
      for (let swap = 0; swap < SWAPS && failure === undefined; swap += 1) {
        const { oids, tries, milliseconds } = await swapBoth(scene.client);
        attempts += tries;
        longestSwap = Math.max(longestSwap, milliseconds);
        for (const table of [A, B]) {
          const processing = { schema: 'acq', name: `${table.name}_processing` };
          await count(scene.client, processing, counted);
          expect(
            await inTransaction(scene.client, () => dropSnapshot(scene.client, processing, oids[table.name]!)),
          ).toBe('dropped');
        }
        await sleep(30);
      }
      stop = true;
      const results = await everything;
      await reads;
      for (const table of [A, B]) await count(scene.client, table, counted);

      for (const { name, n, longest } of results) {
        expect(n, `${name} wrote`).toBeGreaterThan(SWAPS);
        const inLine = LOCK_TIMEOUT_MS * WRITERS[name]!.into.length;
        expect(longest, `milliseconds that ${name} took`).toBeLessThan(inLine + BUSY_MACHINE_MS);
        for (const table of WRITERS[name]!.into)
          expect(counted.get(`${table.name} ${name}`), `${name} into ${table.name}`).toBe(n);
      }
      console.log(
        `${server.name}: ${SWAPS} swaps of 2 tables, ${attempts} attempts, locks held ${longestSwap.toFixed(0)} ms at most; ` +
          `${results.reduce((sum, one) => sum + one.n, 0)} transactions, the longest ${Math.max(...results.map((one) => one.longest)).toFixed(0)} ms`,
      );
    },
  );
});

/** Reads the view and then the table, and the other way round, for as long as the writers write. */
async function readers(scene: Scene, stopped: () => boolean): Promise<void> {
  const client = await scene.connect('reader');
  while (!stopped()) {
    await client.query('begin; select count(*) from acq.av; select count(*) from acq.a; commit');
    await client.query('begin; select count(*) from acq.a; select count(*) from acq.av; commit');
  }
}

async function swapBoth(
  client: Client,
): Promise<{ oids: Record<string, string>; tries: number; milliseconds: number }> {
  return inTransaction(client, async () => {
    let waitFirst: TableName | undefined;
    for (let tries = 1; tries < 2000; tries += 1) {
      const result = await lockTables(client, [A, B], { lockTimeoutMs: LOCK_TIMEOUT_MS, waitFirst });
      if (!result.locked) {
        waitFirst = result.waitingFor;
        continue;
      }
      const started = performance.now();
      const oids: Record<string, string> = {};
      for (const table of [A, B]) {
        oids[table.name] = (
          await swapTable(client, table, { processingName: `${table.name}_processing`, controlSchema: 'waybill' })
        ).oid;
      }
      return { oids, tries, milliseconds: performance.now() - started };
    }
    throw new Error('the locks were never to be had');
  });
}

/** Adds the rows of each writer; a row that stood twice in a table would count twice. */
async function count(client: Client, table: TableName, into: Map<string, number>): Promise<void> {
  const { rows } = await client.query<{ writer: string; n: number }>(
    `select writer, count(*)::int as n from acq.${table.name} group by writer`,
  );
  for (const { writer, n } of rows) {
    const key = `${table.name.replace('_processing', '')} ${writer}`;
    into.set(key, (into.get(key) ?? 0) + n);
  }
}
