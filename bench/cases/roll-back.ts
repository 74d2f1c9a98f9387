import type { Client } from 'pg';
import type { Bench, Benchmark, Measured } from '../benchmark.ts';
import { settle } from '../flights.ts';
import { projectOf, startProject, waybillYaml } from '../project.ts';
import { alternate, seconds } from '../rounds.ts';
import { checksum, freshDatabase } from '../servers.ts';

/** Rows that the batch wrote; the table holds as many of an older one, which stay. */
export const ROWS = 1_000_000;

export const FILES = {
  'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true } ]
stages:
  - { name: orders, sql: "insert into core.orders select o.id, o.customer, o.amount, :batch_id from {{ acq.orders }} o",
      chunk: { input: acq.orders, rows: 50000 } }
outputs: [ core.orders ]
checks: [ { name: refused, sql: "select 1", expect: 0 } ]
`,
};

const TABLES = `
  create schema acq; create schema core; create schema bare;
  create table acq.orders (id bigint not null, customer text, amount numeric(12,2));
  insert into acq.orders select g, 'customer ' || g % 9973, g::numeric / 3 from generate_series(1, ${ROWS}) g;
  create table bare.older as select id, customer, amount, 0::bigint as batch_id from acq.orders;
  create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null);
  create index on core.orders using brin (batch_id);
  create table bare.orders (like core.orders including all);
`;

/** A batch that fails its check: from the fence until it is rolled back, against one DELETE of the same rows. */
async function measure(bench: Bench): Promise<Measured> {
  const warehouse = await freshDatabase(bench.servers);
  const { client } = warehouse;
  try {
    await client.query(TABLES);
    await client.query('vacuum (freeze, analyze)');
    const folder = await projectOf({ 'waybill.yaml': waybillYaml(bench.lanes), ...FILES });
    const project = await startProject(bench.servers, folder, { warehouse: warehouse.url });
    try {
      const took = await alternate(bench, {
        ours: {
          prepare: () => older(client, 'core.orders'),
          run: async () => (await project.loads.run('core.order', { fails: true })).seconds('fenceBatch', 'rollBack'),
          result: () => checksum(client, 'core.orders', 'id, customer, amount, batch_id'),
        },
        reference: {
          prepare: async () => {
            await older(client, 'bare.orders');
            await client.query('insert into bare.orders select id, customer, amount, 1 from bare.older');
          },
          run: () => seconds(() => client.query('delete from bare.orders where batch_id = 1')),
          result: () => checksum(client, 'bare.orders', 'id, customer, amount, batch_id'),
        },
      });
      return { ...took, unit: 's' };
    } finally {
      await project.close();
    }
  } finally {
    await warehouse.drop();
  }
}

async function older(client: Client, table: string): Promise<void> {
  // Both: a vacuum that the server starts by itself for what the one side deleted would run beside the other.
  await client.query(`truncate core.orders, bare.orders; insert into ${table} table bare.older`);
  await settle(client, table);
}

export const rollBackAgainstDelete: Benchmark = {
  name: 'roll-back-delete',
  what: 'roll back of a batch of 1,000,000 rows; one bare DELETE',
  aim: 1.15,
  aimOn: 'ratio',
  measure,
};
