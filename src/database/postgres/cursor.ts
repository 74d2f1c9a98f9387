import type { ColumnFacts, CursorKind, OpenTransaction, Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { quoteName, quoteTable } from './names.ts';

const TIME = /^(timestamp|date)\b/;
const WHOLE = /^(smallint|integer|bigint)$/;
const DECIMAL = /^numeric\(\d+(?:,(-?\d+))?\)$/;

/** Integers, decimals of a fixed scale, dates and timestamps: values after which the next one is known. */
export function cursorKind(column: ColumnFacts): CursorKind | undefined {
  if (TIME.test(column.type)) return 'time';
  return WHOLE.test(column.type) || DECIMAL.test(column.type) ? 'number' : undefined;
}

/** See `Dialect.windowEnd`. A `timestamp` without zone is taken in the source role's own time zone, as its writers do. */
export async function windowEnd(
  session: Session,
  table: string,
  column: ColumnFacts,
  kind: CursorKind,
  lagMs: number,
): Promise<string | null> {
  const name = raw(quoteName(column.name));
  if (kind === 'number') {
    const scale = Number(DECIMAL.exec(column.type)?.[1] ?? 0);
    const { rows } = await session.query<{ end: string | null }>(sql`
      select (max(${name})::numeric + power(10::numeric, ${-scale}::int))::numeric(1000, ${raw(String(Math.max(scale, 0)))})::text as ${raw('"end"')}
      from ${raw(quoteTable(table))}`);
    return rows[0]?.end ?? null;
  }
  // date_trunc floors; a cast to timestamp(3) or to date after it cannot round up
  const digits = /\((\d)\)/.exec(column.type)?.[1];
  const unit =
    column.type === 'date'
      ? 'day'
      : digits === '0'
        ? 'second'
        : Number(digits ?? 6) <= 3
          ? 'milliseconds'
          : 'microseconds';
  const { rows } = await session.query<{ end: string }>(sql`
    select date_trunc(${unit}, (clock_timestamp() - ${lagMs / 1000}::float8 * interval '1 second')::${raw(zoned(column))})::${raw(column.castType)}::text
      as ${raw('"end"')}`);
  return rows[0]?.end ?? null;
}

const zoned = (column: ColumnFacts): string =>
  column.type.endsWith('with time zone') ? 'timestamptz' : 'timestamp without time zone';

/**
 * Every transaction holds a lock on its virtual id until it ends, and everybody may see those: the same list that CREATE
 * INDEX CONCURRENTLY waits for. Server processes and our own readers (read only) are left out.
 */
export async function openTransactions(session: Session): Promise<OpenTransaction[]> {
  const { rows } = await session.query<{
    key: string;
    pid: number;
    user_name: string | null;
    application_name: string | null;
    age: number | null;
  }>(sql`
    select l.virtualtransaction as key, l.pid, a.usename as user_name, a.application_name,
      extract(epoch from clock_timestamp() - a.xact_start)::int as age
    from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'virtualxid' and l.granted and l.pid <> pg_backend_pid()
      and a.datname = current_database() and coalesce(a.backend_type, 'client backend') = 'client backend'
      and a.application_name not like 'waybill read %'
    union all
    select 'prepared ' || p.gid, null, p.owner, 'prepared transaction ' || p.gid,
      extract(epoch from clock_timestamp() - p.prepared)::int
    from pg_prepared_xacts p where p.database = current_database()`);
  return rows.map((row) => ({
    key: row.key,
    connectionId: String(row.pid ?? ''),
    user: row.user_name,
    application: row.application_name,
    ageSeconds: row.age,
  }));
}

export function windowCondition(
  column: ColumnFacts,
  window: { from: string | null; to: string | null },
  bind: (value: unknown, cast?: string) => string,
): string {
  const name = quoteName(column.name);
  const parts = [
    ...(window.from === null ? [] : [`${name} >= ${bind(window.from, column.castType)}`]),
    ...(window.to === null ? [] : [`${name} < ${bind(window.to, column.castType)}`]),
  ];
  return parts.length === 0 ? 'true' : parts.join(' and ');
}
