/** The table `batch_consumed`: where the rows of consumed batches stand, and which tables these were when the load began. */
import type { Database, Session, TableIdentity } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { inTransaction } from '../database/transaction.ts';
import { LoadFailedError } from '../errors.ts';
import { holdsRows, isSame, type KnownTable } from './outputs.ts';

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

/**
 * Looks at what has changed: a table that was rewritten and holds rows of the consumed batches still is the same. What it is now is kept.
 *
 * @param batchesOf the consumed batches whose rows stand in this table
 * @throws LoadFailedError where one is another table, or has lost the rows
 * @returns what the ledger has then
 */
export async function settleConsumed(
  session: Session,
  database: Database,
  batchId: string,
  batchesOf: (table: string) => readonly string[],
): Promise<KnownTable[]> {
  const { dialect } = database;
  for (const { table, identity } of await readConsumed(session, database, batchId)) {
    const found = await dialect.outputIdentity(session, table);
    if (isSame(found, identity)) continue;
    if (found === undefined) throw changed(`${table} is gone, of which batch ${batchId} consumes rows`, batchId);
    if (found.relationId !== identity.relationId) {
      throw changed(`${table} is another table than when batch ${batchId} began to consume its rows`, batchId);
    }
    await inTransaction(session, async () => {
      // In use from here on, it stays what it is until the end.
      const holds = await holdsRows(session, database, table, batchesOf(table));
      const now = await dialect.outputIdentity(session, table);
      if (now?.relationId === identity.relationId && holds) return keep(session, database, batchId, table, now);
      throw changed(
        `${table} holds no rows of the batches that batch ${batchId} consumes: another table has its name since, or it was emptied`,
        batchId,
      );
    });
  }
  return readConsumed(session, database, batchId);
}

const keep = (
  session: Session,
  database: Database,
  batchId: string,
  table: string,
  { relationId, storageId }: TableIdentity,
): Promise<unknown> =>
  session.query(sql`
    update ${database.ledger('batch_consumed')} set relation_id = ${relationId}, storage_id = ${storageId}
    where batch_id = ${batchId} and table_name = ${table}`);

const changed = (message: string, batchId: string): LoadFailedError =>
  new LoadFailedError(message, {
    where: `batch ${batchId}`,
    next: 'start the load again: it consumes the same batches, from the table that has the name then; exchange tables between loads',
  });
