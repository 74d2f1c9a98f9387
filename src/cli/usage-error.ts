import { ConfigurationError } from '../errors.ts';

/** The command line itself is wrong. */
export class UsageError extends ConfigurationError {
  readonly type = 'Usage';
}

/** What the contract promises and a later version brings. */
export function notYet(what: string): UsageError {
  return new UsageError(`${what} is not yet available in this version`, {
    next: 'waybill --help shows what there is',
  });
}
