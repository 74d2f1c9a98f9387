import { LoadFailedError } from '../../../errors.ts';
import { describeHolder } from '../../describe-holder.ts';
import type { Holder } from '../../dialect.ts';
import type { LockHolder } from './lock-holders.ts';
import type { TableName } from './table-name.ts';

/** A lock that was not to be had in time. `code` is that of PostgreSQL, so whoever sorts errors sees: try again. */
export class TableBusyError extends LoadFailedError {
  readonly code = '55P03';

  constructor(
    readonly table: TableName,
    readonly holders: LockHolder[],
    options: { cause?: unknown } = {},
  ) {
    const who = holders.map((holder) => describeHolder(holderOf(holder)));
    super(`${table.schema}.${table.name} is in use${who.length > 0 ? ` by ${who.join(', ')}` : ''}`, {
      next: 'wait for that session, or end it',
      ...options,
    });
  }
}

/** As the engine knows them. */
export const holderOf = (holder: LockHolder): Holder => ({
  connectionId: String(holder.pid),
  user: holder.user,
  application: holder.application,
  ageSeconds: holder.queryAgeSeconds,
});
