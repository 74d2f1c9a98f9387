/** The table `batch_consumed`: where the rows of consumed batches stand, and which tables these were when the load began. */
import type { Database, Session } from '../database/dialect.ts';
import { list, sql } from '../database/sql.ts';
import { LoadFailedError } from '../errors.ts';
import { rowsWritten } from './chunks.ts';
import type { BatchValues } from '../sql/batch-sql.ts';
import {
  adoptOwnChanges,
  changedTable,
  countRows,
  holdsRows,
  keepIdentity,
  settleTables,
  type KnownTable,
  type TableChange,
} from './known-tables.ts';

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

export async function readConsumed(
  reader: Pick<Session, 'query'>,
  database: Database,
  batchId: string,
): Promise<KnownTable[]> {
  const { rows } = await reader.query<{ table_name: string; relation_id: string; storage_id: string }>(sql`
    select table_name, relation_id, storage_id from ${database.ledger('batch_consumed')}
    where batch_id = ${batchId} order by table_name`);
  return rows.map(({ table_name: table, relation_id: relationId, storage_id: storageId }) => ({
    table,
    identity: { relationId, storageId },
  }));
}

const keep = (session: Session, database: Database, batchId: string, now: KnownTable): Promise<void> =>
  keepIdentity(session, database.ledger('batch_consumed'), batchId, now);

/** See `adoptOwnChanges`: a load may sort what it consumes, or empty it. Has what the ledger has then. */
export async function adoptConsumed(session: Session, database: Database, batchId: string): Promise<KnownTable[]> {
  const known = await readConsumed(session, database, batchId);
  await adoptOwnChanges(session, database, known, (now) => keep(session, database, batchId, now));
  return readConsumed(session, database, batchId);
}

/** The first consumed table that is another one than the ledger has, or was rewritten. */
export const changedConsumed = async (
  reader: Session,
  database: Database,
  batchId: string,
): Promise<string | undefined> => changedTable(reader, database, await readConsumed(database, database, batchId));

/**
 * `settleTables`: a table holds rows of the consumed batches, and with the other outputs of these all that they wrote.
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
  const batchesOf = (table: string): string[] => consumed[definition.producers[table]!] ?? [];
  await settleTables(session, database, await readConsumed(session, database, batchId), {
    holds: async (table) => {
      const batches = batchesOf(table);
      if (batches.length === 0) return true;
      if (!(await holdsRows(session, database, table, batches))) return false;
      const { rows } = await session.query<{ table_name: string }>(sql`
        select distinct table_name from ${database.ledger('batch_output')} where batch_id in ${list(batches)}`);
      const outputs = rows.map(({ table_name: name }) => name);
      return (await countRows(session, database, outputs, batches)) >= (await rowsWritten(database, batches));
    },
    keep: (now) => keep(session, database, batchId, now),
    failure: (table, change) => changed(CHANGED[change](table, batchId), batchId),
  });
  return readConsumed(session, database, batchId);
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
