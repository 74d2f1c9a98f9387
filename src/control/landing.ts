/** The table `landing`: it keeps a snapshot from splitting an acquisition. */
import type { Database, Session } from '../database/dialect.ts';
import { list, raw, sql, type RawSql } from '../database/sql.ts';
import type { BatchState } from '../workflows/messages.ts';

/** A batch that has not ended, and by whom it is run. */
export interface UnfinishedBatch {
  batchId: string;
  load: string;
  state: BatchState;
  workflowId: string | null;
  firstRunId: string | null;
  /** Past its `max_runtime`, by the database's clock. */
  overdue: boolean;
}

/**
 * "Wanted by this batch": from now on no new acquisition opens on these tables, until they are taken or the batch has ended. What another
 * attempt has taken meanwhile is wanted no more: nobody would clear the mark of who comes too late.
 */
export async function markWanted(database: Database, tables: string[], batchId: string): Promise<void> {
  await database.transaction(async (session) => {
    for (const table of [...tables].sort()) {
      await session.query(sql`
        insert into ${database.ledger('landing')} (table_name, wanted_by) values (${table}, ${batchId})
        ${database.dialect.words.onDuplicate(['table_name'], ['wanted_by'])}`);
    }
    // These rows are ours by now: a swap has committed and is seen, or it clears them when it does.
    await session.query(sql`
      update ${database.ledger('landing')} set wanted_by = null where table_name in ${list(tables)} and table_name in
        (select table_name from ${database.ledger('snapshot')} where batch_id = ${batchId})`);
  });
}

/** The snapshot has been taken: acquisitions may go on, into the new table. */
export async function clearWanted(session: Session, database: Database, batchId: string): Promise<void> {
  await session.query(sql`update ${database.ledger('landing')} set wanted_by = null where wanted_by = ${batchId}`);
}

/**
 * Locks landing tables for this transaction, in name order, once no swap is under way. An opening acquisition and a swap take
 * these locks, so one always sees what the other did.
 */
export async function lockLanding(session: Session, database: Database, tables: string[]): Promise<void> {
  await database.dialect.aloneWith(session, tables, async () => {
    for (const table of [...tables].sort()) {
      await session.query(sql`
        insert into ${database.ledger('landing')} (table_name) values (${table})
        ${database.dialect.words.onDuplicate(['table_name'], [])}`);
      await session.query(sql`
        select table_name from ${database.ledger('landing')} where table_name = ${table} for update`);
    }
  });
}

/** The unfinished batch that wants this table's snapshot, if one does. The mark of an ended batch is void. */
export async function wantedBy(
  session: Pick<Session, 'query'>,
  database: Database,
  table: string,
): Promise<UnfinishedBatch | undefined> {
  const { rows } = await session.query<UnfinishedRow>(sql`
    select ${unfinishedColumns(database)} from ${database.ledger('landing')} l
    join ${database.ledger('batch')} b on b.batch_id = l.wanted_by
    where l.table_name = ${table} and b.state in ('running', 'checking')`);
  return rows[0] && unfinishedOf(rows[0]);
}

const unfinishedColumns = ({ dialect: { words } }: Database): RawSql =>
  raw(`b.batch_id, b.load_name, b.state, b.workflow_id, b.first_run_id, b.deadline_at < ${words.now.text} as overdue`);

interface UnfinishedRow {
  batch_id: string;
  load_name: string;
  state: BatchState;
  workflow_id: string | null;
  first_run_id: string | null;
  /** A number on MySQL. */
  overdue: boolean | number;
}

const unfinishedOf = (row: UnfinishedRow): UnfinishedBatch => ({
  batchId: row.batch_id,
  load: row.load_name,
  state: row.state,
  workflowId: row.workflow_id,
  firstRunId: row.first_run_id,
  overdue: Number(row.overdue) === 1,
});

/** Batches other than `batchId` that write into one of these tables and have not ended. */
export async function unfinishedWriters(
  session: Pick<Session, 'query'>,
  database: Database,
  tables: string[],
  batchId: string,
): Promise<UnfinishedBatch[]> {
  const { rows } = await session.query<UnfinishedRow>(sql`
    select distinct ${unfinishedColumns(database)}
    from ${database.ledger('batch')} b join ${database.ledger('batch_output')} o on o.batch_id = b.batch_id
    where b.state in ('running', 'checking', 'held', 'rolling_back', 'retracting') and b.batch_id <> ${batchId}
      and o.table_name in ${list(tables)}
    order by b.batch_id`);
  return rows.map(unfinishedOf);
}
