import { getBatch } from '../control/batch.ts';
import type { BatchReference } from '../workflows/messages.ts';
import { withSource } from './acquisition-window.ts';
import type { Engine } from './engine.ts';
import { permanent, toFailure } from './failures.ts';
import { report } from './heartbeat.ts';
import { FAILURE } from '../workflows/messages.ts';

/** Longest wait for transactions of others on the source, before the load fails and names them. */
const MOST_WAIT_MS = 300_000;
const POLL_MS = 200;

/**
 * Waits until every transaction that was open when the window was set has ended: a row that was written inside the window
 * and commits late falls into no crack.
 */
export const settleSource =
  (engine: Engine) =>
  async (at: BatchReference): Promise<{ waitedMs: number }> => {
    const target = engine.databases.get(at.connection);
    const batch = await getBatch(target, at.batchId);
    const source = batch.definition.from;
    if (!source?.cursor) return { waitedMs: 0 };
    const database = engine.databases.get(source.connection);
    try {
      const started = Date.now();
      const read = () =>
        withSource(engine, source, batch.loadName, (session) => database.dialect.openTransactions(session));
      let open = await read();
      const keys = new Set(open.map((transaction) => transaction.key));
      while (open.length > 0) {
        const names = open
          .slice(0, 5)
          .map(
            (t) =>
              `connection ${t.connectionId} (${[t.user, t.application].filter(Boolean).join(', ') || 'unknown'}, open ${t.ageSeconds ?? '?'} s)`,
          );
        report({ waitingFor: names });
        if (Date.now() - started > MOST_WAIT_MS) {
          throw permanent(
            FAILURE.loadFailed,
            `${open.length} transactions on ${source.connection} stayed open for ${MOST_WAIT_MS / 1000} s, and could still ` +
              `commit rows into this window: ${names.join(', ')}`,
            {
              where: `load ${batch.loadName}, batch ${at.batchId}`,
              next: 'end those transactions, or start the load when they are over',
            },
          );
        }
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        open = (await read()).filter((transaction) => keys.has(transaction.key));
      }
      return { waitedMs: Date.now() - started };
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, source ${source.connection}`);
    }
  };
