import { mysqlSql } from '../../sql/mysql.ts';
import type { ColumnFacts, Session } from '../dialect.ts';
import { fromItem, type RowSource } from '../row-source.ts';
import { composed, part, raw, sql, type RawSql, type SqlPart } from '../sql.ts';
import { compareKey, keyForm, type Comparison, type KeyForm } from './key-form.ts';
import { quoteName, quoteTable } from './names.ts';

/** Which rows are cut, by what. */
export interface Keyed {
  table: RowSource;
  key: ColumnFacts[];
  forms: KeyForm[];
  /** `(…) and `: what must be true of the rows, whether they have a key or not; may be nothing. */
  rowsOf: SqlPart;
  /** The same, of rows that have a key. */
  condition: SqlPart;
}

export function keyed(table: RowSource, key: ColumnFacts[], condition: SqlPart | undefined): Keyed {
  const rowsOf = condition ? part`(${condition}) and ` : part``;
  return { table, key, forms: key.map(keyForm), rowsOf, condition: part`${rowsOf}${raw(hasKey(key))}` };
}

export const hasKey = (key: ColumnFacts[]): string =>
  key.map(({ name }) => `${quoteName(name)} is not null`).join(' and ');

export const rowsIn = ({ table }: Keyed): RawSql => raw(fromItem(table, quoteTable));
export const columnsOf = ({ key }: Keyed): RawSql => raw(key.map(({ name }) => quoteName(name)).join(', '));
export const orderOf = ({ forms }: Keyed): RawSql => raw(forms.map(({ value }) => value).join(', '));
/**
 * For what a statement keeps in a table of the server's own for a while: there 2026-00-10 or 2026-02-30, which a table may hold from a less
 * strict session, would become 0000-00-00. MySQL's; to MariaDB it is a comment, and nothing there becomes another day.
 */
export const ANY_DAY = raw("/*+ set_var(sql_mode = 'ALLOW_INVALID_DATES') */");
const textsOf = ({ forms }: Keyed): RawSql => raw(forms.map(({ text }, i) => `${text} as k${i}`).join(', '));
export const boundOf = ({ key }: Keyed, row: Record<string, unknown>): string[] =>
  key.map((_, i) => String(row[`k${i}`]));

export interface KeyBound {
  operator: Comparison;
  /** Of the key's columns, or of the first of them. */
  bound: string[];
}

export const beyond = ({ forms }: Keyed, { operator, bound }: KeyBound): SqlPart =>
  composed(mysqlSql, (bind) => compareKey(forms, operator, bound, bind));

/** The key of the row that is `offset` behind the first one along an index, from `from` on; or of the last row. */
export async function keyOfRow(
  session: Session,
  cut: Keyed,
  index: string,
  { offset = 0, from, last = false }: { offset?: number; from?: KeyBound | undefined; last?: boolean },
): Promise<string[] | undefined> {
  const further = from ? part` and ${beyond(cut, from)}` : part``;
  const order = last ? raw(cut.forms.map(({ value }) => `${value} desc`).join(', ')) : orderOf(cut);
  // Outside: `order by` would take a column of the table for one of these, should it be called k1.
  const { rows: found } = await session.query<Record<string, unknown>>(sql`
    select ${ANY_DAY} ${textsOf(cut)} from (
      select ${columnsOf(cut)} from ${along(cut, index)} where ${cut.condition}${further}
      order by ${order} limit 1 offset ${raw(String(offset))}) found`);
  return found[0] && boundOf(cut, found[0]);
}

/** Told which index, for the servers' guesses at a range that is open above are too high. */
export const along = (cut: Keyed, index: string): RawSql =>
  raw(`${rowsIn(cut).text} force index (${quoteName(index)})`);
