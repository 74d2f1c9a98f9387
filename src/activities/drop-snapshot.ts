import { recordEvent } from '../control/events.ts';
import { passGate } from '../control/gate.ts';
import { markDropped, readSnapshots } from '../control/snapshots.ts';
import type { Database, Session } from '../database/dialect.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';

/**
 * Drops the snapshot of a published batch. State, identity and drop share one transaction: a drop that slept through the
 * next batch's swap finds another table under the name and leaves it alone. It waits for those who read the snapshot, so
 * it has a connection of its own: the reserved ones are for what must not wait.
 */
export const dropSnapshot =
  (engine: Engine) =>
  async (at: BatchReference): Promise<{ dropped: string[] }> => {
    const database = engine.databases.get(at.connection);
    try {
      const session = await database.openSession(`waybill ${at.batchId} drop of the snapshot`);
      try {
        await session.begin();
        const dropped = await passGate(session, database, at.batchId, ['published'], () =>
          dropAll(session, database, at.batchId),
        );
        await session.commit();
        return { dropped };
      } finally {
        await session.rollback();
        await session.close();
      }
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, drop of the snapshot`);
    }
  };

async function dropAll(session: Session, database: Database, batchId: string): Promise<string[]> {
  const names: string[] = [];
  for (const record of await readSnapshots(session, database, batchId)) {
    if (record.dropped) continue;
    const outcome = await database.dialect.dropSnapshot(session, record.processing, record.relationId);
    if (outcome === 'dropped') names.push(record.processing);
    await markDropped(session, database, batchId, record.table);
  }
  if (names.length > 0) await recordEvent(session, database, batchId, 'snapshot_dropped', { reason: names.join(', ') });
  return names;
}
