import { mysqlSql } from '../../sql/mysql.ts';
import { COMING_DAYS, type CursorKind } from '../cursor-dialect.ts';
import type { ColumnFacts, Dialect, Session } from '../dialect.ts';
import { fromItem, type RowSource } from '../row-source.ts';
import { conditionOfWindow } from '../window-condition.ts';
import { part, raw, sql, type SqlPart } from '../sql.ts';
import { quoteName, quoteTable } from './names.ts';

const TIME = /^(?:(?:datetime|timestamp)(?:\(([1-6])\))?|date)$/;
const WHOLE = /^(?:tiny|small|medium|big)?int\b/;
const DECIMAL = /^decimal\(\d+,(\d+)\)/;

/** Integers, decimals, dates and times: values after which the next one is known. */
export function cursorKind({ type }: ColumnFacts): CursorKind | undefined {
  if (TIME.test(type)) return 'time';
  return WHOLE.test(type) || DECIMAL.test(type) ? 'number' : undefined;
}

const scaleOf = ({ type }: ColumnFacts): number => Number(DECIMAL.exec(type)?.[1] ?? 0);

/** What a value of a window is compared as: its end may lie one above the greatest number of the column's type. */
function boundType(column: ColumnFacts): string {
  if (column.type === 'date') return 'date';
  return TIME.test(column.type) ? 'datetime(6)' : `decimal(65,${scaleOf(column)})`;
}

/** See `Dialect.cursorValue`. A cast that fails is but a warning to both servers, and none to MySQL where a bound value becomes a time. */
export async function cursorValue(session: Session, column: ColumnFacts, written: string): Promise<string> {
  const text = part`${mysqlSql.instant(written)}`;
  const given = cursorKind(column) === 'time' ? part`cast(${text} as char)` : text;
  const { rows } = await session.query<{ value: string | null }>(sql`
    select cast(cast(${given} as ${raw(boundType(column))}) as char) as ${raw('`value`')}`);
  const { rows: warnings } = await session.query<{ Message: string }>(sql`show warnings`);
  const value = rows[0]?.value;
  if (warnings.length > 0 || typeof value !== 'string')
    throw new Error(warnings[0]?.Message ?? `no ${column.type}: ${written}`);
  return value;
}

/** See `Dialect.windowEnd`. */
export async function windowEnd(
  session: Session,
  table: RowSource,
  column: ColumnFacts,
  kind: CursorKind,
  { lagMs, until }: { lagMs: number; until: string | null },
): Promise<string | null> {
  const earlier = (end: SqlPart): SqlPart =>
    until === null ? end : part`least(${end}, cast(${until} as ${raw(boundType(column))}))`;
  const { rows } = await session.query<{ end: string | null }>(
    kind === 'number'
      ? sql`select cast(${earlier(behindGreatest(column))} as char) as ${raw('`end`')} from ${raw(fromItem(table, quoteTable))}`
      : sql`select left(date_format(${earlier(clock(column, lagMs))}, '%Y-%m-%d %H:%i:%s.%f'),
              ${raw(String(lengthOf(column)))}) as ${raw('`end`')}`,
  );
  return rows[0]?.end ?? null;
}

const behindGreatest = (column: ColumnFacts): SqlPart => {
  const scale = scaleOf(column);
  const step = scale === 0 ? '1' : `0.${'1'.padStart(scale, '0')}`;
  return part`cast(max(${raw(quoteName(column.name))}) as ${raw(boundType(column))}) + ${raw(step)}`;
};

/** Floored, never rounded, to what the column can hold: `datetime` stores 10:00:00.34 as :00, behind an end of :00.33. */
const lengthOf = ({ type }: ColumnFacts): number => {
  if (type === 'date') return 10;
  const digits = Number(TIME.exec(type)?.[1] ?? 0);
  return digits === 0 ? 19 : 20 + digits;
};

/**
 * The clock less the lag, as the column's writers would write it. A `timestamp` is an instant. A `datetime` is taken for one of
 * the server's own time zone, in which sessions write unless they say another, but always of its standard time (`COMING_DAYS`).
 */
function clock({ type }: ColumnFacts, lagMs: number): SqlPart {
  const now = `utc_timestamp(6) - interval ${Math.round(lagMs * 1000)} microsecond`;
  if (type.startsWith('timestamp')) return part`${raw(now)}`;
  // Needs no tables of zones where the server's zone is the system's. What a server's time cannot be any more is not converted: 0 ahead.
  const ahead = (of: string): string => `timestampdiff(second, ${of}, convert_tz(${of}, '+00:00', @@global.time_zone))`;
  const coming = COMING_DAYS.map((days) => ahead(`(utc_date() + interval ${days} day)`));
  return part`${raw(now)} + interval least(${raw([ahead(now), ...coming].join(', '))}) second`;
}

/** See `Dialect.inCursorOrder`. */
export async function inCursorOrder(session: Session, column: ColumnFacts, values: string[]): Promise<string[][]> {
  const { rows } = await session.query<{ value: string; rank: string }>(sql`
    select given.value as ${raw('`value`')},
      rank() over (order by cast(given.value as ${raw(boundType(column))})) as ${raw('`rank`')}
    from json_table(${JSON.stringify(values)}, '$[*]' columns (value varchar(100) path '$')) given order by 2`);
  const groups = new Map<string, string[]>();
  for (const { value, rank } of rows) groups.set(String(rank), [...(groups.get(String(rank)) ?? []), value]);
  return [...groups.values()];
}

/** See `Dialect.windowCondition`. */
export const windowCondition: Dialect['windowCondition'] = (column, window, bind) =>
  conditionOfWindow(quoteName(column.name), boundType(column), window, bind);
