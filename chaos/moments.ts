/** Moments that are short, and seldom hit by chance. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from './random.ts';
import type { Site } from './site.ts';

/** A row: it is such a moment. What the catalog shows and the ledger does not know yet is MySQL's and MariaDB's, whose DDL commits by itself. */
const MOMENTS = {
  'a batch opens': `select 1 from waybill.batch b where b.state = 'running' and not exists (
    select 1 from waybill.stage s where s.batch_id = b.batch_id and s.planned_chunks is not null)`,
  'a snapshot is wanted': `select 1 from waybill.landing l join waybill.batch b on b.batch_id = l.wanted_by
    where b.state = 'running' and not exists (select 1 from waybill.snapshot s where s.batch_id = b.batch_id)`,
  'twins are made': `select 1 from information_schema.tables where table_name like 'waybill%twin%'`,
  'tables are renamed': `select 1 from information_schema.tables where table_schema = 'acq' and table_name like '%processing'
    and not exists (select 1 from waybill.snapshot where dropped_at is null)`,
  'chunks are done': `select 1 from waybill.chunk c join waybill.batch b on b.batch_id = c.batch_id
    where b.state = 'running' and c.state = 'done'`,
  'a batch is checked': `select 1 from waybill.batch where state = 'checking'`,
  'a snapshot is dropped': `select 1 from waybill.snapshot s join waybill.batch b on b.batch_id = s.batch_id
    where b.state = 'published' and s.dropped_at is null`,
  'a batch is rolled back': `select 1 from waybill.batch where state = 'rolling_back'`,
} as const;

const PATIENCE_MS = 15_000;

/** Waits for one of them, not for long; what came, in words. */
export async function comes(site: Site, random: Random): Promise<string | undefined> {
  const [what, query] = random.pick(Object.entries(MOMENTS));
  const deadline = Date.now() + PATIENCE_MS;
  const client = await site.connect();
  try {
    while (Date.now() < deadline) {
      if ((await client.query(query)).rows.length > 0) return what;
      await sleep(10);
    }
  } catch {
    // its connection was ended: another fault was faster
  } finally {
    await client.end().catch(() => undefined);
  }
  return undefined;
}
