import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bench, Benchmark, Measured } from '../benchmark.ts';
import { compileWaybill, startCompiledWorker } from '../compiled-worker.ts';
import { Loads, projectOf, waybillYaml } from '../project.ts';
import { median, LEAST_ROUNDS } from '../rounds.ts';
import { say } from '../report.ts';
import { freshDatabase, type BenchDatabase } from '../servers.ts';

/** Far more than can be done before the kill, and after it until somebody goes on. */
const CHUNKS = 10_000;
const LONGEST_WAIT_MS = 120_000;

const FILES = {
  'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true } ]
stages:
  - { name: orders, sql: "insert into core.orders select o.id, :batch_id from {{ acq.orders }} o, (select pg_sleep(0.05)) p",
      chunk: { input: acq.orders, rows: 1, key: id } }
outputs: [ core.orders ]
`,
};

const TABLES = `
  create schema acq; create schema core;
  create table acq.orders (id bigint primary key);
  insert into acq.orders select generate_series(1, ${CHUNKS});
  create table core.orders (id bigint, batch_id bigint not null);
`;

/** One worker runs all the lanes, another stands by; the first one gets SIGKILL. */
async function measure(bench: Bench): Promise<Measured> {
  const program = await compileWaybill();
  const loads = await Loads.connect(bench.servers);
  const ours: number[] = [];
  const reference: number[] = [];
  try {
    for (let round = 1; round <= Math.max(LEAST_ROUNDS, bench.rounds); round += 1) {
      const took = await killOnce(bench, program, loads);
      ours.push(took.afterKill);
      reference.push(took.longestBefore);
      say(`round ${round}: ours ${took.afterKill.toFixed(3)}, reference ${took.longestBefore.toFixed(3)}`);
    }
    return { ours: median(ours), reference: median(reference), unit: 's' };
  } finally {
    await loads.close();
  }
}

async function killOnce(
  { servers, lanes }: Bench,
  program: string,
  loads: Loads,
): Promise<{ afterKill: number; longestBefore: number }> {
  const warehouse = await freshDatabase(servers);
  const folder = await projectOf({ 'waybill.yaml': waybillYaml(lanes), ...FILES });
  const start = () =>
    startCompiledWorker(program, servers, folder, { source: warehouse.url, warehouse: warehouse.url });
  const before = await loads.workers(); // Temporal remembers for a while who has asked
  try {
    await warehouse.client.query(TABLES);
    const first = start();
    await until(async () => (await loads.workers()) > before);
    const load = await loads.leave('core.order');
    // Lanes come back after 5 s: until then all of them are the first worker's.
    const second = start();
    try {
      await until(async () => (await loads.workers()) > before + 1);
      await first.kill();
      const killed = await now(warehouse);
      await until(async () => (await doneAfter(warehouse, killed)) !== undefined);
      await proveOnce(warehouse);
      return {
        afterKill: (await doneAfter(warehouse, killed))!,
        longestBefore: await longestBefore(warehouse, killed),
      };
    } finally {
      await second.stop();
      await load.abandon();
    }
  } finally {
    await warehouse.drop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function now({ client }: BenchDatabase): Promise<string> {
  return (await client.query<{ at: string }>('select clock_timestamp()::text as at')).rows[0]!.at;
}

/** In one statement, so of one moment: no row stands twice, and there are as many as the ledger has. */
async function proveOnce({ client }: BenchDatabase): Promise<void> {
  const { rows } = await client.query<{ all: string; ids: string; ledger: string }>(
    `select count(*) as "all", count(distinct id) as ids,
       (select coalesce(sum(row_count), 0) from waybill.chunk where state = 'done') as ledger
     from core.orders`,
  );
  const { all, ids, ledger } = rows[0]!;
  if (all !== ids || all !== ledger) throw new Error(`${all} rows of ${ids} ids, and ${ledger} in the ledger`);
}

/** Seconds until the first chunk that was finished after this; undefined: none yet. */
async function doneAfter({ client }: BenchDatabase, at: string): Promise<number | undefined> {
  const { rows } = await client.query<{ seconds: number | null }>(
    `select extract(epoch from min(finished_at) - $1)::float8 as seconds from waybill.chunk
     where state = 'done' and finished_at > $1`,
    [at],
  );
  return rows[0]?.seconds ?? undefined;
}

/** The longest time between two chunks while nobody was killed. */
async function longestBefore({ client }: BenchDatabase, at: string): Promise<number> {
  const { rows } = await client.query<{ seconds: number }>(
    `select extract(epoch from max(pause))::float8 as seconds from (
       select finished_at - lag(finished_at) over (order by finished_at) as pause from waybill.chunk
       where state = 'done' and finished_at < $1) pauses`,
    [at],
  );
  return rows[0]!.seconds;
}

async function until(probe: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + LONGEST_WAIT_MS;
  while (!(await probe())) {
    if (performance.now() > end) throw new Error(`nothing came within ${LONGEST_WAIT_MS / 1000} s`);
    await pause(50);
  }
}

export const killedWorker: Benchmark = {
  name: 'killed-worker',
  what: 'SIGKILL of the worker that runs all lanes, until the one that stands by has committed a chunk; longest time between two',
  aim: 15,
  aimOn: 'ours',
  measure,
};
