import type { Bench, Benchmark, Measured } from '../benchmark.ts';
import { projectOf, startProject, waybillYaml } from '../project.ts';
import { alternate, seconds } from '../rounds.ts';
import { checksum, freshDatabase } from '../servers.ts';

/** It is short: more rounds cost nothing. */
const ROUNDS_FOR_ONE = 4;

const FILES = {
  'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true } ]
stages:
  - { name: orders, sql: "insert into core.orders select o.id, o.customer, :batch_id from {{ acq.orders }} o",
      chunk: { input: acq.orders, rows: 50000 } }
outputs: [ core.orders ]
`,
};

const TABLES = `
  create schema acq; create schema core; create schema bare;
  create table acq.orders (id bigint not null, customer text);
  create table bare.landed as select g::bigint as id, 'customer ' || g as customer from generate_series(1, 10) g;
  create table core.orders (id bigint, customer text, batch_id bigint not null);
  create table bare.orders (like core.orders including all);
`;

/** Ten rows, from the start of the load until they are published: what all the rest costs that is not rows. */
async function measure(bench: Bench): Promise<Measured> {
  const warehouse = await freshDatabase(bench.servers);
  const { client } = warehouse;
  try {
    await client.query(TABLES);
    const folder = await projectOf({ 'waybill.yaml': waybillYaml(bench.lanes), ...FILES });
    const project = await startProject(bench.servers, folder, { warehouse: warehouse.url });
    try {
      const took = await alternate(
        { ...bench, rounds: bench.rounds * ROUNDS_FOR_ONE },
        {
          ours: {
            prepare: async () => {
              await client.query('truncate core.orders; insert into acq.orders table bare.landed');
            },
            run: async () => (await project.loads.run('core.order')).seconds('start', 'publish'),
            result: () => checksum(client, 'core.orders', 'id, customer'),
          },
          reference: {
            prepare: async () => {
              await client.query('truncate bare.orders');
            },
            run: () => seconds(() => client.query('insert into bare.orders select id, customer, 1 from bare.landed')),
            result: () => checksum(client, 'bare.orders', 'id, customer'),
          },
        },
      );
      return { ...took, unit: 's' };
    } finally {
      await project.close();
    }
  } finally {
    await warehouse.drop();
  }
}

export const tenRows: Benchmark = {
  name: 'ten-row-load',
  what: 'core load of ten rows, start to publish; the bare statement',
  aim: 0.8,
  aimOn: 'ours',
  measure,
};
