import { Context } from '@temporalio/activity';
import { recordEvent } from '../control/events.ts';
import { passGate } from '../control/gate.ts';
import { markDropped, readSnapshots, type SnapshotRecord } from '../control/snapshots.ts';
import { describeHolder } from '../database/describe-holder.ts';
import type { DropResult } from '../database/snapshot-dialect.ts';
import type { Database, Session } from '../database/dialect.ts';
import { inTransaction, withSession } from '../database/transaction.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';
import { report } from './heartbeat.ts';

/** A snapshot that somebody still reads. */
export interface UndroppedSnapshot {
  processing: string;
  /** In words, the oldest first; empty: they ended as we looked. */
  heldBy: string[];
}

/**
 * Longest wait for readers of a published batch's snapshot. Nothing is lost while it stands, but `after` steps and the loads
 * that need this one wait too; so a session somebody forgot must not hold up the night. The next start drops it first.
 */
const MOST_WAIT_MS = 300_000;
/** Pauses between tries: as long as the last one kept others waiting, within these bounds. */
const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 5_000;

/**
 * Drops the snapshot of a published batch, which proves its state and the table's identity: a drop that slept through the next
 * batch's swap finds another table under the name and leaves it alone, or is ended by that one. It waits for those who read the snapshot, so
 * it has a connection of its own: the reserved ones are for what must not wait.
 */
export const dropSnapshot =
  (engine: Engine) =>
  async (at: BatchReference): Promise<{ dropped: string[]; left: UndroppedSnapshot[]; others?: string[] }> => {
    const database = engine.databases.get(at.connection);
    const until = Date.now() + (engine.dropLimitMs ?? MOST_WAIT_MS);
    try {
      const records = await withSession(database, nameOf(at.batchId), (session) =>
        inTransaction(session, () =>
          passGate(session, database, at.batchId, ['published'], () => readSnapshots(session, database, at.batchId)),
        ),
      );
      const dropped: string[] = [];
      const left: UndroppedSnapshot[] = [];
      const others: string[] = [];
      for (const record of records.filter((one) => !one.dropped)) {
        const result = await dropWhenFree(database, record, until);
        if (result.kind === 'busy') left.push({ processing: record.processing, heldBy: heldBy(result) });
        else if (result.kind === 'dropped') dropped.push(record.processing);
        else if (result.kind === 'other') others.push(otherTable(record));
      }
      return { dropped, left, ...(others.length > 0 && { others }) };
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, drop of the snapshot`);
    }
  };

const nameOf = (batchId: string): string => `waybill ${batchId} drop of the snapshot`;

/** On a connection of its own: while somebody reads the snapshot, lanes of other loads are to have its place. */
const dropOnItsOwn = (database: Database, record: SnapshotRecord): Promise<DropResult> =>
  withSession(database, nameOf(record.batchId), async (session) => {
    try {
      return await dropOnce(session, database, record);
    } catch (error) {
      await session.rollback(); // else its transaction is over, and a server's log would have a warning of each drop
      throw error;
    }
  });

/** Again and again, at least once, and holding nothing in between, no place either. */
async function dropWhenFree(database: Database, record: SnapshotRecord, until: number): Promise<DropResult> {
  for (;;) {
    const began = Date.now();
    const result = await dropOnItsOwn(database, record);
    if (result.kind !== 'busy' || Date.now() >= until) return result;
    report({ waitingFor: record.processing, heldBy: heldBy(result) });
    const pause = Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, Date.now() - began));
    await Context.current().sleep(Math.min(pause, Math.max(0, until - Date.now()))); // ends when the worker stops
  }
}

const dropOnce = (session: Session, database: Database, record: SnapshotRecord): Promise<DropResult> =>
  database.dialect.dropSnapshot(session, record, {
    prove: () => passGate(session, database, record.batchId, ['published'], () => Promise.resolve()),
    record: async (_, result) => {
      await markDropped(session, database, record.batchId, record.table);
      if (result === 'dropped') {
        await recordEvent(session, database, record.batchId, 'snapshot_dropped', { reason: record.processing });
      } else if (result === 'other') {
        await recordEvent(session, database, record.batchId, 'snapshot_replaced', { reason: otherTable(record) });
      } else {
        // Mostly by an attempt that never heard so, where DDL commits by itself; perhaps by a person, who may have renamed it.
        await recordEvent(session, database, record.batchId, 'snapshot_gone', { reason: record.processing });
      }
    },
  });

/** One that lost its mark (restored, altered, made anew) still holds what was published from it. */
const otherTable = ({ processing, batchId }: SnapshotRecord): string =>
  `${processing} is not the table that batch ${batchId} took, and was left as it is; its rows may be published already: ` +
  `look whose they are, then drop or rename it`;

const heldBy = (busy: Extract<DropResult, { kind: 'busy' }>): string[] =>
  busy.holders.map((holder) => describeHolder(holder));
