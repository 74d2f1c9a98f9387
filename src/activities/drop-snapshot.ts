import { recordEvent } from '../control/events.ts';
import { passGate } from '../control/gate.ts';
import { markDropped, readSnapshots } from '../control/snapshots.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';

/**
 * Drops the snapshot of a published batch. State, identity and drop share one transaction: a drop that slept through the
 * next batch's swap finds another table under the name and leaves it alone.
 */
export const dropSnapshot =
  (engine: Engine) =>
  async (at: BatchReference): Promise<{ dropped: string[] }> => {
    const database = engine.databases.get(at.connection);
    try {
      const dropped = await database.transaction((session) =>
        passGate(session, database, at.batchId, ['published'], async () => {
          const names: string[] = [];
          for (const record of await readSnapshots(session, database, at.batchId)) {
            if (record.dropped) continue;
            const outcome = await database.dialect.dropSnapshot(session, record.processing, record.relationId);
            if (outcome === 'dropped') names.push(record.processing);
            await markDropped(session, database, at.batchId, record.table);
          }
          if (names.length > 0) {
            await recordEvent(session, database, at.batchId, 'snapshot_dropped', { reason: names.join(', ') });
          }
          return names;
        }),
      );
      return { dropped };
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, drop of the snapshot`);
    }
  };
