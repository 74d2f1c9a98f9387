import type { Batch } from '../control/batch.ts';
import type { ErrorFacts } from '../database/dialect.ts';

/**
 * Somebody held a lock for longer than the server waits, where PostgreSQL would wait on: such an attempt does not count, and the batch's
 * own time ends it. (Not without a limit in the session: by it the server ends cycles of locks that it does not see.) A load that sets
 * the limit itself wants to hear of it.
 */
export const isHeldUp = ({ waited }: ErrorFacts, { definition }: Batch): boolean =>
  waited !== undefined && !Object.keys(definition.sessionParams).some((name) => waited.includes(name.toLowerCase()));
