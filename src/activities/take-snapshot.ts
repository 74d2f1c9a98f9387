import { Context } from '@temporalio/activity';
import { getBatch, type Batch } from '../control/batch.ts';
import { passGate } from '../control/gate.ts';
import { lockLanding, markWanted, unfinishedWriters } from '../control/landing.ts';
import { readSnapshots, recordSwap } from '../control/snapshots.ts';
import { describeHolder } from '../database/describe-holder.ts';
import type { Database, Session } from '../database/dialect.ts';
import { looking } from '../database/transaction.ts';
import type { BatchReference, OwnedBatch } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { refused, toFailure } from './failures.ts';
import { report } from './heartbeat.ts';
import { refuseUncarried } from './survey-snapshot.ts';
import { isDead } from './workflow-liveness.ts';

export type SnapshotOutcome =
  | { kind: 'taken'; tables: string[] }
  /** Acquisitions that are still at it; `dead`: their workflow is gone, roll them back. */
  | { kind: 'waiting'; on: { batch: OwnedBatch; load: string; dead: boolean }[] };

/**
 * How long one table's lock is waited for: longer than PostgreSQL's deadlock_timeout of a second, or autovacuum never
 * yields (0 of 5 at 0.7 s, always at 1.5 s: FACTS); short, because writers queue behind the wait.
 */
const LOCK_WAIT_MS = 2_000;
/** Pauses between tries: as long as the last ones kept writers waiting, within these bounds. */
const LEAST_PAUSE_MS = 20;
const MOST_PAUSE_MS = 5_000;

/** Renames the landing tables and puts empty twins in their places: all or none, once. */
export const takeSnapshot =
  (engine: Engine) =>
  async (at: BatchReference): Promise<SnapshotOutcome> => {
    const database = engine.databases.get(at.connection);
    const where = `batch ${at.batchId}, snapshot`;
    try {
      const batch = await getBatch(database, at.batchId);
      const inputs = batch.definition.inputs.map((input) => input.table);
      const taken = new Set((await readSnapshots(database, database, at.batchId)).map((record) => record.table));
      const missing = inputs.filter((table) => !taken.has(table)).sort();
      if (missing.length === 0) return { kind: 'taken', tables: inputs };
      await looking(database, `waybill read ${batch.loadName}`, (session) =>
        refuseUncarried(session, database, missing),
      );
      await markWanted(database, missing, at.batchId);
      const writers = await unfinishedWriters(database, database, missing, at.batchId);
      if (writers.length > 0) {
        const on = await Promise.all(
          writers.map(async (writer) => {
            if (writer.state === 'held') {
              throw refused(`acquisition batch ${writer.batchId} of ${writer.load} is held: its rows are not whole`, {
                where,
                next: `resume it (waybill run ${writer.load} --resume) or start it anew, then run this load`,
              });
            }
            const { batchId, firstRunId, load } = writer;
            const dead = await isDead(engine.client, writer);
            return { batch: { connection: at.connection, batchId, firstRunId }, load, dead };
          }),
        );
        return { kind: 'waiting', on };
      }
      return await swapWhenFree(database, batch, missing, inputs);
    } catch (error) {
      throw toFailure(error, database, where);
    }
  };

async function swapWhenFree(
  database: Database,
  batch: Batch,
  missing: string[],
  inputs: string[],
): Promise<SnapshotOutcome> {
  let waitFirst: string | undefined;
  for (;;) {
    const session = await database.openSession(`waybill ${batch.batchId} snapshot`);
    const began = Date.now();
    try {
      const request = { batchId: batch.batchId, tables: missing, waitFirst, waitMs: LOCK_WAIT_MS };
      const result = await database.dialect.swap<SnapshotOutcome>(session, database, request, {
        prove: () =>
          passGate(session, database, batch.batchId, ['running'], () => whyNot(session, database, batch, missing)),
        record: (_, taken, since) => recordSwap(session, database, batch.batchId, taken, since),
      });
      if (result.kind === 'swapped') return { kind: 'taken', tables: inputs };
      if (result.kind === 'kept') return result.why.kind === 'taken' ? { kind: 'taken', tables: inputs } : result.why;
      waitFirst = result.waitingFor;
      report({ waitingFor: result.waitingFor, heldBy: result.holders.map((holder) => describeHolder(holder)) });
    } catch (error) {
      await session.rollback();
      throw error;
    } finally {
      await session.close();
    }
    // Never the same twice: two that take turns would meet each time.
    const pause = Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, Date.now() - began)) * (1 + Math.random());
    await Context.current().sleep(pause); // ends at once when the worker stops
  }
}

/** Undefined: nobody but us decides about these tables now, and nothing stands in the way. */
async function whyNot(
  session: Session,
  database: Database,
  batch: Batch,
  missing: string[],
): Promise<SnapshotOutcome | undefined> {
  // Landing locks first: an acquisition that opens now waits here and then reads what we did.
  await lockLanding(session, database, missing);
  // Another attempt of this activity may have been here meanwhile; it took all or nothing.
  const taken = new Set((await readSnapshots(session, database, batch.batchId)).map((record) => record.table));
  if (missing.every((table) => taken.has(table))) return { kind: 'taken', tables: missing };
  const writers = await unfinishedWriters(session, database, missing, batch.batchId);
  if (writers.length === 0) return undefined;
  return {
    kind: 'waiting',
    on: writers.map(({ batchId, firstRunId, load }) => ({
      batch: { connection: database.connection, batchId, firstRunId },
      load,
      dead: false,
    })),
  };
}
