import type { ChunkMethod, ChunkRange, ColumnFacts, Session } from '../dialect.ts';
import { LONGEST_KEY, NULL_KEYS } from '../dialect.ts';
import { postgresSql } from '../../sql/postgres.ts';
import { fromItem, type RowSource } from '../row-source.ts';
import { composed, part, raw, sql, type RawSql, type SqlPart, type SqlStatement } from '../sql.ts';
import { compared, comparedColumn, isRow } from './key-order.ts';
import { quoteName, quoteTable, quoteText } from './names.ts';
import { sampleOf } from './sampled-pages.ts';

/** Where, and over how many pages, the rows of a page are counted: spread, because bulk writers leave empty pages behind. */
const SAMPLE_SPOTS = 32;
const SPOT_PAGES = 8;

/**
 * Page ranges (`ctid`) of a frozen table: no key needed, exact, half a millisecond (FACTS "Chunks"). The rows of a page
 * are learned from a few pages all over the table; the last range is open.
 */
export async function planPages(session: Session, table: string, rows: number): Promise<ChunkRange[]> {
  const name = raw(quoteTable(table));
  const { rows: size } = await session.query<{ pages: string }>(sql`
    select pg_relation_size(${quoteTable(table)}::regclass) / current_setting('block_size')::bigint as pages`);
  const pages = Number(size[0]?.pages ?? 0);
  if (pages === 0) return [];
  const spots = Math.min(SAMPLE_SPOTS, Math.ceil(pages / SPOT_PAGES));
  let sampled = 0;
  let looked = 0;
  for (let spot = 0; spot < spots; spot += 1) {
    const start = Math.floor((spot * pages) / spots);
    const end = Math.min(pages, start + SPOT_PAGES);
    const { rows: count } = await session.query<{ n: string }>(sql`
      select count(*) as n from ${name} where ctid >= ${tid(start)}::tid and ctid < ${tid(end)}::tid`);
    sampled += Number(count[0]?.n ?? 0);
    looked += end - start;
  }
  if (sampled === 0) {
    const { rows: found } = await session.query<{ found: boolean }>(
      sql`select exists (select 1 from ${name}) as found`,
    );
    if (!found[0]?.found) return [];
  }
  const rowsPerPage = Math.max(sampled / looked, 0.01);
  const step = Math.max(1, Math.round(rows / rowsPerPage));
  const ranges: ChunkRange[] = [];
  for (let page = 0; page < pages; page += step) {
    ranges.push({ from: String(page), to: page + step < pages ? String(page + step) : null });
  }
  return ranges;
}

/** Cuts a range of pages by its rows: bounds may then lie within a page. */
export async function cutPages(
  session: Session,
  table: string,
  range: ChunkRange,
  rows: number,
): Promise<ChunkRange[]> {
  const where = composed(postgresSql, (bind) => rangeCondition('pages', range, [], bind));
  const { rows: bounds } = await session.query<{ bound: string }>(sql`
    select ctid::text as bound
    from (select ctid, row_number() over (order by ctid) as its_row from ${raw(quoteTable(table))} where ${where}) numbered
    where (its_row - 1) % ${rows} = 0 order by its_row`);
  const places = bounds.map(({ bound }) => bound.replace(/[()]/g, '').replace(',', '.'));
  return places.map((from, i) => ({ from: i === 0 ? range.from : from, to: places[i + 1] ?? range.to }));
}

/**
 * Ranges by key, in one ordered pass, or by a sample of a table that is large. Equal keys share a bound, so that all rows of one key
 * share a range however skewed they are.
 */
export async function planKeys(
  session: Session,
  table: RowSource,
  key: ColumnFacts[],
  rows: number,
  where?: { condition: SqlPart; window: boolean },
): Promise<ChunkRange[]> {
  const from = raw(fromItem(table, quoteTable));
  const step = Math.max(1, Math.floor(rows));
  const columns = key.map((column) => quoteName(column.name));
  const notNull = columns.map((column) => `${column} is not null`).join(' and ');
  const condition = where ? part`(${where.condition}) and ` : part``;
  const named = typeof table === 'string' && (where?.window ?? true) ? table : undefined;
  const passed: Passed = [from, columns, part`${condition}${raw(notNull)}`, step];
  const sampled = named === undefined ? undefined : await sampledBounds(session, named, passed);
  const walks = named !== undefined && !sampled && isRow(key) && (await hasIndex(session, named, key));
  const found = sampled ?? (await boundsBy(session, walks ? keysetWalk(key, ...passed) : everyNth(...passed)));
  const bounds = found.filter(({ bound }, i) => i === 0 || Buffer.byteLength(bound) <= LONGEST_KEY);
  const ranges: ChunkRange[] = bounds.map(({ bound }, i) => ({
    from: i === 0 ? null : bound,
    to: bounds[i + 1]?.bound ?? null,
  }));
  const { rows: nulls } = await session.query<{ found: boolean }>(
    sql`select exists (select 1 from ${from} where ${condition}not (${raw(notNull)})) as found`,
  );
  if (nulls[0]?.found) ranges.push({ from: NULL_KEYS, to: NULL_KEYS });
  return ranges;
}

interface Bound {
  bound: string;
}

