import type { Database, LockWait } from '../../dialect.ts';
import { newest } from '../../lock-watch.ts';
import { lockWait } from '../lock-wait.ts';

/** A swap without obstacles is over by then; one that waits gives up after 200 ms. */
const LOOK_EVERY_MS = 60;

/**
 * Looks, from another connection, whom this session waits for: once its wait has ended, the server can no longer say. For locks that no
 * plan has, of which most are short. Nothing is asked of the server unless `stop` comes late.
 */
export function watchBlockers(
  database: Database,
  connectionId: string,
): { seen: () => Promise<LockWait>; stop: () => void } {
  let last: LockWait | undefined;
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    last = newest(last, await lockWait(database, connectionId));
  };
  const timer = setInterval(() => {
    looking = looking.then(look).catch(() => undefined); // it is for a message only
  }, LOOK_EVERY_MS);
  const stop = (): void => clearInterval(timer);
  const seen = async (): Promise<LockWait> => {
    stop();
    await looking;
    return last ?? { holders: [] };
  };
  return { seen, stop };
}
