/** The table `snapshot`: which renamed table a batch reads, known by identity and not by name. */
import type { TakenSnapshot } from '../database/snapshot-dialect.ts';
import type { Database, Session, TableIdentity } from '../database/dialect.ts';
import { list, sql, type SqlPart } from '../database/sql.ts';
import { WaybillError } from '../errors.ts';
import { processingName } from '../sql/processing-name.ts';
import type { BatchState } from '../workflows/messages.ts';
import { recordEvent } from './events.ts';
import { clearWanted } from './landing.ts';

export interface SnapshotRecord extends TableIdentity {
  batchId: string;
  table: string;
  processing: string;
  dropped: boolean;
}

export async function readSnapshots(
  reader: Pick<Session, 'query'>,
  database: Database,
  batchId: string,
): Promise<SnapshotRecord[]> {
  const { rows } = await reader.query<{
    batch_id: string;
    table_name: string;
    processing_name: string;
    relation_id: string;
    storage_id: string;
    dropped: boolean;
  }>(sql`
    select batch_id, table_name, processing_name, relation_id, storage_id, dropped_at is not null as dropped
    from ${database.ledger('snapshot')} where batch_id = ${batchId} order by table_name`);
  return rows.map((row) => ({
    batchId: row.batch_id,
    table: row.table_name,
    processing: row.processing_name,
    relationId: row.relation_id,
    storageId: row.storage_id,
    dropped: row.dropped,
  }));
}

export async function recordSnapshot(
  session: Session,
  database: Database,
  batchId: string,
  snapshot: TableIdentity & { table: string; processing: string; adopted: boolean },
): Promise<void> {
  await session.query(sql`
    insert into ${database.ledger('snapshot')} (batch_id, table_name, processing_name, relation_id, storage_id, adopted)
    values (${batchId}, ${snapshot.table}, ${snapshot.processing}, ${snapshot.relationId}, ${snapshot.storageId},
            ${snapshot.adopted})`);
}

/** The batch goes on with a snapshot that was rewritten. */
export async function recordStorage(
  session: Session,
  database: Database,
  { batchId, table, storageId }: SnapshotRecord,
): Promise<void> {
  await session.query(sql`
    update ${database.ledger('snapshot')} set storage_id = ${storageId}
    where batch_id = ${batchId} and table_name = ${table}`);
}

export async function markDropped(session: Session, database: Database, batchId: string, table: string): Promise<void> {
  await session.query(sql`
    update ${database.ledger('snapshot')} set dropped_at = ${database.dialect.words.now}
    where batch_id = ${batchId} and table_name = ${table} and dropped_at is null`);
}

/** The newest snapshot of a name, whichever load's it is. */
export interface LastSnapshot {
  batchId: string;
  load: string;
  state: BatchState;
  table: string;
  /** Which table it was, as in `TableIdentity`: another one may have the name now. */
  relationId: string;
  /** The batch is through with it: it found it gone, or another table in its place; or a batch of another load has adopted it. */
  dropped: boolean;
  /** The batch found none there any more when it was to drop it. */
  gone: boolean;
}

/** Undefined: there was none of this name, or the newest was dropped, and seen to go. */
export async function lastSnapshot(
  reader: Pick<Session, 'query'>,
  database: Database,
  processing: string,
): Promise<LastSnapshot | undefined> {
  const { rows } = await reader.query<{
    batch_id: string;
    load_name: string;
    state: BatchState;
    table_name: string;
    relation_id: string;
    dropped: boolean;
    seen_to_go: string;
    gone: string;
  }>(sql`
    select b.batch_id as batch_id, b.load_name as load_name, b.state as state, s.table_name as table_name,
      s.relation_id as relation_id, s.dropped_at is not null as dropped,
      (select count(*) from ${database.ledger('event')} e
        where e.batch_id = b.batch_id and e.what = 'snapshot_dropped' and e.reason = ${processing}) as seen_to_go,
      (select count(*) from ${database.ledger('event')} e
        where e.batch_id = b.batch_id and e.what = 'snapshot_gone' and e.reason = ${processing}) as gone
    from ${database.ledger('snapshot')} s join ${database.ledger('batch')} b on b.batch_id = s.batch_id
    where s.processing_name = ${processing}
    order by b.batch_id desc limit 1`);
  const newest = rows[0];
  if (!newest || Number(newest.seen_to_go) > 0) return undefined;
  const { batch_id: batchId, load_name: load, state, table_name: table, relation_id: relationId, dropped } = newest;
  return { batchId, load, state, table, relationId, dropped, gone: Number(newest.gone) > 0 };
}