/** Of which rows, by which columns, on what condition, and how many of them a range is to have. */
type Passed = [from: RawSql, columns: string[], condition: SqlPart, step: number];

/** Of fewer ranges, most of the table may lie outside of the window: what is in it is soon walked. */
const FEWEST_SAMPLED = 8;

/** By a sample; undefined where none is good enough. Nothing but the size of the ranges depends on it. */
async function sampledBounds(
  session: Session,
  table: string,
  [, columns, condition, rows]: Passed,
): Promise<Bound[] | undefined> {
  const sample = await sampleOf(session, table, rows);
  if (!sample) return undefined;
  const { from, which, step } = sample;
  const found = await boundsBy(session, everyNth(from, columns, part`${which} and ${condition}`, step));
  return found.length < FEWEST_SAMPLED ? undefined : found;
}

async function boundsBy(session: Session, statement: SqlStatement): Promise<Bound[]> {
  const { rows } = await session.query<Bound>(statement);
  return rows;
}

const asJson = (names: string[]): RawSql =>
  raw(`json_build_array(${names.map((name) => `${name}::text`).join(', ')})::text`);

/**
 * Every n-th key of all that are there, sorted: for keys that no index has in order. Of one key only the first that is met comes back,
 * however many rows have it.
 */
function everyNth(from: RawSql, columns: string[], condition: SqlPart, step: number): SqlStatement {
  const order = raw(columns.join(', '));
  return sql`
    select ${asJson(columns)} as bound
    from (
      select ${order}, row_number() over (order by ${order}) as its_row, rank() over (order by ${order}) as its_rank
      from ${from} where ${condition}) numbered
    where (its_row - 1) % ${step} = 0 and its_row - its_rank < ${step} order by its_row`;
}

/** From key to key along an index, n rows at a time: a fifth of the time, for only the bounds leave the index. */
function keysetWalk(key: ColumnFacts[], ...[from, columns, condition, step]: Passed): SqlStatement {
  const order = raw(columns.join(', '));
  const further = raw(compared(key, '>', (n) => `walk.${columns[n]!}`));
  return sql`
    with recursive walk as (
      (select ${order} from ${from} where ${condition} order by ${order} limit 1)
      union all
      select further.* from walk, lateral (
        select ${order} from ${from} where ${condition} and ${further}
        order by ${order} offset ${step - 1} limit 1) further)
    select ${asJson(columns)} as bound from walk`;
}

/** Whether a B-tree has these columns in front, in the order that `order by` means. */
async function hasIndex(session: Session, table: string, key: ColumnFacts[]): Promise<boolean> {
  const { rows } = await session.query(sql`
    select 1 from pg_index i
    join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam and m.amname = 'btree'
    cross join unnest(i.indkey::int2[], i.indoption::int2[], i.indclass::oid[], i.indcollation::oid[])
      with ordinality k(column_number, options, class, collation_id, position)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.column_number and a.attcollation = k.collation_id
    join pg_opclass o on o.oid = k.class and o.opcdefault
    where i.indrelid = to_regclass(${quoteTable(table)}) and i.indisvalid and i.indpred is null
      and k.position <= ${key.length} and k.options = 0
    group by i.indexrelid
    having array_agg(a.attname::text order by k.position) = ${key.map((column) => column.name)}::text[]`);
  return rows.length > 0;
}

/** The condition of one range. Key ranges are half-open, the first open below, the last above, NULL keys apart. */
export function rangeCondition(
  method: ChunkMethod,
  range: ChunkRange,
  key: ColumnFacts[],
  bind: (value: unknown, cast?: string) => string,
): string {
  if (method === 'once' || method === 'range') return 'true';
  if (method === 'pages') {
    const from = `ctid >= ${quoteText(tid(range.from ?? '0'))}::tid`;
    return range.to === null ? from : `${from} and ctid < ${quoteText(tid(range.to))}::tid`;
  }
  const names = key.map((column) => quoteName(column.name));
  const notNull = names.map((name) => `${name} is not null`).join(' and ');
  if (range.from === NULL_KEYS) return `not (${notNull})`;
  const [from, to] = [range.from, range.to].map((bound) =>
    bound === null ? undefined : (JSON.parse(bound) as string[]),
  );
  const valueAt = (values: string[], n: number): string => bind(values[n], key[n]?.castType);
  const same = isRow(key) ? 0 : sameInFront(from, to);
  const compare = (comparison: '>=' | '<', bound: string[]): string =>
    compared(key.slice(same), comparison, (n) => valueAt(bound, same + n));
  return [
    notNull,
    ...key.slice(0, same).map((column, n) => comparedColumn(column, '=', valueAt(from!, n))),
    ...(from === undefined ? [] : [compare('>=', from)]),
    ...(to === undefined ? [] : [compare('<', to)]),
  ].join(' and ');
}

/** How many columns of a key are one value in all of a range: by them, and the one behind them, an index leads to its rows. */
function sameInFront(from: string[] | undefined, to: string[] | undefined): number {
  if (from === undefined || to === undefined) return 0;
  const differs = from.findIndex((value, n) => value !== to[n]);
  return differs === -1 ? from.length - 1 : differs;
}

/** A place in a table: a page, or `page.row`. */
function tid(at: number | string): string {
  const [page, row = '0'] = String(at).split('.');
  return `(${Number(page)},${Number(row)})`;
}
