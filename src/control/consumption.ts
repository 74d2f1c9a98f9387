/** Which published batches a load still has to consume: a set, never "greater than the last". */
import type { Database, Session } from '../database/dialect.ts';
import { list, sql } from '../database/sql.ts';

export interface ProducerBatch {
  batchId: string;
  load: string;
}

type Reader = Pick<Session, 'query'>;

/** Published batches of these loads that no published batch of the load `names` has consumed; see `historyNames`. */
export async function unconsumed(
  reader: Reader,
  database: Database,
  names: string[],
  producers: string[],
): Promise<ProducerBatch[]> {
  const { rows } = await reader.query<{ batch_id: string; load_name: string }>(sql`
    select p.batch_id, p.load_name from ${database.ledger('batch')} p
    where p.state = 'published' and p.load_name in ${list(producers)}
      and not exists (
        select 1 from ${database.ledger('batch_input')} i join ${database.ledger('batch')} c on c.batch_id = i.batch_id
        where i.producer_batch_id = p.batch_id and i.via = 'consumes' and c.load_name in ${list(names)} and c.state = 'published')
    order by p.batch_id`);
  return rows.map((row) => ({ batchId: row.batch_id, load: row.load_name }));
}

/** The set that a failed batch had, less what was retracted since: what its redo consumes. */
export async function stillPublished(
  reader: Reader,
  database: Database,
  failedBatchId: string,
  producers: string[],
): Promise<ProducerBatch[]> {
  const { rows } = await reader.query<{ batch_id: string; load_name: string }>(sql`
    select p.batch_id, p.load_name from ${database.ledger('batch_input')} i
    join ${database.ledger('batch')} p on p.batch_id = i.producer_batch_id
    where i.batch_id = ${failedBatchId} and i.via = 'consumes' and p.state = 'published'
      and p.load_name in ${list(producers)} order by p.batch_id`);
  return rows.map((row) => ({ batchId: row.batch_id, load: row.load_name }));
}

/** What this batch consumes, by producing load. */
export async function consumedBatches(database: Database, batchId: string): Promise<Record<string, string[]>> {
  const { rows } = await database.query<{ producer_batch_id: string; producer_load: string }>(sql`
    select producer_batch_id, producer_load from ${database.ledger('batch_input')}
    where batch_id = ${batchId} and via = 'consumes' order by producer_batch_id`);
  return byLoad(rows.map((row) => ({ batchId: row.producer_batch_id, load: row.producer_load })));
}

/** Ids of batches, by the load that published them. */
export function byLoad(batches: readonly ProducerBatch[]): Record<string, string[]> {
  const ids = Object.create(null) as Record<string, string[]>; // a load may be called constructor
  for (const { load, batchId } of batches) (ids[load] ??= []).push(batchId);
  return ids;
}

export async function recordInputs(
  session: Session,
  database: Database,
  batchId: string,
  inputs: ProducerBatch[],
  via: 'consumes' | 'reads',
): Promise<void> {
  for (const input of inputs) {
    await session.query(sql`
      insert into ${database.ledger('batch_input')} (batch_id, producer_batch_id, producer_load, via)
      values (${batchId}, ${input.batchId}, ${input.load}, ${via})`);
  }
}

/** The newest published batch of each of these loads: what a batch that reads their outputs sees at most. */
export async function newestPublished(reader: Reader, database: Database, loads: string[]): Promise<ProducerBatch[]> {
  const { rows } = await reader.query<{ batch_id: string; load_name: string }>(sql`
    select max(batch_id) as batch_id, load_name from ${database.ledger('batch')}
    where state = 'published' and load_name in ${list(loads)} group by load_name`);
  return rows.map((row) => ({ batchId: row.batch_id, load: row.load_name }));
}
