import type { Bench, Benchmark, Measured } from '../benchmark.ts';
import { loop } from '../loop.ts';
import { projectOf, startProject, waybillYaml } from '../project.ts';
import { alternate, seconds } from '../rounds.ts';
import { checksum, freshDatabase } from '../servers.ts';

export const CHUNKS = 20_000;
/** As in FACTS.md ("Temporal, measured"): a claim waits for its commit, and other lanes go on meanwhile. */
export const LANES = 4;

/** One row a chunk, by its key; the statement looks for it and writes nothing. */
export const FILES = {
  'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true } ]
stages:
  - { name: orders, sql: "insert into core.orders select o.id, :batch_id from {{ acq.orders }} o where o.id < 0",
      chunk: { input: acq.orders, rows: 1, key: id } }
outputs: [ core.orders ]
`,
};

const TABLES = `
  create schema acq; create schema core; create schema bare;
  create table acq.orders (id bigint primary key);
  create table bare.landed (id bigint primary key);
  insert into bare.landed select generate_series(1, ${CHUNKS});
  create table core.orders (id bigint, batch_id bigint not null);
  create table bare.orders (like core.orders including all);
`;

/** What the ledger costs a chunk: 20,000 chunks that do nothing, less the same statements in a bare loop. */
async function measure(bench: Bench): Promise<Measured> {
  const warehouse = await freshDatabase(bench.servers);
  const { client, url } = warehouse;
  try {
    await client.query(TABLES);
    const folder = await projectOf({ 'waybill.yaml': waybillYaml(LANES), ...FILES });
    const project = await startProject(bench.servers, folder, { warehouse: url });
    const statements = Array.from(
      { length: CHUNKS },
      (_, i) =>
        `insert into bare.orders select o.id, 1 from (select * from bare.landed
         where id is not null and id >= ${i + 1} and id < ${i + 2}) o where o.id < 0`,
    );
    try {
      const took = await alternate(bench, {
        ours: {
          prepare: async () => {
            await client.query('insert into acq.orders table bare.landed');
            await client.query('vacuum analyze acq.orders');
          },
          run: async () => {
            await project.loads.run('core.order');
            const { rows } = await client.query<{ ms: number; chunks: number }>(`
              select extract(epoch from max(finished_at) - min(started_at))::float8 * 1000 as ms, count(*)::int as chunks
              from waybill.chunk where batch_id = (select max(batch_id) from waybill.batch) and state = 'done'`);
            if (rows[0]!.chunks !== CHUNKS) throw new Error(`${rows[0]!.chunks} chunks were done, not ${CHUNKS}`);
            return rows[0]!.ms / CHUNKS;
          },
          result: () => checksum(client, 'core.orders', 'id'),
        },
        reference: {
          run: async () => ((await seconds(() => loop(url, statements, LANES))) * 1000) / CHUNKS,
          result: () => checksum(client, 'bare.orders', 'id'),
        },
      });
      return { ours: took.ours - took.reference, reference: took.reference, unit: 'ms' };
    } finally {
      await project.close();
    }
  } finally {
    await warehouse.drop();
  }
}

export const claimOverhead: Benchmark = {
  name: 'claim-overhead',
  what: '20,000 empty chunks on 4 lanes: what a chunk takes beyond its bare statement; the bare statement',
  aim: 0.6,
  aimOn: 'ours',
  measure,
};
