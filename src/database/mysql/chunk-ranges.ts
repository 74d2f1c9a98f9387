import {
  LONGEST_KEY,
  NULL_KEYS,
  type ChunkMethod,
  type ChunkRange,
  type ColumnFacts,
  type Session,
} from '../dialect.ts';
import { nameOfRows, type RowSource } from '../row-source.ts';
import { part, raw, sql, type SqlPart } from '../sql.ts';
import { guessedBounds } from './guessed-bounds.ts';
import { compareKey, keyForm, type Bind } from './key-form.ts';
import {
  ANY_DAY,
  boundOf,
  columnsOf,
  hasKey,
  keyed,
  keyOfRow,
  orderOf,
  rowsIn,
  type KeyBound,
  type Keyed,
} from './keyed-rows.ts';
import { quoteName } from './names.ts';
import { describeTable } from './tables.ts';

/**
 * Ranges by key. All rows of one key share a range, however skewed they are, and what is one key is for the column's own
 * collation to say.
 */
export async function planKeys(
  session: Session,
  table: RowSource,
  key: ColumnFacts[],
  rows: number,
  where?: { condition: SqlPart; window: boolean },
): Promise<ChunkRange[]> {
  const cut = keyed(table, key, where?.condition);
  const index = typeof table === 'string' && (where?.window ?? true) && (await indexOf(session, table, key));
  if (!index) return rangesOf(session, cut, await everyNth(session, cut, rows));
  const guessed = await guessedBounds(session, cut, rows, index);
  return rangesOf(session, cut, guessed ?? (await walk(session, cut, rows, index)));
}

/**
 * The same along an index of the key, or of what `condition` says and the key behind it: from each bound to the row `rows`
 * further on, so that every entry is read once and nothing is sorted.
 */
export async function walkKeys(
  session: Session,
  table: string,
  key: ColumnFacts[],
  rows: number,
  { condition, index }: { condition: SqlPart | undefined; index: string },
): Promise<ChunkRange[]> {
  const cut = keyed(table, key, condition);
  return rangesOf(session, cut, await walk(session, cut, rows, index));
}

/** To both servers `day is null`, and with it `not (day is not null)`, is true of 0000-00-00 too, where the column is NOT NULL. */
const hasNoKey = (key: ColumnFacts[]): string =>
  `(${key.map(({ name }) => `${quoteName(name)} <=> null`).join(' or ')})`;

/** From each bound to the next one that the ledger can hold; and NULL keys, where there are any. */
async function rangesOf(session: Session, cut: Keyed, found: string[]): Promise<ChunkRange[]> {
  const bounds = found.filter((bound, i) => i === 0 || Buffer.byteLength(bound) <= LONGEST_KEY);
  const ranges = bounds.map((bound, i) => ({ from: i === 0 ? null : bound, to: bounds[i + 1] ?? null }));
  const { rows: nulls } = await session.query(sql`
    select 1 from ${rowsIn(cut)} where ${cut.rowsOf}${raw(hasNoKey(cut.key))} limit 1`);
  return nulls.length > 0 ? [...ranges, { from: NULL_KEYS, to: NULL_KEYS }] : ranges;
}

/**
 * Every n-th key of all that are there, sorted once: for keys that no index has in order. Of one key only the first that is met comes
 * back, however many rows have it.
 */
