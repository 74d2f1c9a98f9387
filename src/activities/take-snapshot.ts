import { Context } from '@temporalio/activity';
import { getBatch, type Batch } from '../control/batch.ts';
import { recordEvent } from '../control/events.ts';
import { passGate } from '../control/gate.ts';
import { clearWanted, lockLanding, markWanted, unfinishedWriters } from '../control/landing.ts';
import { readSnapshots, recordSnapshot, recordSnapshotLineage } from '../control/snapshots.ts';
import { describeHolder } from '../database/describe-holder.ts';
import type { Database, Holder, LockResult, Session } from '../database/dialect.ts';
import { processingName } from '../sql/processing-name.ts';
import type { BatchReference, OwnedBatch } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { refused, toFailure } from './failures.ts';
import { report } from './heartbeat.ts';
import { refuseUncarried } from './survey-snapshot.ts';
import { workflowLiveness } from './workflow-liveness.ts';

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

/** Renames the landing tables and puts empty twins in their places, all in one transaction, once. */
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
      await refuseUncarried(database, missing);
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
            const liveness = await workflowLiveness(engine.client, writer.workflowId, writer.firstRunId);
            // One that Temporal does not know may run elsewhere, until its time is over.
            const dead = liveness === 'closed' || (liveness === 'unknown' && writer.deadlineAt.getTime() < Date.now());
            const { batchId, firstRunId, load } = writer;
            return { batch: { connection: at.connection, batchId, firstRunId }, load, dead };
          }),
        );
        return { kind: 'waiting', on };
      }
      return await swapWhenLocked(database, batch, missing, inputs);
    } catch (error) {
      throw toFailure(error, database, where);
    }
  };

async function swapWhenLocked(
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
      await session.begin();
      const outcome = await passGate(session, database, batch.batchId, ['running'], () =>
        swapOnce(session, database, batch, missing, waitFirst),
      );
      if (outcome.kind === 'taken') {
        await session.commit();
        return { kind: 'taken', tables: inputs };
      }
      await session.rollback();
      if (outcome.kind === 'waiting') return { kind: 'waiting', on: outcome.on };
      waitFirst = outcome.waitingFor;
      report({ waitingFor: outcome.waitingFor, heldBy: outcome.holders.map((holder) => describeHolder(holder)) });
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

type Once = SnapshotOutcome | { kind: 'locked out'; waitingFor: string; holders: Holder[] };

async function swapOnce(
  session: Session,
  database: Database,
  batch: Batch,
  wanted: string[],
  waitFirst: string | undefined,
): Promise<Once> {
  // Landing locks first: an acquisition that opens now waits here and then reads what we did.
  await lockLanding(session, database, wanted);
  // Another attempt of this activity may have been here meanwhile.
  const taken = new Set((await readSnapshots(session, database, batch.batchId)).map((record) => record.table));
  const missing = wanted.filter((table) => !taken.has(table));
  if (missing.length === 0) return { kind: 'taken', tables: wanted };
  const writers = await unfinishedWriters(session, database, missing, batch.batchId);
  if (writers.length > 0) {
    return {
      kind: 'waiting',
      on: writers.map(({ batchId, firstRunId, load }) => ({
        batch: { connection: database.connection, batchId, firstRunId },
        load,
        dead: false,
      })),
    };
  }
  const locks = await lockAll(session, database, missing, waitFirst);
  if (!locks.locked) return { kind: 'locked out', waitingFor: locks.waitingFor, holders: locks.holders };
  for (const table of missing) {
    const identity = await database.dialect.swap(session, database, table);
    await recordSnapshot(session, database, batch.batchId, {
      table,
      processing: processingName(table),
      ...identity,
      adopted: false,
    });
  }
  await recordSnapshotLineage(session, database, batch.batchId, missing);
  await clearWanted(session, database, batch.batchId);
  await recordEvent(session, database, batch.batchId, 'snapshot', { reason: missing.join(', ') });
  return { kind: 'taken', tables: missing };
}

/**
 * Tries again at once for as long as one wait may last. Writers that insert into several inputs without pause are out of the
 * way of all of them for moments only: with a pause after each try they kept a snapshot of two tables off for minutes.
 */
async function lockAll(
  session: Session,
  database: Database,
  tables: string[],
  waitFirst: string | undefined,
): Promise<LockResult> {
  const until = Date.now() + LOCK_WAIT_MS;
  let locks = await database.dialect.lockForSnapshot(session, tables, waitFirst, LOCK_WAIT_MS);
  while (!locks.locked && Date.now() < until) {
    locks = await database.dialect.lockForSnapshot(session, tables, locks.waitingFor, LOCK_WAIT_MS);
  }
  return locks;
}
