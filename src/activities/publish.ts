import { getBatch, type Batch } from '../control/batch.ts';
import { changeStateIn, FencedError } from '../control/gate.ts';
import { changedTable } from '../control/known-tables.ts';
import { forgetUnreached, proveOutputs, settleOutputs } from '../control/outputs.ts';
import { rejectedRows } from '../control/bad-rows.ts';
import { raw, sql } from '../database/sql.ts';
import type { Database, Session } from '../database/dialect.ts';
import { looking } from '../database/transaction.ts';
import { processingName } from '../sql/processing-name.ts';
import { FAILURE, type OwnedBatch } from '../workflows/messages.ts';
import { cameSince } from './came-since.ts';
import type { Engine } from './engine.ts';
import { permanent, toFailure } from './failures.ts';

export interface Published {
  rowsRead: number | null;
  rowsWritten: number;
  chunks: number;
  /** What it leaves to the next start, in words. */
  more: string | null;
}

/**
 * The moment a batch becomes true: alone in its gate, with its producers and outputs locked, and with every stage proven
 * done once more. Compare-and-set, so a second attempt finds it done and a fence that was faster wins.
 */
export const publish =
  (engine: Engine) =>
  async (at: OwnedBatch): Promise<Published> => {
    const database = engine.databases.get(at.connection);
    try {
      const batch = await getBatch(database, at.batchId);
      const uncut = await countUncut(database, batch); // the snapshot stands still, so this can be done outside the gate
      await settle(database, batch);
      const state = await database.transaction((session) =>
        changeStateIn(session, database, at.batchId, 'published', {
          firstRunId: at.firstRunId,
          prove: async () => {
            await proveProducers(session, database, batch);
            await lockOutputs(session, database, batch);
            await proveOutputs(session, database, at.batchId);
            await forgetUnreached(session, database, tablesOf(batch));
            await proveStages(session, database, batch);
            await storeTotals(session, database, batch, uncut);
          },
        }),
      );
      if (state !== 'published') throw new FencedError(at.batchId, state, ['checking']);
      const { rows } = await database.query<{ rows_read: string | null; rows_written: string; chunks: string }>(sql`
        select rows_read, rows_written,
          (select count(*) from ${database.ledger('chunk')} c where c.batch_id = b.batch_id) as chunks
        from ${database.ledger('batch')} b where batch_id = ${at.batchId}`);
      const totals = rows[0]!;
      return {
        rowsRead: totals.rows_read === null ? null : Number(totals.rows_read),
        rowsWritten: Number(totals.rows_written),
        chunks: Number(totals.chunks),
        more: await cameSince(database, batch),
      };
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, publish`);
    }
  };

/** Nobody can retract what this batch consumed or read while it publishes; what was retracted before is found here. */
async function proveProducers(session: Session, database: Database, batch: Batch): Promise<void> {
  const { rows } = await session.query<{ batch_id: string; load_name: string; state: string }>(sql`
    select p.batch_id, p.load_name, p.state from ${database.ledger('batch')} p
    where p.batch_id in (select producer_batch_id from ${database.ledger('batch_input')} where batch_id = ${batch.batchId})
    order by p.batch_id ${database.dialect.words.shared}`);
  const gone = rows.filter((row) => row.state !== 'published');
  if (gone.length === 0) return;
  throw permanent(
    FAILURE.loadFailed,
    `what this batch was made from is no longer published: ${gone.map((row) => `${row.load_name} ${row.batch_id}`).join(', ')}`,
    {
      where: `load ${batch.loadName}, batch ${batch.batchId}`,
      next: 'start the load again: it takes what is published then',
    },
  );
}

/** Publish and retract of one output never overlap, whichever loads they belong to. */
async function lockOutputs(session: Session, database: Database, batch: Batch): Promise<void> {
  for (const table of tablesOf(batch)) await database.dialect.lockOutput(session, database, table);
}

const tablesOf = ({ definition }: Batch): string[] => definition.outputs.map(({ table }) => table).sort();

/** Somebody may have altered an output since the last chunk: to look for rows in it takes long, perhaps, and is done outside the gate. */
async function settle(database: Database, { batchId, state }: Batch): Promise<void> {
  if (state !== 'checking' || (await changedTable(database, database, 'batch_output', batchId)) === undefined) return;
  await looking(database, `waybill ${batchId} publish`, (session) => settleOutputs(session, database, batchId));
}

async function proveStages(session: Session, database: Database, batch: Batch): Promise<void> {
  const { rows } = await session.query<{ name: string; planned: number | null; done: string }>(sql`
    select s.name, s.planned_chunks as planned, sum(case when c.state = 'done' then 1 else 0 end) as done
    from ${database.ledger('stage')} s left join ${database.ledger('chunk')} c on c.batch_id = s.batch_id and c.stage = s.n
    where s.batch_id = ${batch.batchId} group by s.n, s.name, s.planned_chunks order by s.n`);
  const open = rows.find((row) => row.planned !== Number(row.done));
  if (!open) return;
  throw permanent(FAILURE.loadFailed, `stage ${open.name} has ${open.done} of ${open.planned ?? '?'} chunks done`, {
    where: `load ${batch.loadName}, batch ${batch.batchId}`,
  });
}

async function storeTotals(session: Session, database: Database, batch: Batch, uncut: number | null): Promise<void> {
  // Rows read: chunks count what they read of the input that cuts them; the first stage that is cut by an input counts.
  const { rows } = await session.query<{ rows_written: string; rows_read: string | null }>(sql`
    select coalesce(sum(row_count), 0) as rows_written, sum(rows_read) as rows_read
    from ${database.ledger('chunk')} where batch_id = ${batch.batchId}`);
  const read = rows[0]?.rows_read;
  const rowsRead = read === null && uncut === null ? null : Number(read ?? 0) + (uncut ?? 0);
  await session.query(sql`
    update ${database.ledger('batch')} set rows_written = ${rows[0]!.rows_written}, rows_read = ${rowsRead}, rows_rejected = ${rejectedRows(database, batch.batchId)}
    where batch_id = ${batch.batchId}`);
}

/** Rows of the inputs that no stage is cut by: the small ones, as a rule. */
async function countUncut(database: Database, batch: Batch): Promise<number | null> {
  const { definition } = batch;
  const cut = new Set(definition.stages.map((stage) => stage.chunk?.input));
  const uncut = definition.inputs.filter((input) => !cut.has(input.table));
  if (uncut.length === 0 || batch.state !== 'checking') return null;
  const session = await database.openSession(`waybill ${batch.batchId} count`);
  try {
    let rows = 0;
    for (const { table } of uncut) {
      const { rows: counted } = await session.query<{ n: string }>(
        sql`select count(*) as n from ${raw(database.dialect.quoteTable(processingName(table)))}`,
      );
      rows += Number(counted[0]!.n);
    }
    return rows;
  } finally {
    await session.close();
  }
}
