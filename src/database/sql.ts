/**
 * Our own statements, written once for all databases: a template whose `${values}` become bound parameters in whatever
 * placeholder style the dialect has. Users' SQL takes another way (src/sql).
 */

import type { SqlDialect } from '../sql/dialect.ts';

/** A piece of SQL text that is pasted as it is: a quoted name, a number that we made. Never anything a user typed. */
export class RawSql {
  constructor(readonly text: string) {}
}

/** Values that become one placeholder each: `in ${list(names)}`. */
export class SqlList {
  constructor(readonly values: readonly unknown[]) {}
}

/** A piece of a statement with values of its own: a condition that is not always there. */
export class SqlPart implements SqlStatement {
  constructor(
    readonly strings: readonly string[],
    readonly values: readonly unknown[],
  ) {}
}

/** Tag of such a piece: sql`select … where x ${only === undefined ? raw('') : part`and y = ${only}`}`. */
export const part = (strings: TemplateStringsArray, ...values: unknown[]): SqlPart => new SqlPart(strings, values);

/** `in ${list(values)}`; an empty list matches nothing. */
export const list = (values: readonly unknown[]): SqlList => new SqlList(values);

/** A statement with its values, not yet rendered for a dialect. */
export interface SqlStatement {
  strings: readonly string[];
  values: readonly unknown[];
  /** What it does, as a name: it is sent again and again, so that it pays to prepare it where a session can. */
  repeated?: string;
}

/** `raw(quoteName(table))`: text that goes into the statement unbound. */
export const raw = (text: string): RawSql => new RawSql(text);

/** Tag: sql`select state from ${batch} where batch_id = ${id}`; `RawSql` values are pasted, all others bound. */
export function sql(strings: TemplateStringsArray, ...values: unknown[]): SqlStatement {
  return { strings, values };
}

/** A statement that one session sends again and again with other values; `name` is what a DBA sees in its place. */
export const repeated = (name: string, statement: SqlStatement): SqlStatement => ({
  strings: statement.strings,
  values: statement.values,
  repeated: name,
});

/** Where a user's statements begin: what their error is rolled back to, with all that came before it kept. */
export const SAVEPOINT = sql`savepoint user_statements`;
export const BACK_TO_SAVEPOINT = sql`rollback to savepoint user_statements`;
export const RELEASE_SAVEPOINT = sql`release savepoint user_statements`;

/** Where a value goes while a text is made: no SQL holds this character. */
const VALUE = '\0';

/** A piece of a statement out of a function that makes text, and asks for the place of each value in turn. */
export function composed(
  dialect: Pick<SqlDialect, 'cast'>,
  make: (bind: (value: unknown, castType?: string) => string) => string,
): SqlPart {
  const values: unknown[] = [];
  const text = make((value, castType) => {
    values.push(value);
    return castType === undefined ? VALUE : dialect.cast(VALUE, castType);
  });
  return new SqlPart(text.split(VALUE), values);
}

/** Text and bound values for one dialect. `placeholder(n)` gives the n-th (1-based) placeholder. */
export function renderSql(
  statement: SqlStatement,
  placeholder: (n: number) => string,
): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  return { text: renderText(statement, (value) => placeholder(values.push(value))), values };
}

/** The text of a statement; `bind` says what stands for a value. */
export function renderText(statement: SqlStatement, bind: (value: unknown) => string): string {
  const render = ({ strings, values }: SqlStatement): string =>
    strings.map((text, i) => (i < values.length ? text + renderValue(values[i]) : text)).join('');
  const renderValue = (value: unknown): string => {
    if (value instanceof RawSql) return value.text;
    if (value instanceof SqlPart) return render(value);
    if (!(value instanceof SqlList)) return bind(value);
    return value.values.length === 0 ? '(null)' : `(${value.values.map(bind).join(', ')})`;
  };
  return render(statement);
}
