/** The table `batch_output`: where a batch writes, and which tables these were when it was planned. */
import type { Database, Session, TableIdentity } from '../database/dialect.ts';
import { list, sql } from '../database/sql.ts';
import { LoadFailedError } from '../errors.ts';
import { hasDone } from './chunks.ts';
import {
  changedTable,
  holdsAll,
  holdsRows,
  isSame,
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

interface OutputRow {
  table_name: string;
  relation_id: string | null;
  storage_id: string;
}

const outputOf = ({ table_name: table, relation_id: relationId, storage_id: storageId }: OutputRow): BatchOutput => ({
  table,
  identity: relationId === null ? null : { relationId, storageId },
});

export async function readOutputs(reader: Reader, database: Database, batchId: string): Promise<BatchOutput[]> {
  const { rows } = await reader.query<OutputRow>(sql`
    select table_name, relation_id, storage_id from ${database.ledger('batch_output')}
    where batch_id = ${batchId} order by table_name`);
  return rows.map(outputOf);
}

/**
 * Keeps which tables the declared outputs are, once: before the first chunk, and after `before`, whose steps may put others in their
 * places. Not of landing tables in which rows are kept: their acquisition may alter those meanwhile.
 *
 * @throws ReturnedError where one has come back that a roll back could not find
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
    await keepIdentity(session, database, 'batch_output', batchId, { table, identity: found });
    await refuseReturned(session, database, batchId, { table, identity: found });
  }
}

/** Once the rows are gone that an output has come back with, nothing is wrong with it, nor with the batch that is to write to it. */
export class ReturnedError extends LoadFailedError {}

async function refuseReturned(session: Session, database: Database, batchId: string, known: KnownTable): Promise<void> {
  const { table } = known;
  const others = await unreachedBefore(session, database, batchId, known);
  if (others.length === 0 || !(await holdsRows(session, database, table, others))) return;
  for (const other of others) {
    if (!(await holdsRows(session, database, table, [other]))) continue;
    // What it was may be out of date; what it is now tells it again when it is without these rows.
    await keepIdentity(database, database, 'batch_output', other, known);
    throw new ReturnedError(
      `${table} holds rows of batch ${other}, which was rolled back while another table had its name`,
      { where: `batch ${batchId}`, next: `delete from ${table} where batch_id = ${other}, then start the load again` },
    );
  }
}

/**
 * Batches whose rows a table may have that came back, but for those for which a later one has looked already: each does so as it keeps which
 * table it is, and the look may read all of it.
 */
async function unreachedBefore(
  session: Session,
  database: Database,
  batchId: string,
  { table, identity }: KnownTable,
): Promise<string[]> {
  const marked = await unreached(session, database, [table]);
  if (marked.length === 0) return [];
  const { rows } = await session.query<{ other: string; relation_id: string; storage_id: string }>(sql`
    select distinct o.batch_id as other, l.relation_id, l.storage_id
    from ${database.ledger('batch_output')} o join ${database.ledger('batch')} b on b.batch_id = o.batch_id
      join ${database.ledger('batch_output')} l on l.table_name = o.table_name and l.relation_id is not null
      join ${database.ledger('batch')} later on later.batch_id = l.batch_id and later.started_at > b.finished_at
    where o.unreached and o.table_name = ${table} and l.batch_id <> ${batchId}`);
  const looked = rows.filter(({ relation_id: relationId, storage_id: storageId }) =>
    isSame(database, identity, { relationId, storageId }),
  );
  return marked.map((one) => one.batchId).filter((other) => !looked.some((one) => one.other === other));
}

/**
 * Nobody has changed an output since `settleOutputs`.
 *
 * @throws LoadFailedError
 */
export async function proveOutputs(session: Session, database: Database, batchId: string): Promise<void> {
  const table = await changedTable(session, database, 'batch_output', batchId);
  if (table !== undefined) throw replaced(`${table} was altered or exchanged as batch ${batchId} ended`, batchId);
}

/**
 * `settleTables`: an output holds what the batch wrote, or nothing was done yet. No chunk is done
 * between the change and this (`areStill`), so rows that another table holds were none of this batch. They may be those of a batch
 * whose roll back could not find the table: each that is kept is looked into, by which `unreachedBefore` goes.
 *
 * @throws LoadFailedError where one is another table, or has lost the rows; ReturnedError as `recordOutputs`
 * @returns what the ledger has then
 */
export async function settleOutputs(session: Session, database: Database, batchId: string): Promise<KnownTable[]> {
  return settleTables(session, database, 'batch_output', batchId, {
    holds: async (table) =>
      !(await hasDone(database, batchId)) || (await holdsAll(session, database, table, [batchId])),
    before: (now) => refuseReturned(session, database, batchId, now),
    failure: (table, change) => replaced(CHANGED[change](table, batchId), batchId),
  });
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

/**
 * What is published has looked before: no rows of failed batches are in these tables. Others of their names may have some, and come back,
 * where nothing leads to a table that was renamed: until the rows were looked for in that very one, this is not forgotten. Where it has become
 * another one for good (emptied, altered or made anew), it never is; each table of the name is looked into once, then.
 */
export async function forgetUnreached(session: Session, database: Database, tables: string[]): Promise<void> {
  const { dialect } = database;
  for (const { batchId, table, identity } of await unreached(session, database, tables)) {
    const isThat = async (): Promise<boolean> =>
      isSame(database, await dialect.outputIdentity(session, table), identity!);
    if (identity !== null && !dialect.outputOf && !(await isThat())) continue;
    await session.query(sql`
      update ${database.ledger('batch_output')} set unreached = false
      where batch_id = ${batchId} and table_name = ${table}`);
  }
}

async function unreached(
  session: Session,
  database: Database,
  tables: string[],
): Promise<(BatchOutput & { batchId: string })[]> {
  if (tables.length === 0) return [];
  const { rows } = await session.query<OutputRow & { batch_id: string }>(sql`
    select batch_id, table_name, relation_id, storage_id from ${database.ledger('batch_output')}
    where unreached and table_name in ${list(tables)} order by batch_id`);
  return rows.map((row) => ({ batchId: row.batch_id, ...outputOf(row) }));
}
