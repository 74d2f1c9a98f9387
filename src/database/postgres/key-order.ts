import type { ColumnFacts } from '../dialect.ts';
import { quoteName } from './names.ts';

/*
 * By its name alone the server finds an operator only in the schemas of `search_path`. That of a type of an extension may be in none of
 * them, and then the value is taken for what the type goes into: `citext` for a text, which is sorted in another way. ORDER BY
 * goes by the type, wherever its operators are.
 */

/** Whether all columns are compared by operators of one schema, as `(a, b) > (1, 2)` has it: along an index, too. */
export const isRow = (key: readonly ColumnFacts[]): boolean => new Set(key.map(schemaOf)).size === 1;

/**
 * Compares a key with another one as ORDER BY does. `right` says what stands for the n-th value of that one, and is asked in the order of
 * the text: what it binds comes in that order, too.
 */
export function compared(
  key: readonly ColumnFacts[],
  comparison: '>=' | '>' | '<',
  right: (n: number) => string,
): string {
  const left = key.map(({ name }) => quoteName(name));
  if (isRow(key)) return `${row(left)} ${operator(key[0]!, comparison)} ${row(left.map((_, n) => right(n)))}`;
  const strict = comparison === '<' ? '<' : '>';
  const one = (n: number, by: string): string => comparedColumn(key[n]!, by, right(n));
  const from = (n: number): string =>
    n === key.length - 1 ? one(n, comparison) : `(${one(n, strict)} or (${one(n, '=')} and ${from(n + 1)}))`;
  // Said before, it leads into an index; the rest alone does not.
  return `(${one(0, `${strict}=`)} and ${from(0)})`;
}

/** The same of one column of it. */
export const comparedColumn = (column: ColumnFacts, comparison: string, right: string): string =>
  `${quoteName(column.name)} ${operator(column, comparison)} ${right}`;

const row = (values: string[]): string => (values.length === 1 ? values[0]! : `(${values.join(', ')})`);

const schemaOf = (column: ColumnFacts): string | undefined => (column.base ?? column).operators;

function operator(column: ColumnFacts, name: string): string {
  const schema = schemaOf(column);
  return schema === undefined ? name : `operator(${quoteName(schema)}.${name})`;
}
