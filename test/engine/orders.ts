/** The small project of the engine's tests: orders land in acq.orders, a core load processes them. */
import type { WorldOptions } from './world.ts';

export { World } from './world.ts';

export interface OrdersOptions {
  /** Rows a chunk. Default 100. */
  rows?: number;
  lanes?: number;
  /** Text added to loads/core/order.yaml. */
  yaml?: string;
  /** The stage's SQL instead of the plain one. */
  sql?: string;
}

export const PLAIN_SQL = `
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2, :batch_id from {{ acq.orders }} o`;

/** What `PLAIN_SQL` makes of the landing rows, as one statement: run it on the rows that were landed. */
export const EXPECTED = 'select id, customer, amount * 2 as amount from kept.orders order by id';

/** `n` orders landed, and kept a second time in kept.orders, to compare with. */
export function ORDERS(n: number, options: OrdersOptions = {}): WorldOptions {
  return {
    files: {
      'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true } ]
lanes: ${options.lanes ?? 2}
stages:
  - { name: orders, sql: order.sql, chunk: { input: acq.orders, rows: ${options.rows ?? 100} } }
outputs: [ core.orders ]
${options.yaml ?? ''}`,
      'loads/core/order.sql': options.sql ?? PLAIN_SQL,
    },
    warehouse: `
      create schema acq; create schema core; create schema kept;
      create table acq.orders (id bigint primary key, customer text not null, amount numeric(12,2));
      create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null);
      create index on core.orders (batch_id);
      insert into acq.orders select g, 'customer ' || g % 97, g::numeric / 3 from generate_series(1, ${n}) g;
      create table kept.orders as table acq.orders;`,
  };
}
