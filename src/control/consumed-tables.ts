/** The table `batch_consumed`: where the rows of consumed batches stand, and which tables these were when the load began. */
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { LoadFailedError } from '../errors.ts';
import type { BatchValues } from '../sql/batch-sql.ts';
import { holdsAll, settleTables, type KnownTable, type TableChange } from './known-tables.ts';

/** Before anything is planned: whoever plans an empty table has nothing left to notice. */
export async function recordConsumed(
  session: Session,
  database: Database,
  batchId: string,
  tables: readonly string[],
): Promise<void> {
  for (const table of tables) {
    const found = await database.dialect.outputIdentity(session, table);
    if (found === undefined) continue; // one that is missing is said when it is read
    await session.query(sql`
      insert into ${database.ledger('batch_consumed')} (batch_id, table_name, relation_id, storage_id)
      values (${batchId}, ${table}, ${found.relationId}, ${found.storageId})`);
  }
}

/**
 * `settleTables`: a table holds what the consumed batches wrote.
 *
 * @throws LoadFailedError where one is another table, or has lost the rows
 * @returns what the ledger has then
 */
export async function settleConsumed(
  session: Session,
  database: Database,
  batchId: string,
  { consumed, definition }: Pick<BatchValues, 'consumed' | 'definition'>,
): Promise<KnownTable[]> {
  return settleTables(session, database, 'batch_consumed', batchId, {
    holds: async (table) => {
      const batches = consumed[definition.producers[table]!] ?? [];
      return batches.length === 0 || holdsAll(session, database, table, batches);
    },
    failure: (table, change) => changed(CHANGED[change](table, batchId), batchId),
  });
}

const CHANGED: Record<TableChange, (table: string, batchId: string) => string> = {
  gone: (table, batchId) => `${table} is gone, of which batch ${batchId} consumes rows`,
  another: (table, batchId) => `${table} is another table than when batch ${batchId} began to consume its rows`,
  emptied: (table, batchId) =>
    `${table} holds no rows of the batches that batch ${batchId} consumes, or not all: another table has its name since, or it was emptied`,
};

const changed = (message: string, batchId: string): LoadFailedError =>
  new LoadFailedError(message, {
    where: `batch ${batchId}`,
    next: 'start the load again: it consumes the same batches, from the table that has the name then; exchange tables between loads',
  });
