import { COMING_DAYS, type CursorKind, type OpenTransaction } from '../cursor-dialect.ts';
import type { ColumnFacts, Dialect, Session } from '../dialect.ts';
import { fromItem, type RowSource } from '../row-source.ts';
import { conditionOfWindow } from '../window-condition.ts';
import { raw, sql } from '../sql.ts';
import { quoteName, quoteTable } from './names.ts';

const TIME = /^(timestamp(\(\d\))? with(out)? time zone|date)$/;
const WHOLE = /^(smallint|integer|bigint)$/;
const DECIMAL = /^numeric\(\d+(?:,(-?\d+))?\)$/;

/** Integers, decimals of a fixed scale, dates and timestamps: values after which the next one is known. */
export function cursorKind(column: ColumnFacts): CursorKind | undefined {
  if (TIME.test(column.type)) return 'time';
  return WHOLE.test(column.type) || DECIMAL.test(column.type) ? 'number' : undefined;
}

/** See `Dialect.endless`. NaN is greater than infinity, and of `numeric(p,s)` it is the only one. */
export function endless(column: ColumnFacts): { above: string; below: string } | undefined {
  const name = quoteName(column.name);
  if (TIME.test(column.type)) return { above: `${name} = 'infinity'`, below: `${name} = '-infinity'` };
  if (column.castType !== 'numeric') return undefined;
  const scaled = DECIMAL.test(column.type);
  return {
    above: scaled ? `${name} = 'NaN'` : `${name} in ('Infinity', 'NaN')`,
    below: scaled ? 'false' : `${name} = '-Infinity'`,
  };
}

const MOST = 2n ** 63n - 1n;
/** A window ends one above the greatest value, which may be the greatest that there is. */
const boundOf = (value: unknown, type?: string): string | undefined =>
  type === 'bigint' && /^\d{19,}$/.test(String(value)) && BigInt(String(value)) > MOST ? 'numeric' : type;

/** A window's end may lie one above the greatest integer or smallint. */
const boundType = (column: ColumnFacts): string => (WHOLE.test(column.type) ? 'bigint' : column.castType);

/** See `Dialect.cursorValue`. */
export async function cursorValue(session: Session, column: ColumnFacts, written: string): Promise<string> {
  const { rows } = await session.query<{ value: string }>(sql`
    select ${written}::${raw(boundOf(written, boundType(column))!)}::text as ${raw('"value"')}`);
  return rows[0]!.value;
}

/**
 * See `Dialect.windowEnd`. A `timestamp` without zone is taken in the source role's own time zone, as its writers do, but
 * always in its standard time (`COMING_DAYS`).
 */
export async function windowEnd(
  session: Session,
  table: RowSource,
  column: ColumnFacts,
  kind: CursorKind,
  limits: { lagMs: number; until: string | null },
): Promise<string | null> {
  return kind === 'number'
    ? numberEnd(session, table, column, limits.until)
    : timeEnd(session, column, limits.lagMs, limits.until);
}

async function numberEnd(
  session: Session,
  table: RowSource,
  column: ColumnFacts,
  until: string | null,
): Promise<string | null> {
  const name = raw(quoteName(column.name));
  const scale = Number(DECIMAL.exec(column.type)?.[1] ?? 0);
  // NaN is above every number: one such row would end all windows for ever
  const numbers = raw(WHOLE.test(column.type) ? '' : `where ${quoteName(column.name)} <> 'NaN'`);
  const { rows } = await session.query<{ end: string }>(sql`
    select least(max(${name})::numeric + power(10::numeric, ${-scale}::int), ${until}::numeric)
             ::numeric(1000, ${raw(String(Math.max(scale, 0)))})::text as ${raw('"end"')}
    from ${raw(fromItem(table, quoteTable))} ${numbers} having max(${name}) is not null`);
  return rows[0]?.end ?? null;
}

/** Floored, never rounded, to what the column can hold: `timestamp(1)` stores 10:00:00.34 as .3, behind an end of .33. */
async function timeEnd(
  session: Session,
  column: ColumnFacts,
  lagMs: number,
  until: string | null,
): Promise<string | null> {
  const type = raw(column.castType);
  const step = 10 ** (6 - Number(/\((\d)\)/.exec(column.type)?.[1] ?? 6)); // microseconds
  const { rows } = await session.query<{ end: string }>(sql`
    select least((date_trunc('second', t) + extract(microseconds from t)::bigint % 1000000 / ${step}::bigint * ${step}::bigint
                  * interval '1 microsecond')::${type}, ${until}::${type})::text as ${raw('"end"')}
    from (select ${raw(zoned(column, lagMs))} as t) now`);
  return rows[0]?.end ?? null;
}

