import { lastError, recordError } from '../control/events.ts';
import type { ErrorFacts } from '../database/dialect.ts';
import { activityWords, type BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { factsBehind } from './failures.ts';

/**
 * The activity of this name, whose database errors stand with their whole text among the events of its batch: Temporal's history gets
 * none that may quote rows. Chunks and steps have theirs in their own rows.
 */
export const tellingLedger =
  <In extends BatchReference, Out>(
    engine: Engine,
    name: string,
    activity: (at: In) => Promise<Out>,
  ): ((at: In) => Promise<Out>) =>
  async (at) => {
    try {
      return await activity(at);
    } catch (error) {
      const facts = factsBehind(error);
      if (facts) await record(engine, at, name, facts);
      throw error;
    }
  };

/** The error itself comes first: where this cannot be written, it is told without. */
async function record(engine: Engine, at: BatchReference, name: string, facts: ErrorFacts): Promise<void> {
  // A lost connection has no more to say, and the ledger may be behind the same one.
  if (facts.kind === 'connection') return;
  try {
    await recordError(engine.databases.get(at.connection), at.batchId, {
      what: activityWords(name),
      message: facts.message,
      open: facts.message === facts.safeMessage,
      passing: facts.kind === 'transient',
    });
  } catch (error) {
    engine.log.warn(
      { batch: at.batchId, err: (error as Error).name },
      'the text of an error could not be written to the ledger',
    );
  }
}

/** The last error of an activity for a batch, as the ledger has it. */
export const lastErrorOf = (engine: Engine, at: BatchReference, activity: string) => {
  const database = engine.databases.get(at.connection);
  return lastError(database, at.batchId, activityWords(activity));
};
