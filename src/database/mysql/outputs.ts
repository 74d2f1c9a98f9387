/**
 * Which table an output is. All that an ordinary account learns of it is when it was made (snapshot/identity.ts): to the second, and anew
 * by each ALTER and OPTIMIZE, on MariaDB also by a new name; not by TRUNCATE, ANALYZE or a trigger (seen). So it stands for the table's
 * storage, and what was altered is told from another table by the rows that it holds.
 */
import type { TableIdentity } from '../dialect.ts';
import { part, raw, sql, type SqlPart } from '../sql.ts';
import type { Reader } from './catalog.ts';
import { quoteTable } from './names.ts';
import { isTable, rowsOf } from './tables.ts';

const MADE = raw('cast(unix_timestamp(create_time) as signed)');
/** Nothing tells it. */
const RELATION = '0';

/** See `Dialect.outputIdentity`. */
export async function outputIdentity(reader: Reader, table: string): Promise<TableIdentity | undefined> {
  const [found] = await rowsOf<{ made: number | string | null }>(
    reader,
    table,
    (here) => sql`select ${MADE} as made from information_schema.tables where ${here}`,
  );
  return found === undefined ? undefined : { relationId: RELATION, storageId: String(found.made ?? 0) };
}

/** See `Dialect.isOutput`. It uses the table, and so waits for whoever has it to himself (catalog.ts). */
export const isOutput = (table: string, { storageId }: TableIdentity): SqlPart => part`
  (not exists (select 1 from ${raw(quoteTable(table))} limit 0)
   and exists (select 1 from information_schema.tables where ${isTable(table)} and coalesce(${MADE}, 0) = ${storageId}))`;
