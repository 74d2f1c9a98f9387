import type { ChunkMethod, ChunkRange, ColumnFacts, Session } from '../dialect.ts';
import { NULL_KEYS } from '../dialect.ts';
import { raw, sql, type SqlStatement } from '../sql.ts';
import { quoteName, quoteTable, quoteText } from './names.ts';

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

/**
 * Ranges by key: one ordered pass (index-only where an index fits) that keeps every n-th key. Equal keys collapse into
 * one bound, so that all rows of one key share a range however skewed they are.
 */
export async function planKeys(
  session: Session,
  table: string,
  key: ColumnFacts[],
  rows: number,
  where?: { text: string; values: unknown[] },
): Promise<ChunkRange[]> {
  const columns = key.map((column) => quoteName(column.name)).join(', ');
  const notNull = key.map((column) => `${quoteName(column.name)} is not null`).join(' and ');
  const condition = where ? `(${where.text}) and ` : '';
  const { rows: bounds } = await session.query<{ bound: string }>(
    withValues(
      `select json_build_array(${key.map((column) => `${quoteName(column.name)}::text`).join(', ')})::text as bound
       from (select ${columns}, row_number() over (order by ${columns}) as rn from ${quoteTable(table)}
             where ${condition}${notNull}) numbered
       where (rn - 1) % ${Math.max(1, Math.floor(rows))} = 0
       order by rn`,
      where?.values ?? [],
    ),
  );
  const distinct = bounds.map((row) => row.bound).filter((bound, i, all) => i === 0 || bound !== all[i - 1]);
  const ranges: ChunkRange[] = distinct.map((bound, i) => ({
    from: i === 0 ? null : bound,
    to: distinct[i + 1] ?? null,
  }));
  const { rows: nulls } = await session.query<{ found: boolean }>(
    withValues(
      `select exists (select 1 from ${quoteTable(table)} where ${condition}not (${notNull})) as found`,
      where?.values ?? [],
    ),
  );
  if (nulls[0]?.found) ranges.push({ from: NULL_KEYS, to: NULL_KEYS });
  return ranges;
}

/** The condition of one range. Key ranges are half-open, the first open below, the last above, NULL keys apart. */
export function rangeCondition(
  method: ChunkMethod,
  range: ChunkRange,
  key: ColumnFacts[],
  bind: (value: unknown, cast?: string) => string,
): string {
  if (method === 'once') return 'true';
  if (method === 'pages') {
    const from = `ctid >= ${quoteText(tid(Number(range.from ?? 0)))}::tid`;
    return range.to === null ? from : `${from} and ctid < ${quoteText(tid(Number(range.to)))}::tid`;
  }
  const names = key.map((column) => quoteName(column.name));
  const notNull = names.map((name) => `${name} is not null`).join(' and ');
  if (range.from === NULL_KEYS) return `not (${notNull})`;
  const row = names.length === 1 ? names[0] : `(${names.join(', ')})`;
  const bound = (text: string): string => {
    const values = JSON.parse(text) as string[];
    const bound = values.map((value, i) => bind(value, key[i]?.castType)).join(', ');
    return values.length === 1 ? bound : `(${bound})`;
  };
  return [
    notNull,
    ...(range.from === null ? [] : [`${row} >= ${bound(range.from)}`]),
    ...(range.to === null ? [] : [`${row} < ${bound(range.to)}`]),
  ].join(' and ');
}

const tid = (page: number): string => `(${page},0)`;

/** A statement whose text already holds $1 … $n. */
function withValues(text: string, values: unknown[]): SqlStatement {
  const parts = text.split(/\$\d+/);
  const order = [...text.matchAll(/\$(\d+)/g)].map((match) => values[Number(match[1]) - 1]);
  return { strings: parts, values: order };
}