/** The clock less the lag, as the column's writers would write it. */
function zoned(column: ColumnFacts, lagMs: number): string {
  const clock = `(clock_timestamp() - ${Number(lagMs)} * interval '1 millisecond')`;
  if (column.type.endsWith('with time zone')) return clock;
  const ahead = `(select min(of::timestamp - of at time zone 'UTC')
    from (select ${clock} union all select now() + days * interval '1 day' from unnest('{${COMING_DAYS.join()}}'::int[]) days) zone(of))`;
  return `${clock} at time zone 'UTC' + ${ahead}`;
}

interface Entry extends OpenTransaction {
  prepared: boolean;
  /** Its number, and those of its subtransactions: it may be prepared under one of them. Null: it has written nothing yet. */
  numbers: string | null;
}

/**
 * Every transaction holds a lock on its virtual id until it ends, and everybody may see those: the same list that CREATE
 * INDEX CONCURRENTLY waits for. What cannot write is left out: our own readers (read only), walsenders, those who read for the
 * query of another, server processes, and pg_dump, whose transactions are read only, and may take hours. Background workers may write: those of a subscription, of pg_cron, of an extension. A role
 * without pg_read_all_stats sees no backend_type of others, but that server processes (autovacuum) belong to nobody.
 * Locks are read before prepared transactions: what is in neither list began later.
 */
export async function openTransactions(session: Session, of?: readonly OpenTransaction[]): Promise<OpenTransaction[]> {
  const { rows } = await session.query<{
    key: string;
    prepared: boolean;
    numbers: string | null;
    pid: number;
    user_name: string | null;
    application_name: string | null;
    age: number | null;
  }>(sql`
    with locks as materialized (
      select locktype, virtualtransaction, transactionid, pid from pg_locks
      where granted and mode = 'ExclusiveLock' and locktype in ('virtualxid', 'transactionid')
    )
    select l.virtualtransaction as key, false as prepared,
      (select string_agg(n.transactionid::text, ' ') from locks n
       where n.locktype = 'transactionid' and n.virtualtransaction = l.virtualtransaction) as numbers,
      l.pid, a.usename as user_name, a.application_name,
      extract(epoch from clock_timestamp() - a.xact_start)::int as age
    from locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'virtualxid' and l.pid <> pg_backend_pid()
      and a.datname = current_database() and a.usesysid is not null
      and coalesce(a.backend_type, '') not in ('walsender', 'parallel worker')
      and a.application_name not like 'waybill read %' and a.application_name <> 'pg_dump'
    union all
    select 'prepared ' || p.transaction || ' ' || p.gid, true, p.transaction::text, null, p.owner,
      'prepared transaction ' || p.gid, extract(epoch from clock_timestamp() - p.prepared)::int
    from pg_prepared_xacts p where p.database = current_database()`);
  const open = rows.map((row): Entry => ({
    key: row.key,
    prepared: row.prepared,
    numbers: row.numbers,
    connectionId: String(row.pid ?? ''),
    user: row.user_name,
    application: row.application_name,
    ageSeconds: row.age,
  }));
  return of === undefined ? open : stillOpen(open, of as Entry[]);
}

/**
 * Of what is open now, what was known already, or has been prepared for two-phase commit since: then it goes by its number alone. One
 * that had none when it was last seen, and is gone, may be any of those that are prepared now.
 */
function stillOpen(open: Entry[], of: Entry[]): Entry[] {
  const known = new Set(of.map(({ key }) => key));
  const numbers = new Set(of.flatMap((one) => one.numbers?.split(' ') ?? []));
  const here = new Set(open.map(({ key }) => key));
  const anyPrepared = of.some((one) => one.numbers === null && !here.has(one.key));
  return open.filter((one) => known.has(one.key) || (one.prepared && (anyPrepared || numbers.has(one.numbers!))));
}

/** See `Dialect.inCursorOrder`. */
export async function inCursorOrder(session: Session, column: ColumnFacts, values: string[]): Promise<string[][]> {
  const type = cursorKind(column) === 'number' ? 'numeric' : column.castType;
  const { rows } = await session.query<{ same: string }>(sql`
    select json_agg(value)::text as same from unnest(${values}::text[]) value
    group by value::${raw(type)} order by value::${raw(type)}`);
  return rows.map(({ same }) => JSON.parse(same) as string[]);
}

export const windowCondition: Dialect['windowCondition'] = (column, window, bind) =>
  conditionOfWindow(quoteName(column.name), boundType(column), window, (value, type) =>
    bind(value, boundOf(value, type)),
  );
