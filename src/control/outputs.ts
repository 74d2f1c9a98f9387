/** The table `batch_output`: where a batch writes, and which tables these were when it was planned. */
import type { Database, Session, TableIdentity } from '../database/dialect.ts';
import { list, sql } from '../database/sql.ts';
import { LoadFailedError } from '../errors.ts';
import { hasDone, rowsWritten } from './chunks.ts';
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

type Reader = Pick<Session, 'query'>;

export interface BatchOutput {
  table: string;
  /** Null: not planned yet, planned by an earlier version, or not there when it was planned. */
  identity: TableIdentity | null;
}

export async function readOutputs(reader: Reader, database: Database, batchId: string): Promise<BatchOutput[]> {
  const { rows } = await reader.query<{ table_name: string; relation_id: string | null; storage_id: string }>(sql`
    select table_name, relation_id, storage_id from ${database.ledger('batch_output')}
    where batch_id = ${batchId} order by table_name`);
  return rows.map(({ table_name: table, relation_id: relationId, storage_id: storageId }) => ({
    table,
    identity: relationId === null ? null : { relationId, storageId },
  }));
}

const isKnown = (output: BatchOutput): output is KnownTable => output.identity !== null;

/**
 * Keeps which tables the declared outputs are, once: before the first chunk, and after `before`, whose steps may put others in their
 * places. Not of landing tables in which rows are kept: their acquisition may alter those meanwhile.
 *
 * @throws LoadFailedError where one has come back that a roll back could not find
 */
export async function recordOutputs(
  session: Session,
  database: Database,
  batchId: string,
  declared: readonly string[],
): Promise<void> {
  for (const { table, identity } of await readOutputs(session, database, batchId)) {
    if (identity !== null || !declared.includes(table)) continue;
    const found = await database.dialect.outputIdentity(session, table);
    if (found === undefined) continue; // one that is missing is said when it is written
    await keep(session, database, batchId, { table, identity: found });
    await refuseReturned(session, database, batchId, table);
  }
}

const keep = (session: Session, database: Database, batchId: string, output: KnownTable): Promise<void> =>
  keepIdentity(session, database.ledger('batch_output'), batchId, output);

async function refuseReturned(session: Session, database: Database, batchId: string, table: string): Promise<void> {
  for (const { batchId: other } of await unreached(session, database, [table])) {
    if (!(await holdsRows(session, database, table, [other]))) continue;
    throw new LoadFailedError(
      `${table} holds rows of batch ${other}, which was rolled back while another table had its name`,
      { where: `batch ${batchId}`, next: `delete from ${table} where batch_id = ${other}, then start the load again` },
    );
  }
}

/** Those of which it is known which tables they are. */
export const knownOf = (outputs: readonly BatchOutput[]): KnownTable[] => outputs.filter(isKnown);

/** The first output that is another table than the ledger has, or was rewritten. */
export async function changedOutput(
  reader: Database | Session,
  database: Database,
  batchId: string,
): Promise<string | undefined> {
  return changedTable(reader, database, knownOf(await readOutputs(reader, database, batchId)));
}

/** See `adoptOwnChanges`. Has what the ledger has then. */
export async function adoptOutputs(session: Session, database: Database, batchId: string): Promise<BatchOutput[]> {
  const known = knownOf(await readOutputs(session, database, batchId));
  await adoptOwnChanges(session, database, known, (now) => keep(session, database, batchId, now));
  return readOutputs(session, database, batchId);
}

/**
 * Nobody has changed an output since `settleOutputs`.
 *
 * @throws LoadFailedError
 */
export async function proveOutputs(session: Session, database: Database, batchId: string): Promise<void> {
  const table = await changedOutput(session, database, batchId);
  if (table !== undefined) throw replaced(`${table} was altered or exchanged as batch ${batchId} ended`, batchId);
}

/**
 * `settleTables`: an output holds rows of the batch, and with the other outputs all that were counted, or nothing was done yet. No chunk is
 * done between the change and this (`areStill`), so rows that another table holds were none of this batch.
 *
 * @throws LoadFailedError where one is another table, or has lost the rows
 * @returns what the ledger has then
 */
export async function settleOutputs(session: Session, database: Database, batchId: string): Promise<BatchOutput[]> {
  await settleTables(session, database, knownOf(await readOutputs(session, database, batchId)), {
    holds: async (table) => {
      if (!(await hasDone(database, batchId))) return true;
      const written = await rowsWritten(database, [batchId]); // before they are counted: meanwhile none goes, and more may come
      if (!(await holdsRows(session, database, table, [batchId]))) return false;
      const tables = (await readOutputs(session, database, batchId)).map((output) => output.table);
      return (await countRows(session, database, tables, [batchId])) >= written;
    },
    keep: (now) => keep(session, database, batchId, now),
    failure: (table, change) => replaced(CHANGED[change](table, batchId), batchId),
  });
  return readOutputs(session, database, batchId);
}

const CHANGED: Record<TableChange, (table: string, batchId: string) => string> = {
  gone: (table, batchId) => `${table} is gone, to which batch ${batchId} writes`,
  another: (table, batchId) => `${table} is another table than batch ${batchId} began with`,
  emptied: (table, batchId) =>
    `${table} holds no rows of batch ${batchId}, or not all: another table has its name since, or it was emptied, or altered before the first came`,
};

const replaced = (message: string, batchId: string): LoadFailedError =>
  new LoadFailedError(message, {
    where: `batch ${batchId}`,
    next:
      'start the load again: it writes all rows into the table that has the name then; ' +
      'exchange tables between loads, or in a step of before',
  });

/** Rows of a batch that is rolled back may stand in a table that was not found: one that comes back is looked into. */
export async function markUnreached(
  session: Session,
  database: Database,
  batchId: string,
  table: string,
): Promise<void> {
  await session.query(sql`
    update ${database.ledger('batch_output')} set unreached = true
    where batch_id = ${batchId} and table_name = ${table}`);
}

/** What is published has looked before: no rows of failed batches are in these tables. */
export async function forgetUnreached(session: Session, database: Database, tables: string[]): Promise<void> {
  for (const { batchId, table } of await unreached(session, database, tables)) {
    await session.query(sql`
      update ${database.ledger('batch_output')} set unreached = false
      where batch_id = ${batchId} and table_name = ${table}`);
  }
}

async function unreached(
  session: Session,
  database: Database,
  tables: string[],
): Promise<{ batchId: string; table: string }[]> {
  if (tables.length === 0) return [];
  const { rows } = await session.query<{ batch_id: string; table_name: string }>(sql`
    select batch_id, table_name from ${database.ledger('batch_output')}
    where unreached and table_name in ${list(tables)} order by batch_id`);
  return rows.map(({ batch_id: batchId, table_name: table }) => ({ batchId, table }));
}
