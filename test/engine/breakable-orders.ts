/** Orders that cannot be loaded while a setting says so: for tests of what a failure leaves behind. */
import { ORDERS, type OrdersOptions } from './orders.ts';
import type { World, WorldOptions } from './world.ts';

/**
 * Like `ORDERS`, in chunks of 100 ids; the chunk that holds the order `core.settings.broken` fails for good. Each chunk
 * sleeps `core.settings.pause` seconds, and leaves its first id in core.ran, which no roll back empties.
 */
export function BREAKABLE(n: number, options: OrdersOptions & { broken?: number; pause?: number } = {}): WorldOptions {
  const { broken = 50, pause = 0, ...rest } = options;
  const sql = `
    insert into core.orders (id, customer, amount, batch_id)
    select o.id, o.customer, o.amount * 2 / (case when o.id = (select broken from core.settings) then 0 else 1 end), :batch_id
    from {{ acq.orders }} o, (select pg_sleep(pause) from core.settings) pause;
    insert into core.ran (batch_id, id) select :batch_id, min(o.id) from {{ acq.orders }} o`;
  const orders = ORDERS(n, { byKey: true, sql, ...rest });
  return {
    ...orders,
    warehouse: `${orders.warehouse}
      create table core.ran (batch_id bigint, id bigint);
      create table core.settings (broken bigint, pause float8);
      insert into core.settings values (${broken}, ${pause});`,
  };
}

/** From now on every chunk can be done. */
export const mend = async (world: World): Promise<void> => {
  await world.warehouse.query('update core.settings set broken = 0, pause = 0');
};

/** One more order lands, and is kept to compare with unless it is to be lost. */
export async function land(world: World, id: number, kept = true): Promise<void> {
  await world.warehouse.query(`insert into acq.orders values (${id}, 'late', 1)`);
  if (kept) await world.warehouse.query(`insert into kept.orders values (${id}, 'late', 1)`);
}

/** What the ledger says of every batch, oldest first. */
export const batches = (
  world: World,
): Promise<{ batch_id: string; state: string; reprocess_of: string | null; error_class: string | null }[]> =>
  world.rows('select batch_id, state, reprocess_of, error_class from waybill.batch order by batch_id');

/** Chunks of the newest batch that are done. */
export const done = async (world: World): Promise<number> =>
  Number(
    await world.value(`select count(*) from waybill.chunk where state = 'done'
                            and batch_id = (select max(batch_id) from waybill.batch)`),
  );

/** Whether a table of this name is there. */
export const exists = (world: World, table: string): Promise<boolean> => world.exists(table);
