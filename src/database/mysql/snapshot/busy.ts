import { describeHolder } from '../../describe-holder.ts';
import type { Holder } from '../../dialect.ts';
import { InTheWayError, LOCK_WAIT_TIMEOUT } from '../errors.ts';

/** ER_LOCK_DEADLOCK: the other one was let through. */
const DEADLOCK = 1213;

export function isBusy(error: unknown): boolean {
  const { errno } = error as { errno?: number };
  return errno === LOCK_WAIT_TIMEOUT || errno === DEADLOCK;
}

/** A lock that was not to be had in time. */
export class TableBusyError extends InTheWayError {
  constructor(table: string, holders: readonly Holder[]) {
    const who = holders.map((holder) => describeHolder(holder));
    super(`${table} is in use${who.length > 0 ? ` by ${who.join(', ')}` : ''}`, {
      next: 'wait for that session, or end it',
    });
  }
}
