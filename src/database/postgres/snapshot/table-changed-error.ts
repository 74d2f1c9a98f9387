import { LoadFailedError } from '../../../errors.ts';
import { differenceOf } from './carry/alike.ts';
import type { TableName } from './table-name.ts';

/** Somebody has changed the table while it was swapped. Where it is the same change each time, the swap itself has brought it about. */
export class TableChangedError extends LoadFailedError {
  constructor(
    readonly table: TableName,
    before: readonly string[],
    now: readonly string[],
  ) {
    const name = `${table.schema}.${table.name}`;
    super(`${name} changes each time it is swapped: ${differenceOf(before, now)!}`, {
      where: name,
      next: 'Nothing was changed. An event trigger may change tables as they are altered (select evtname from pg_event_trigger): have it leave this one alone.',
    });
  }
}
