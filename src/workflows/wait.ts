import { condition, sleep } from '@temporalio/workflow';
import { failureOf, summarize } from './error-summary.ts';
import { FAILURE, type ErrorSummary } from './messages.ts';

const SHORTEST_MS = 500;
const LONGEST_MS = 15_000;

/** Waits before the n-th (0-based) look at something that somebody else has to end: seldom enough to keep the history short. */
export const waitBeforeLook = (n: number): Promise<void> => sleep(Math.min(LONGEST_MS, SHORTEST_MS * 2 ** n));

/** As long as a swap leaves between two tries: whoever has waited for hours should not have to wait on. */
const LONGEST_FOR_LOCK_MS = 4_000;

/** The same of what others hold locked, unless something is `asked` before. */
export const waitForLock = async (n: number, asked: () => boolean): Promise<void> =>
  void (await condition(asked, Math.min(LONGEST_FOR_LOCK_MS, SHORTEST_MS * 2 ** n)));

/** Workers are exchanged one after the other, with minutes between: so long a start waits for one that is not older than the control tables. */
const NEWER_WORKER_MS = 5 * 60_000;

/** What a worker says that is older than the control tables. Throws every other failure, and that one, too, where `since` is too long ago. */
export function olderWorker(error: unknown, since: number): ErrorSummary {
  const failure = summarize(error);
  if (failure.type !== FAILURE.newerTables) throw failureOf(failure);
  if (Date.now() - since > NEWER_WORKER_MS) throw failureOf({ ...failure, type: FAILURE.configuration });
  return failure;
}

/**
 * The same of a worker that is newer than the one that was asked, which comes to it more often: a server hands tasks to polls in their turn,
 * and of the first dozen all may be the other one's.
 */
export const waitForNewerWorker = (n: number, asked: () => boolean): Promise<void> =>
  waitForLock(Math.min(n, 2), asked);
