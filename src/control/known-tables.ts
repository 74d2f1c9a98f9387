/** Tables that a batch knows again: which they were when it began, and what has become of them. */
import type { Database, Session, TableIdentity } from '../database/dialect.ts';
import { composed, raw, sql, type RawSql, type SqlPart } from '../database/sql.ts';
import { inTransaction } from '../database/transaction.ts';

export interface KnownTable {
  table: string;
  identity: TableIdentity;
}

export const isSame = (a: TableIdentity | null | undefined, b: TableIdentity | null | undefined): boolean =>
  a?.relationId === b?.relationId && a?.storageId === b?.storageId;

/** What must be true of these tables when the ledger says that something was written to them, or read of them. */
export const areStill = ({ dialect }: Database, tables: readonly KnownTable[]): SqlPart[] =>
  tables.map(({ table, identity }) => dialect.isOutput(table, identity));

/** The first of them that is another table by now, or was rewritten. */
export async function changedTable(
  reader: Database | Session,
  { dialect }: Database,
  tables: readonly KnownTable[],
): Promise<string | undefined> {
  for (const { table, identity } of tables) {
    if (!isSame(await dialect.outputIdentity(reader, table), identity)) return table;
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

/** Which table it is, in the ledger's `journal` of them. */
export async function keepIdentity(
  session: Session,
  journal: RawSql,
  batchId: string,
  { table, identity: { relationId, storageId } }: KnownTable,
): Promise<void> {
  await session.query(sql`
    update ${journal} set relation_id = ${relationId}, storage_id = ${storageId}
    where batch_id = ${batchId} and table_name = ${table}`);
}

/** `gone`: no table has the name; `another`: one of another relation has it; `emptied`: it has changed, and what it must hold is not there. */
export type TableChange = 'gone' | 'another' | 'emptied';

/**
 * Looks at those that have changed: a table that was rewritten by somebody, and has what it must have, still is the same; what it is now is
 * kept. It is looked into in a transaction that uses it, so that it stays what it is until the end.
 *
 * @param holds whether it has what it must have
 * @param failure what is thrown of one that is not the same
 */
export async function settleTables(
  session: Session,
  { dialect }: Database,
  known: readonly KnownTable[],
  {
    holds,
    keep,
    failure,
  }: {
    holds: (table: string) => Promise<boolean>;
    keep: (now: KnownTable) => Promise<void>;
    failure: (table: string, change: TableChange) => Error;
  },
): Promise<void> {
  for (const { table, identity } of known) {
    const found = await dialect.outputIdentity(session, table);
    if (isSame(found, identity)) continue;
    if (found === undefined) throw failure(table, 'gone');
    if (found.relationId !== identity.relationId) throw failure(table, 'another');
    await inTransaction(session, async () => {
      const isWhole = await holds(table);
      const now = await dialect.outputIdentity(session, table);
      if (now?.relationId !== identity.relationId || !isWhole) throw failure(table, 'emptied');
      await keep({ table, identity: now });
    });
  }
}
