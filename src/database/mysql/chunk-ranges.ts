import { NULL_KEYS, type ChunkMethod, type ChunkRange, type ColumnFacts, type Session } from '../dialect.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import { compareKey, keyForm, type Bind, type KeyForm } from './key-form.ts';
import { fromItem, nameOfRows, type RowSource } from '../row-source.ts';
import { composed, part, raw, sql, type RawSql, type SqlPart } from '../sql.ts';
import { quoteName, quoteTable } from './names.ts';
import { describeTable } from './tables.ts';

/** Which rows are cut, by what. */
interface Keyed {
  table: RowSource;
  key: ColumnFacts[];
  forms: KeyForm[];
  /** `(…) and `: what must be true of the rows, whether they have a key or not; may be nothing. */
  rowsOf: SqlPart;
  /** The same, of rows that have a key. */
  condition: SqlPart;
}

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
  const walked = typeof table === 'string' && (where?.window ?? true) && (await indexOf(session, table, key));
  if (walked) return walkKeys(session, table, key, rows, { condition: where?.condition, index: walked });
  const cut = keyed(table, key, where?.condition);
  return rangesOf(session, cut, await everyNth(session, cut, rows));
}

/**
 * The same along an index of the key, or of what `condition` says and the key behind it: from each bound to the row `rows`
 * further on, so that every entry is read once and nothing is sorted. Told which one, for the servers' guesses at a range that
 * is open above are too high.
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

function keyed(table: RowSource, key: ColumnFacts[], condition: SqlPart | undefined): Keyed {
  const rowsOf = condition ? part`(${condition}) and ` : part``;
  return { table, key, forms: key.map(keyForm), rowsOf, condition: part`${rowsOf}${raw(hasKey(key))}` };
}

const hasKey = (key: ColumnFacts[]): string => key.map(({ name }) => `${quoteName(name)} is not null`).join(' and ');

/** From each bound to the next one; and NULL keys, where there are any. */
async function rangesOf(session: Session, cut: Keyed, bounds: string[]): Promise<ChunkRange[]> {
  const ranges = bounds.map((bound, i) => ({ from: i === 0 ? null : bound, to: bounds[i + 1] ?? null }));
  const { rows: nulls } = await session.query(sql`
    select 1 from ${rowsIn(cut)} where ${cut.rowsOf}not (${raw(hasKey(cut.key))}) limit 1`);
  return nulls.length > 0 ? [...ranges, { from: NULL_KEYS, to: NULL_KEYS }] : ranges;
}

const rowsIn = ({ table }: Keyed): RawSql => raw(fromItem(table, quoteTable));
const columnsOf = ({ key }: Keyed): RawSql => raw(key.map(({ name }) => quoteName(name)).join(', '));
const orderOf = ({ forms }: Keyed): RawSql => raw(forms.map(({ value }) => value).join(', '));
const textsOf = ({ forms }: Keyed): RawSql => raw(forms.map(({ text }, i) => `${text} as k${i}`).join(', '));
const boundOf = ({ key }: Keyed, row: Record<string, unknown>): string[] => key.map((_, i) => String(row[`k${i}`]));

/**
 * Every n-th key of all that are there, sorted once: for keys that no index has in order. Of one key only the first that is met comes
 * back, however many rows have it.
 */
async function everyNth(session: Session, cut: Keyed, rows: number): Promise<string[]> {
  const step = Math.max(1, Math.floor(rows));
  const { rows: found } = await session.query<Record<string, unknown>>(sql`
    select ${textsOf(cut)} from (
      select ${columnsOf(cut)}, row_number() over (order by ${orderOf(cut)}) as its_row,
        rank() over (order by ${orderOf(cut)}) as its_rank
      from ${rowsIn(cut)} where ${cut.condition}) numbered
    where (its_row - 1) % ${raw(String(step))} = 0 and its_row - its_rank < ${raw(String(step))} order by its_row`);
  return found.map((row) => JSON.stringify(boundOf(cut, row)));
}

async function walk(session: Session, cut: Keyed, rows: number, index: string): Promise<string[]> {
  const { forms } = cut;
  /** The key of the row that is `offset` behind the first one that fits. */
  const keyAt = async (offset: number, condition?: { operator: '>' | '>='; bound: string[] }) => {
    const compared = condition
      ? part` and ${composed(mysqlSql, (bind) => compareKey(forms, condition.operator, condition.bound, bind))}`
      : part``;
    // Outside: `order by` would take a column of the table for one of these, should it be called k1.
    const { rows: found } = await session.query(sql`
      select ${textsOf(cut)} from (
        select ${columnsOf(cut)} from ${rowsIn(cut)} force index (${raw(quoteName(index))})
        where ${cut.condition}${compared}
        order by ${orderOf(cut)} limit 1 offset ${raw(String(offset))}) found`);
    return found[0] && boundOf(cut, found[0]);
  };
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
  if (range.from === NULL_KEYS) return `not (${hasKey(key)})`;
  const compare = (operator: '<' | '>=', bound: string): string =>
    compareKey(forms, operator, JSON.parse(bound) as string[], bind);
  return [
    hasKey(key),
    ...(range.from === null ? [] : [compare('>=', range.from)]),
    ...(range.to === null ? [] : [compare('<', range.to)]),
  ].join(' and ');
}
