/** Tables that a batch knows again: which they were when it began, and what has become of them. */
import type { Database, Session, TableIdentity } from '../database/dialect.ts';
import { composed, list, raw, sql, type SqlPart } from '../database/sql.ts';
import { inTransaction } from '../database/transaction.ts';
import { rowsWritten } from './chunks.ts';

export interface KnownTable {
  table: string;
  identity: TableIdentity;
}

/** Where the ledger keeps them: those that a batch writes to, and those whose batches it consumes. */
export type Journal = 'batch_output' | 'batch_consumed';

/** Those of which it is known which tables they are. */
export async function readKnown(
  reader: Pick<Session, 'query'>,
  database: Database,
  journal: Journal,
  batchId: string,
): Promise<KnownTable[]> {
  const { rows } = await reader.query<{ table_name: string; relation_id: string; storage_id: string }>(sql`
    select table_name, relation_id, storage_id from ${database.ledger(journal)}
    where batch_id = ${batchId} and relation_id is not null order by table_name`);
  return rows.map(({ table_name: table, relation_id: relationId, storage_id: storageId }) => ({
    table,
    identity: { relationId, storageId },
  }));
}

/** Whether the table that was found is the one that the ledger has. */
export const isSame = ({ dialect }: Database, found: TableIdentity | undefined, known: TableIdentity): boolean =>
  found !== undefined && dialect.isSameOutput(found, known);

/** What must be true of these tables when the ledger says that something was written to them, or read of them. */
export const areStill = ({ dialect }: Database, tables: readonly KnownTable[]): SqlPart[] =>
  tables.map(({ table, identity }) => dialect.isOutput(table, identity));

/** The first of them that is another table than the ledger has, or was rewritten. */
export async function changedTable(
  reader: Database | Session,
  database: Database,
  journal: Journal,
  batchId: string,
): Promise<string | undefined> {
  for (const { table, identity } of await readKnown(reader, database, journal, batchId)) {
    if (!isSame(database, await database.dialect.outputIdentity(reader, table), identity)) return table;
  }
  return undefined;
}

export async function holdsRows(
  session: Session,
  { dialect }: Database,
  table: string,
  batchIds: readonly string[],
): Promise<boolean> {
  const ofBatches = composed(dialect.sql, (bind) => dialect.inBatches('batch_id', batchIds, bind));
  const { rows } = await session.query(
    sql`select 1 as found from ${raw(dialect.quoteTable(table))} where ${ofBatches} limit 1`,
  );
  return rows.length > 0;
}

/** It holds rows of these batches, and with their other outputs all that were counted as they were written. */
export async function holdsAll(
  session: Session,
  database: Database,
  table: string,
  batchIds: readonly string[],
): Promise<boolean> {
  const written = await rowsWritten(database, batchIds); // before they are counted: meanwhile none goes, and more may come
  if (!(await holdsRows(session, database, table, batchIds))) return false;
  const { rows } = await session.query<{ table_name: string }>(sql`
    select distinct table_name from ${database.ledger('batch_output')} where batch_id in ${list(batchIds)}`);
  const outputs = rows.map(({ table_name: name }) => name);
  return (await countRows(session, database, outputs, batchIds)) >= written;
}

/** Rows of these batches in all the tables that are there. */
async function countRows(
  session: Session,
  { dialect }: Database,
  tables: readonly string[],
  batchIds: readonly string[],
): Promise<number> {
  const ofBatches = composed(dialect.sql, (bind) => dialect.inBatches('batch_id', batchIds, bind));
  let all = 0;
  for (const table of tables) {
    if ((await dialect.outputIdentity(session, table)) === undefined) continue;
    const { rows } = await session.query<{ n: string }>(
      sql`select count(*) as n from ${raw(dialect.quoteTable(table))} where ${ofBatches}`,
    );
    all += Number(rows[0]!.n);
  }
  return all;
}

/** Which table it is, in the ledger's `journal` of them. */
export async function keepIdentity(
  session: Pick<Session, 'query'>,
  database: Database,
  journal: Journal,
  batchId: string,
  { table, identity: { relationId, storageId } }: KnownTable,
): Promise<void> {
  await session.query(sql`
    update ${database.ledger(journal)} set relation_id = ${relationId}, storage_id = ${storageId}
    where batch_id = ${batchId} and table_name = ${table}`);
}

/**
 * Keeps what the session's transaction has made of these tables itself (CLUSTER, ALTER TABLE): nobody else sees that before it ends, and
 * it has such a table to itself until then. What somebody else has changed before it stays as the ledger has it.
 *
 * @returns what the ledger has then
 */
export async function adoptOwnChanges(
  session: Session,
  database: Database,
  journal: Journal,
  batchId: string,
): Promise<KnownTable[]> {
  const { dialect } = database;
  for (const { table, identity } of await readKnown(session, database, journal, batchId)) {
    const mine = await dialect.outputIdentity(session, table);
    if (mine === undefined || isSame(database, mine, identity)) continue;
    const seen = await dialect.outputIdentity(database, table);
    if (mine.relationId === identity.relationId && isSame(database, seen, identity)) {
      await keepIdentity(session, database, journal, batchId, { table, identity: mine });
    }
  }
  return readKnown(session, database, journal, batchId);
}

/** `gone`: no table has the name; `another`: one of another relation has it; `emptied`: it has changed, and what it must hold is not there. */
export type TableChange = 'gone' | 'another' | 'emptied';

/**
 * Looks at those that have changed: a table that was rewritten by somebody, and has what it must have, still is the same; what it is now is
 * kept. It is looked into in a transaction that uses it, so that it stays what it is until the end.
 *
 * @param holds whether it has what it must have
 * @param before throws where it must not be kept as what it is now
 * @param failure what is thrown of one that is not the same
 * @returns what the ledger has then
 */
export async function settleTables(
  session: Session,
  database: Database,
  journal: Journal,
  batchId: string,
  {
    holds,
    before,
    failure,
  }: {
    holds: (table: string) => Promise<boolean>;
    before?: (now: KnownTable) => Promise<void>;
    failure: (table: string, change: TableChange) => Error;
  },
): Promise<KnownTable[]> {
  const { dialect } = database;
  for (const { table, identity } of await readKnown(session, database, journal, batchId)) {
    const found = await dialect.outputIdentity(session, table);
    if (isSame(database, found, identity)) continue;
    if (found === undefined) throw failure(table, 'gone');
    if (found.relationId !== identity.relationId) throw failure(table, 'another');
    await inTransaction(session, async () => {
      const isWhole = await holds(table);
      const now = await dialect.outputIdentity(session, table);
      if (now?.relationId !== identity.relationId || !isWhole) throw failure(table, 'emptied');
      await before?.({ table, identity: now });
      await keepIdentity(session, database, journal, batchId, { table, identity: now });
    });
  }
  return readKnown(session, database, journal, batchId);
}
