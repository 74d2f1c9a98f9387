import { readFile } from 'node:fs/promises';
import { allowed } from '../connect.ts';
import { isMysql, withDatabase, type DemoDatabase } from './database.ts';

/** Asks whether it lets us in: before anything is started for it. */
export const reach = (warehouseUrl: string): Promise<void> => withDatabase(warehouseUrl, () => Promise.resolve());

/** The tables of the warehouse, unless they are there. */
export function makeTables(warehouseUrl: string): Promise<void> {
  return apply(warehouseUrl, 'warehouse', 'core', 'flight');
}

/** The views, unless they are there. They read the control tables, which a worker makes when it starts. */
export function makeViews(warehouseUrl: string): Promise<void> {
  return apply(warehouseUrl, 'views', 'services', 'route_delay_by_day');
}

/** The highest batch so far, so that a run can tell its own from those before. */
export async function lastBatch(warehouseUrl: string): Promise<string> {
  const [row] = await ask<{ id: string }>(warehouseUrl, 'select coalesce(max(batch_id), 0) as id from waybill.batch');
  return row!.id;
}

export type BatchRow = Record<string, string | number>;

/** The batches after `since`, as a person reads them. */
export async function batchesSince(warehouseUrl: string, since: string): Promise<BatchRow[]> {
  interface Row extends Record<'load_name' | 'batch_id' | 'state' | 'rows_written' | 'chunks' | 'failed', string> {
    started_at: Date;
    finished_at: Date | null;
  }
  const rows = await ask<Row>(
    warehouseUrl,
    `select b.load_name, b.batch_id, b.state, coalesce(b.rows_written, 0) as rows_written, b.started_at, b.finished_at,
            (select count(*) from waybill.chunk c where c.batch_id = b.batch_id and c.state = 'done') as chunks,
            (select coalesce(max(attempts), 0) from waybill.chunk c where c.batch_id = b.batch_id) as failed
     from waybill.batch b where b.batch_id > ${BigInt(since)} order by b.batch_id`,
  );
  return rows.map((row) => ({
    load: row.load_name,
    batch: row.batch_id,
    state: row.state,
    rows: Number(row.rows_written),
    chunks: Number(row.chunks),
    'failed attempts': Number(row.failed),
    took: row.finished_at ? `${((row.finished_at.getTime() - row.started_at.getTime()) / 1000).toFixed(1)} s` : '',
  }));
}

/** The rows of one query. */
export function ask<T>(url: string, sql: string): Promise<T[]> {
  return withDatabase(url, (database) => database.ask<T>(sql));
}

/** Whether the database has this table or view. */
async function has(database: DemoDatabase, schema: string, table: string): Promise<boolean> {
  const [found] = await database.ask<{ n: string }>(
    `select count(*) as n from information_schema.tables where table_schema = '${schema}' and table_name = '${table}'`,
  );
  return Number(found!.n) > 0;
}

async function apply(url: string, name: string, schema: string, unless: string): Promise<void> {
  const file = `schema/${name}${isMysql(url) ? '.mysql' : ''}.sql`;
  const sql = await readFile(new URL(`../${file}`, import.meta.url), 'utf8');
  const next = `give a database that has nothing of these names, or make them yourself: examples/flights/${file}`;
  await withDatabase(url, async (database) => {
    if (await has(database, schema, unless)) return;
    await allowed(url, `make what ${file} holds`, next, () => database.run(sql));
  });
}
