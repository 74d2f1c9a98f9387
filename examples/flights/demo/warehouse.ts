import { readFile } from 'node:fs/promises';
import { withClient } from '../connect.ts';
import { ask } from './proof.ts';

/** The tables of the warehouse, unless they are there. */
export function makeTables(warehouseUrl: string): Promise<void> {
  return apply(warehouseUrl, 'schema/warehouse.sql', 'core.flight');
}

/** The views, unless they are there. They read the control tables, which a worker makes when it starts. */
export function makeViews(warehouseUrl: string): Promise<void> {
  return apply(warehouseUrl, 'schema/views.sql', 'services.route_delay_by_day');
}

/** The highest batch so far, so that a run can tell its own from those before. */
export async function lastBatch(warehouseUrl: string): Promise<string> {
  const [row] = await ask<{ id: string }>(
    warehouseUrl,
    'select coalesce(max(batch_id), 0)::text as id from waybill.batch',
  );
  return row!.id;
}

export type BatchRow = Record<string, string | number>;

/** The batches after `since`, as a person reads them. */
export async function batchesSince(warehouseUrl: string, since: string): Promise<BatchRow[]> {
  return ask<BatchRow>(
    warehouseUrl,
    `select b.load_name as load, b.batch_id::text as batch, b.state,
            coalesce(b.rows_written, 0)::int as rows,
            (select count(*)::int from waybill.chunk c where c.batch_id = b.batch_id and c.state = 'done') as chunks,
            (select coalesce(max(attempts), 0)::int from waybill.chunk c where c.batch_id = b.batch_id) as "failed attempts",
            to_char(extract(epoch from b.finished_at - b.started_at), 'FM990.0') || ' s' as took
     from waybill.batch b where b.batch_id > ${BigInt(since)} order by b.batch_id`,
  );
}

async function apply(url: string, file: string, unless: string): Promise<void> {
  const sql = await readFile(new URL(`../${file}`, import.meta.url), 'utf8');
  await withClient(url, async (client) => {
    const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [unless]);
    if (!rows[0]!.there) await client.query(sql);
  });
}
