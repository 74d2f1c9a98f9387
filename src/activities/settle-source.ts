import { Context } from '@temporalio/activity';
import { getBatch } from '../control/batch.ts';
import { withSource } from '../control/source.ts';
import { describeHolder } from '../database/describe-holder.ts';
import type { OpenTransaction } from '../database/cursor-dialect.ts';
import { FAILURE, type BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { permanent, toFailure } from './failures.ts';
import { report } from './heartbeat.ts';

/** Longest wait for transactions of others on the source, before the load fails and names them. */
const MOST_WAIT_MS = 300_000;
const POLL_MS = 200;
/** Transactions that a message names. */
const NAMED = 5;

/**
 * Waits until every transaction that was open when the window was set has ended: a row that was written inside the window
 * and commits late falls into no crack. Those that began later are not waited for, so a busy source cannot hold it up.
 */
export const settleSource =
  (engine: Engine) =>
  async (at: BatchReference): Promise<{ waitedMs: number }> => {
    const batch = await getBatch(engine.databases.get(at.connection), at.batchId);
    const source = batch.definition.from;
    if (!source?.cursor) return { waitedMs: 0 };
    const database = engine.databases.get(source.connection);
    const most = engine.settleLimitMs ?? MOST_WAIT_MS;
    try {
      const started = Date.now();
      const read = (of?: OpenTransaction[]): Promise<OpenTransaction[]> =>
        withSource(database, batch.definition, (session) => database.dialect.openTransactions(session, of));
      let open = await read();
      while (open.length > 0) {
        report({ waitingFor: `transactions on ${source.connection}`, heldBy: open.slice(0, NAMED).map(nameOf) });
        if (Date.now() - started > most) throw stayedOpen(open, source.connection, most, at, batch.loadName);
        await Context.current().sleep(POLL_MS);
        open = await read(open);
      }
      return { waitedMs: Date.now() - started };
    } catch (error) {
      throw toFailure(error, database, `batch ${at.batchId}, source ${source.connection}`);
    }
  };

function stayedOpen(
  open: OpenTransaction[],
  connection: string,
  most: number,
  { batchId }: BatchReference,
  load: string,
): Error {
  const [are, they] = open.length === 1 ? ['transaction', 'it'] : ['transactions', 'they'];
  const more = open.length > NAMED ? `, and ${open.length - NAMED} more` : '';
  return permanent(
    FAILURE.loadFailed,
    `${open.length} ${are} on ${connection} stayed open for ${most / 1000} s, and ${they} could still commit rows into ` +
      `this window: ${open.slice(0, NAMED).map(nameOf).join(', ')}${more}`,
    {
      where: `load ${load}, batch ${batchId}`,
      next: `end ${open.length === 1 ? 'it' : 'them'}, or start the load when ${they} ${open.length === 1 ? 'is' : 'are'} over`,
    },
  );
}

const nameOf = (transaction: OpenTransaction): string => describeHolder(transaction, 'open');
