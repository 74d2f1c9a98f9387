import { getBatch } from '../control/batch.ts';
import { changeState, FencedError, passGate } from '../control/gate.ts';
import type { Database, DeletionGroup } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import type { BatchReference, BatchState } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';
import { report } from './heartbeat.ts';

/** Rows a transaction of a roll back deletes, about: short enough to keep vacuum and replicas close behind. */
const ROWS_A_TRANSACTION = 100_000;

/**
 * Takes a fenced batch's rows out of all its outputs, in bounded transactions, each through the gate; then ends the batch
 * as `cancelled` or `failed`. Can be interrupted anywhere and done again.
 */
export const rollBack =
  (engine: Engine) =>
  async (at: BatchReference): Promise<{ state: BatchState; rows: number }> => {
    const database = engine.databases.get(at.connection);
    try {
      const batch = await getBatch(database, at.batchId);
      if (batch.state !== 'rolling_back') return { state: batch.state, rows: 0 };
      const { rows: outputs } = await database.query<{ table_name: string }>(sql`
        select table_name from ${database.ledger('batch_output')} where batch_id = ${at.batchId}`);
      // Last declared, first emptied: references between outputs point at earlier ones, as a rule.
      const declared = batch.definition.outputs.map((output) => output.table);
      const tables = outputs
        .map((output) => output.table_name)
        .sort((a, b) => declared.indexOf(b) - declared.indexOf(a));
      const rows = await emptyOutputs(database, tables, at.batchId);
      const final = batch.errorClass === 'cancelled' ? 'cancelled' : 'failed';
      const state = await changeState(database, at.batchId, final, { reason: batch.reason ?? undefined });
      return { state, rows };
    } catch (error) {
      // Another attempt, or the start of another workflow, did the same and was faster.
      if (error instanceof FencedError && (error.state === 'failed' || error.state === 'cancelled')) {
        return { state: error.state, rows: 0 };
      }
      throw toFailure(error, database, `batch ${at.batchId}, roll back`);
    }
  };

/** A table whose rows are still referred to comes again when the others are empty, until none gets any further. */
async function emptyOutputs(database: Database, tables: string[], batchId: string): Promise<number> {
  let rows = 0;
  for (let left = tables; left.length > 0;) {
    const again: string[] = [];
    let failure: Error | undefined;
    for (const table of left) {
      try {
        const before = rows;
        rows += await emptyOutput(database, table, batchId, (n) => report({ table, rows: before + n }));
      } catch (error) {
        if (!mayPassLater(error, database)) throw error;
        failure ??= error as Error;
        again.push(table);
      }
    }
    if (failure !== undefined && again.length === left.length) throw failure;
    left = again;
  }
  return rows;
}

/** What the database refuses for good may still be possible when rows that refer to these are gone. */
const mayPassLater = (error: unknown, database: Database): boolean =>
  !(error instanceof FencedError) && database.dialect.classify(error).kind === 'permanent';

async function emptyOutput(
  database: Database,
  table: string,
  batchId: string,
  progress: (rows: number) => void,
): Promise<number> {
  const { dialect } = database;
  let rows = 0;
  for (;;) {
    // Again until nothing is found: somebody's update may have moved a row to a page that was done.
    const groups = await planDeletion(database, table, batchId);
    if (groups.length === 0) return rows;
    const before = rows;
    let failure: Error | undefined;
    for (const group of groups) {
      try {
        rows += await database.transaction((session) =>
          passGate(session, database, batchId, ['rolling_back'], () => dialect.deleteGroup(session, group, batchId)),
        );
        progress(rows);
      } catch (error) {
        if (!mayPassLater(error, database)) throw error;
        failure ??= error as Error; // rows of a later group may refer to these
      }
    }
    if (failure !== undefined && rows === before) throw failure;
  }
}

/** One pass over the table: on a connection of its own, for it may take long. */
async function planDeletion(database: Database, table: string, batchId: string): Promise<DeletionGroup[]> {
  const { dialect } = database;
  const session = await database.openSession(`waybill ${batchId} roll back`);
  try {
    return await dialect.planDeletion(session, dialect.quoteTable(table), batchId, ROWS_A_TRANSACTION);
  } finally {
    await session.close();
  }
}
