import { LoadFailedError } from '../../../errors.ts';
import { describeHolder } from '../../describe-holder.ts';
import type { Holder } from '../../dialect.ts';

/** ER_LOCK_WAIT_TIMEOUT: also of locks on the metadata of a table. */
const LOCK_WAIT_TIMEOUT = 1205;
/** ER_LOCK_DEADLOCK: the other one was let through. */
const DEADLOCK = 1213;

export function isBusy(error: unknown): boolean {
  const { errno } = error as { errno?: number };
  return errno === LOCK_WAIT_TIMEOUT || errno === DEADLOCK;
}

/** A lock that was not to be had in time. `errno` is the server's, so whoever sorts errors sees: try again. */
export class TableBusyError extends LoadFailedError {
  readonly errno = LOCK_WAIT_TIMEOUT;

  constructor(table: string, holders: readonly Holder[]) {
    const who = holders.map((holder) => describeHolder(holder));
    super(`${table} is in use${who.length > 0 ? ` by ${who.join(', ')}` : ''}`, {
      next: 'wait for that session, or end it',
    });
  }
}
