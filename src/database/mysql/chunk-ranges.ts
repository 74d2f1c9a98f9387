import { NULL_KEYS, type ChunkMethod, type ChunkRange, type ColumnFacts, type Session } from '../dialect.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import { compareKey, keyForm, type Bind } from './key-form.ts';
import { composed, part, raw, sql, type SqlPart } from '../sql.ts';
import { quoteName, quoteTable } from './names.ts';

/**
 * Ranges by key: a walk along the key, from each bound to the row `rows` further on; with an index of the key it reads every
 * entry once, and nothing is sorted. All rows of one key share a range, however skewed they are, and what is one key is for
 * the column's own collation to say.
 */
export async function planKeys(
  session: Session,
  table: string,
  key: ColumnFacts[],
  rows: number,
  where?: { condition: SqlPart },
): Promise<ChunkRange[]> {
  const forms = key.map(keyForm);
  const order = forms.map(({ value }) => value).join(', ');
  const notNull = key.map(({ name }) => `${quoteName(name)} is not null`).join(' and ');
  const from = raw(quoteTable(table));
  const rowsOf = where ? part`(${where.condition}) and ` : part``;
  const columns = forms.map(({ text }, i) => `${text} as k${i}`).join(', ');
  /** The key of the row that is `offset` behind the first one that fits. */
  const keyAt = async (offset: number, condition?: { operator: '>' | '>='; bound: string[] }) => {
    const compared = condition
      ? part` and ${composed(mysqlSql, (bind) => compareKey(forms, condition.operator, condition.bound, bind))}`
      : part``;
    const { rows: found } = await session.query<Record<string, string>>(sql`
      select ${raw(columns)} from ${from} where ${rowsOf}${raw(notNull)}${compared}
      order by ${raw(order)} limit 1 offset ${raw(String(offset))}`);
    return found[0] && key.map((_, i) => String(found[0]![`k${i}`]));
  };
  /** Texts that are written differently may be one key to their collation: then the same row is the first one from both on. */
  const collated = key.some(({ castType }) => castType === '');
  const differs = async (first: string[], second: string[]): Promise<boolean> =>
    JSON.stringify(first) !== JSON.stringify(second) && (!collated || (await startElsewhere(first, second)));
  const startElsewhere = async (first: string[], second: string[]): Promise<boolean> =>
    JSON.stringify(await keyAt(0, { operator: '>=', bound: second })) !==
    JSON.stringify(await keyAt(0, { operator: '>=', bound: first }));

  const bounds: string[] = [];
  const step = Math.max(1, Math.floor(rows));
  for (let at = await keyAt(0); at !== undefined;) {
    const bound = JSON.stringify(at);
    // A walk that does not move on would never end: a bound that the server reads in another way than it wrote it.
    if (bound === bounds.at(-1)) throw new Error(`the key of ${table} does not grow beyond ${bound}`);
    bounds.push(bound);
    const next = await keyAt(step, { operator: '>=', bound: at });
    const skewed: boolean = next !== undefined && !(await differs(at, next));
    at = skewed ? await keyAt(0, { operator: '>', bound: at }) : next;
  }
  const ranges = bounds.map((bound, i) => ({ from: i === 0 ? null : bound, to: bounds[i + 1] ?? null }));
  const { rows: nulls } = await session.query(sql`select 1 from ${from} where ${rowsOf}not (${raw(notNull)}) limit 1`);
  return nulls.length > 0 ? [...ranges, { from: NULL_KEYS, to: NULL_KEYS }] : ranges;
}

/** The condition of one range: half-open, the first open below, the last above, NULL keys apart. */
export function rangeCondition(method: ChunkMethod, range: ChunkRange, key: ColumnFacts[], bind: Bind): string {
  if (method === 'once') return 'true';
  const forms = key.map(keyForm);
  const notNull = key.map(({ name }) => `${quoteName(name)} is not null`).join(' and ');
  if (range.from === NULL_KEYS) return `not (${notNull})`;
  const compare = (operator: '<' | '>=', bound: string): string =>
    compareKey(forms, operator, JSON.parse(bound) as string[], bind);
  return [
    notNull,
    ...(range.from === null ? [] : [compare('>=', range.from)]),
    ...(range.to === null ? [] : [compare('<', range.to)]),
  ].join(' and ');
}
