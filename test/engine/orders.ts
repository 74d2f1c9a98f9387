/** The small project of the engine's tests: orders land in acq.orders, a core load processes them. */
import type { WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import type { load } from '../../src/workflows/load.ts';
import { ended, type World as AnyWorld, type WorldOptions } from './world.ts';

export { World } from './world.ts';

export interface OrdersOptions {
  /** Rows a chunk. Default 100. */
  rows?: number;
  /** Cut by id instead of by pages: chunks of exactly `rows` rows. */
  byKey?: boolean;
  lanes?: number;
  /** Text added to loads/core/order.yaml. */
  yaml?: string;
  /** The stage's SQL instead of the plain one. */
  sql?: string;
}

export const PLAIN_SQL = `
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2, :batch_id from {{ acq.orders }} o`;

/** `PLAIN_SQL`, a while a chunk. */
export const SLOW_SQL = (seconds: number): string => `
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2, :batch_id from {{ acq.orders }} o, (select pg_sleep(${seconds})) pause`;

/**
 * Makes the function `core.come_again()`, which fails with an error that is worth another attempt, whenever this is true of
 * `n`, its n-th call; no roll back takes calls back. For `WorldOptions.own`.
 */
export const comingAgain = (when: string): Record<'postgres' | 'mysql', string> => ({
  postgres: `
    create sequence core.tries;
    create function core.come_again() returns void language plpgsql as $$
    declare n bigint := nextval('core.tries');
    begin
      if ${when} then raise 'come again' using errcode = 'serialization_failure'; end if;
    end $$`,
  // Not both have sequences; no transaction takes back what stands in a table of this engine. 1020: "record has changed".
  mysql: `
    create table core.tries (n bigint) engine = MyISAM;
    insert into core.tries values (0);
    create function core.come_again() returns int deterministic modifies sql data
    begin
      declare n bigint;
      update core.tries t set t.n = t.n + 1;
      select t.n into n from core.tries t;
      if ${when} then signal sqlstate 'HY000' set mysql_errno = 1020, message_text = 'come again'; end if;
      return 1;
    end`,
});

/** The core table holds exactly what one plain statement makes of the rows that were kept, row for row. */
export async function expectWhole(world: AnyWorld, kept = 'kept.orders'): Promise<void> {
  const expected = `select id, customer, amount * 2 as amount from ${kept}`;
  await expectSame(world, expected, 'select id, customer, amount from core.orders', ['id', 'customer', 'amount']);
}

/** The load of all `n` orders that was cancelled has taken back what it wrote, and its next start has it all. */
export async function expectCancelled(world: AnyWorld, handle: WorkflowHandle<typeof load>, n: number): Promise<void> {
  expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
  expect(await world.states('core.order')).toEqual(['cancelled']);
  expect(await world.value('select count(*) from core.orders')).toBe('0');
  expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: n } });
  await expectWhole(world);
}

/** Two queries on the warehouse give the same rows, each as often. */
export async function expectSame(
  world: AnyWorld,
  expected: string,
  found: string,
  columns: readonly string[],
): Promise<void> {
  const list = columns.join(', ');
  const more = await world.rows<{ n: string }>(`
    select sum(times) as n from (
      select ${list}, 1 as times from (${expected}) e union all select ${list}, -1 as times from (${found}) f
    ) both_sides group by ${list} having sum(times) <> 0`);
  const missing = more.filter(({ n }) => !n.startsWith('-')).length;
  expect({ missing, surplus: more.length - missing }, 'rows that are not what plain SQL gives').toEqual({
    missing: 0,
    surplus: 0,
  });
}

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
  - { name: orders, sql: order.sql, chunk: { input: acq.orders, rows: ${options.rows ?? 100}${options.byKey ? ', key: id' : ''} } }
outputs: [ core.orders ]
${options.yaml ?? ''}`,
      'loads/core/order.sql': options.sql ?? PLAIN_SQL,
    },
    warehouse: `
      create schema acq; create schema core; create schema kept;
      create table acq.orders (id bigint primary key, customer text not null, amount numeric(12,2));
      create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null);
      create index orders_by_batch on core.orders (batch_id);
      insert into acq.orders select g, concat('customer ', g % 97), g::numeric / 3 from generate_series(1, ${n}) g;
      create table kept.orders as table acq.orders;`,
  };
}
