import { getBatch } from '../control/batch.ts';
import { changeState, passGate } from '../control/gate.ts';
import type { Database } from '../database/dialect.ts';
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
      let rows = 0;
      // Last declared, first emptied: references between outputs point at earlier ones.
      const declared = batch.definition.outputs.map((output) => output.table);
      const tables = outputs
        .map((output) => output.table_name)
        .sort((a, b) => declared.indexOf(b) - declared.indexOf(a));
      for (const table of tables)
        rows += await emptyOutput(database, table, at.batchId, (n) => report({ table, rows: rows + n }));
      const final = batch.errorClass === 'cancelled' ? 'cancelled' : 'failed';
      const state = await changeState(database, at.batchId, final, { reason: batch.reason ?? undefined });
      return { state, rows };
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, roll back`);
    }
  };

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
    const groups = await database.transaction((session) =>
      dialect.planDeletion(session, dialect.quoteTable(table), batchId, ROWS_A_TRANSACTION),
    );
    if (groups.length === 0) return rows;
    for (const group of groups) {
      rows += await database.transaction((session) =>
        passGate(session, database, batchId, ['rolling_back'], () => dialect.deleteGroup(session, group, batchId)),
      );
      progress(rows);
    }
  }
}