async function everyNth(session: Session, cut: Keyed, rows: number): Promise<string[]> {
  const step = raw(String(Math.max(1, Math.floor(rows))));
  const carried = cut.key
    .map(({ name }, i) => `${quoteName(name)} as c${i}, ${cut.forms[i]!.value} as v${i}`)
    .join(', ');
  const values = (of: (value: string) => string): string[] => cut.key.map((_, i) => of(`v${i}`));
  const texts = raw(cut.key.map((column, i) => `${keyForm({ ...column, name: `c${i}` }).text} as k${i}`).join(', '));
  const found = part`
    with found as (
      select ${raw(carried)}, its_row from (
        select ${columnsOf(cut)}, row_number() over (order by ${orderOf(cut)}) as its_row,
          rank() over (order by ${orderOf(cut)}) as its_rank
        from ${rowsIn(cut)} where ${cut.condition}) numbered
      where (its_row - 1) % ${step} = 0 and its_row - its_rank < ${step})`;
  const follows = isLess(
    values((value) => `lag(${value}) over (order by its_row)`),
    values((value) => value),
  );
  const { rows: sorted } = await session.query<FoundKey>(sql`
    ${found} select ${ANY_DAY} ${texts}, case when its_row = 1 or ${raw(follows)} then 1 else 0 end as place from found order by its_row`);
  if (sorted.every(({ place }) => Number(place) === 1)) return boundsOf(cut, sorted);
  // A sort looks at max_sort_length bytes of a text, 1024 by default, and has in any order what differs behind them.
  const less = isLess(
    values((value) => `other.${value}`),
    values((value) => `found.${value}`),
  );
  const { rows: counted } = await session.query<FoundKey>(sql`
    ${found} select ${ANY_DAY} ${texts}, (select count(*) from found other where ${raw(less)}) as place from found`);
  const places = new Map(counted.map((row) => [Number(row.place), row]));
  return boundsOf(
    cut,
    [...places].sort(([one], [other]) => one - other).map(([, row]) => row),
  );
}

type FoundKey = Record<string, unknown> & { place: unknown };

const isLess = ([one, ...more]: string[], [other, ...others]: string[]): string =>
  more.length === 0 ? `${one} < ${other}` : `(${one} < ${other} or (${one} = ${other} and ${isLess(more, others)}))`;

const boundsOf = (cut: Keyed, rows: Record<string, unknown>[]): string[] =>
  rows.map((row) => JSON.stringify(boundOf(cut, row)));

async function walk(session: Session, cut: Keyed, rows: number, index: string): Promise<string[]> {
  const keyAt = (offset: number, from?: KeyBound) => keyOfRow(session, cut, index, { offset, from });
  /** Texts that are written differently may be one key to their collation: then the same row is the first one from both on. */
  const collated = cut.key.some(({ castType }) => castType === '');
  const differs = async (first: string[], second: string[]): Promise<boolean> =>
    JSON.stringify(first) !== JSON.stringify(second) && (!collated || (await startElsewhere(first, second)));
  const startElsewhere = async (first: string[], second: string[]): Promise<boolean> =>
    JSON.stringify(await keyAt(0, { operator: '>=', bound: second })) !==
    JSON.stringify(await keyAt(0, { operator: '>=', bound: first }));

  const bounds = new Set<string>();
  const step = Math.max(1, Math.floor(rows));
  for (let at = await keyAt(0); at !== undefined;) {
    const bound = JSON.stringify(at);
    // A walk that does not move on would never end: a bound that the server reads in another way than it wrote it.
    if (bounds.has(bound)) throw new Error(`the key of ${nameOfRows(cut.table)} does not grow beyond ${bound}`);
    bounds.add(bound);
    const next = await keyAt(step, { operator: '>=', bound: at });
    const skewed: boolean = next !== undefined && !(await differs(at, next));
    at = skewed ? await keyAt(0, { operator: '>', bound: at }) : next;
  }
  return [...bounds];
}

/** An index that has these columns in front, as they are compared. */
async function indexOf(session: Session, table: string, key: ColumnFacts[]): Promise<string | undefined> {
  if (key.some((column) => keyForm(column).value !== quoteName(column.name))) return undefined;
  const facts = await describeTable(session, table);
  return facts?.indexes.find(({ columns }) => key.every(({ name }, i) => columns[i] === name))?.name;
}

/** The condition of one range: half-open, the first open below, the last above, NULL keys apart. */
export function rangeCondition(method: ChunkMethod, range: ChunkRange, key: ColumnFacts[], bind: Bind): string {
  if (method === 'once' || method === 'range') return 'true';
  const forms = key.map(keyForm);
  if (range.from === NULL_KEYS) return hasNoKey(key);
  const compare = (operator: '<' | '>=', bound: string): string =>
    compareKey(forms, operator, JSON.parse(bound) as string[], bind);
  return [
    hasKey(key),
    ...(range.from === null ? [] : [compare('>=', range.from)]),
    ...(range.to === null ? [] : [compare('<', range.to)]),
  ].join(' and ');
}
