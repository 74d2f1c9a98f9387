/**
 * Which table an output is. An ordinary account learns only when it was made (snapshot/identity.ts): to the second, and anew by each ALTER
 * and OPTIMIZE, on MariaDB also by a new name; not by TRUNCATE, ANALYZE or a trigger (seen). Who has the privilege PROCESS learns, too, which
 * files or numbers InnoDB has given it, which TRUNCATE and each rewrite change. All that stands for the table's storage: what was altered or
 * rewritten is told from another table by the rows that it holds.
 */
import { parseTableName } from '../../sql/names.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import type { TableIdentity } from '../dialect.ts';
import { part, raw, sql, type SqlPart } from '../sql.ts';
import type { Reader } from './catalog.ts';
import { classify } from './errors.ts';
import { unlessFails } from './expected-error.ts';
import { quoteTable } from './names.ts';
import { isTable, rowsOf, storedName } from './tables.ts';

const MADE = raw('cast(unix_timestamp(create_time) as signed)');
/** Nothing tells it. */
const RELATION = '0';

/**
 * A number of its storage, those of all partitions together: 1 to 2^30 - 1; null: InnoDB names nothing after it (a general tablespace).
 * MySQL's list of files has an index by name, and takes as long as `information_schema.tables` with 2,000 tables as with ten (0.4 ms), where
 * its list of tables takes 10 ms; MariaDB has but lists that are read as a whole (0.3 ms, with 2,000 tables 3 to 7 ms), with names as those
 * of files are written. A comment that begins with `!50700` is run by MySQL alone, one with `M!` by MariaDB alone.
 */
function storageOf(table: string): SqlPart {
  const { schema, name } = parseTableName(table, mysqlSql);
  const asFile = (text: SqlPart) => part`/*M! cast(convert( */ ${text} /*M! using filename) as binary) */`;
  const whole = part`concat(${asFile(schema === undefined ? part`database()` : storedName(schema))}, '/', ${asFile(storedName(name))})`;
  const named = raw('/*!50700 tablespace_name *//*M! cast(name as binary) */');
  // Partitions: `db/table#p#name`, with a capital in MariaDB and in MySQL before 8.0.20. `$` comes after `#`.
  return part`
    select 1 + mod(sum(/*!50700 file_id *//*M! table_id */), 1073741823) as storage
     from information_schema./*!50700 files *//*M! innodb_sys_tables */
     where ${named} = ${whole}
       or (${named} > concat(${whole}, '#p#') and ${named} < concat(${whole}, '#p$'))
       or (${named} > concat(${whole}, '#P#') and ${named} < concat(${whole}, '#P$'))`;
}

/** The ledger has both in one number, and of a batch from before there was a second one the first alone. */
const BITS_OF_MADE = 33n;

const idOf = (made: bigint, stored: bigint): string => String((stored << BITS_OF_MADE) | made);

function partsOf({ storageId }: TableIdentity): { made: bigint; stored: bigint } {
  const stored = BigInt(storageId) >> BITS_OF_MADE;
  return { made: BigInt.asUintN(Number(BITS_OF_MADE), BigInt(storageId)), stored };
}

interface Found {
  made: number | string | null;
  storage: number | string | null;
}

/** See `Dialect.outputIdentity`. */
export async function outputIdentity(reader: Reader, table: string): Promise<TableIdentity | undefined> {
  const look = (storage: SqlPart): Promise<Found[]> =>
    rowsOf<Found>(
      reader,
      table,
      (here) => sql`select ${MADE} as made, ${storage} as storage from information_schema.tables where ${here}`,
    );
  const isForbidden = (error: unknown): boolean => classify(error).because === 'forbidden';
  const [found] =
    (await unlessFails(reader, isForbidden, () => look(part`(${storageOf(table)})`))) ?? (await look(part`null`));
  if (found === undefined) return undefined;
  return { relationId: RELATION, storageId: idOf(BigInt(found.made ?? 0), BigInt(found.storage ?? 0)) };
}

/** See `Dialect.isSameOutput`. */
export function isSameOutput(one: TableIdentity, other: TableIdentity): boolean {
  const [a, b] = [partsOf(one), partsOf(other)];
  return a.made === b.made && (a.stored === b.stored || a.stored === 0n || b.stored === 0n);
}

/** See `Dialect.isOutput`. It uses the table, and so waits for whoever has it to himself (catalog.ts). */
export function isOutput(table: string, identity: TableIdentity): SqlPart {
  const { made, stored } = partsOf(identity);
  const known = raw(String(stored)); // bound, it would be a text
  // MariaDB would look at all names again for each row of the statement that has the condition, were it no table derived from them.
  const isStored =
    stored === 0n
      ? part``
      : part`and exists (select 1 from (${storageOf(table)}) now_here where coalesce(storage, ${known}) = ${known})`;
  return part`
  (not exists (select 1 from ${raw(quoteTable(table))} limit 0)
   and exists (select 1 from information_schema.tables where ${isTable(table)} and coalesce(${MADE}, 0) = ${made})
   ${isStored})`;
}