/**
 * Every snapshot is still the table that was taken, and was not rewritten since. A VACUUM FULL between two page-range chunks moves rows
 * behind what was read and loses them without an error (seen, FACTS).
 */
export async function proveSnapshots(
  session: Session,
  database: Database,
  snapshots: readonly SnapshotRecord[],
): Promise<void> {
  for (const { batchId, processing, relationId, storageId } of snapshots) {
    const found = await database.dialect.tableIdentity(session, processing);
    if (found?.relationId === relationId && found.storageId === storageId) continue;
    throw new WaybillError(
      found === undefined
        ? `the snapshot ${processing} is gone`
        : found.relationId === relationId
          ? `the snapshot ${processing} was rewritten or emptied (TRUNCATE, VACUUM FULL, CLUSTER): its rows are not where they were`
          : `${processing} is another table than the snapshot of batch ${batchId}`,
      { where: `batch ${batchId}`, next: 'leave _processing tables alone; start the load again' },
    );
  }
}

/** A swap is done: the tables that this batch has taken, and what is in them. Acquisitions may go on, into the new tables. */
export async function recordSwap(
  session: Session,
  database: Database,
  batchId: string,
  taken: TakenSnapshot[],
  since: SqlPart,
): Promise<void> {
  const tables = taken.map(({ table }) => table);
  for (const snapshot of taken) {
    const processing = processingName(snapshot.table);
    await recordSnapshot(session, database, batchId, { ...snapshot, processing, adopted: false });
  }
  await recordLineage(session, database, batchId, tables, since);
  await clearWanted(session, database, batchId);
  await recordEvent(session, database, batchId, 'snapshot', { reason: tables.join(', ') });
  const twice = taken.flatMap(({ numbersTwice }) => numbersTwice ?? []);
  if (twice.length > 0) await recordEvent(session, database, batchId, 'numbers_twice', { reason: twice.join('; ') });
}

/**
 * Lineage of a fresh snapshot: the published acquisition batches of these tables, opened before it was taken, that no open or
 * published snapshot has taken yet. From the ledger, not from the rows: the swap waited for every acquisition to end.
 */
async function recordLineage(
  session: Session,
  database: Database,
  batchId: string,
  tables: string[],
  since: SqlPart,
): Promise<void> {
  await session.query(sql`
    insert into ${database.ledger('batch_input')} (batch_id, producer_batch_id, producer_load, via)
    select distinct own.batch_id, p.batch_id, p.load_name, 'snapshot'
    from ${database.ledger('batch')} own, ${database.ledger('batch')} p
    join ${database.ledger('batch_output')} o on o.batch_id = p.batch_id
    where own.batch_id = ${batchId} and p.kind = 'acquisition' and p.state = 'published'
      and o.table_name in ${list(tables)} and p.started_at < ${since}
      and not exists (select 1 from ${database.ledger('batch_input')} i
                      where i.producer_batch_id = p.batch_id and i.via = 'snapshot')`);
}

/** A batch that takes over a failed one's snapshot of these tables takes over its lineage, as far as it is theirs. */
export async function inheritLineage(
  session: Session,
  database: Database,
  batchId: string,
  from: string,
  tables: string[],
): Promise<void> {
  await session.query(sql`
    insert into ${database.ledger('batch_input')} (batch_id, producer_batch_id, producer_load, via)
    select own.batch_id, i.producer_batch_id, i.producer_load, i.via
    from ${database.ledger('batch')} own, ${database.ledger('batch_input')} i
    where own.batch_id = ${batchId} and i.batch_id = ${from} and i.via = 'snapshot'
      and exists (select 1 from ${database.ledger('batch_output')} o
                  where o.batch_id = i.producer_batch_id and o.table_name in ${list(tables)})
      and not exists (select 1 from ${database.ledger('batch_input')} known
                      where known.batch_id = own.batch_id and known.producer_batch_id = i.producer_batch_id
                        and known.via = i.via)`);
}
