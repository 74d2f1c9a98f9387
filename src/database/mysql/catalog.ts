/** What information_schema says of one table: all of it, or proof that there is none. */
import type { Database, Session } from '../dialect.ts';
import { part, raw, type SqlPart, type SqlStatement } from '../sql.ts';
import { looking } from '../transaction.ts';
import { classify } from './errors.ts';
import { unlessFails } from './expected-error.ts';

/**
 * After these there is nothing to be had: it may not be read, is a view that is not valid (ER_VIEW_INVALID), or has a name that none
 * can have (ER_TOO_LONG_IDENT, ER_WRONG_TABLE_NAME).
 */
const NOT_TO_BE_USED = new Set(['1356', '1059', '1103']);

/** Where it is a database, what waits for somebody has a connection of its own. */
export type Reader = Pick<Session, 'query'> | Database;
type About = (condition: SqlPart) => SqlStatement;

/**
 * The rows of a statement about one table (quoted). Where a session holds any lock of a name, as each of ours does (`markOf`), MariaDB
 * leaves a table out that somebody renames, drops or alters at this moment, with a warning (1684), where MySQL waits. So no rows are
 * no answer before the server says itself that there is no such table (1146). To whom may not read it, it is as if there were none.
 */
export async function rowsAbout<Row>(reader: Reader, table: string, statement: About): Promise<Row[]> {
  const { rows } = await reader.query<Row>(statement(part`true`));
  return rows.length > 0 ? rows : ((await whileUsed<Row>(reader, table, statement)) ?? []);
}

/** The same of a table that is there, for a statement that may have no rows, or those of other tables alone. */
export async function allRowsAbout<Row>(reader: Reader, table: string, statement: About): Promise<Row[]> {
  return (await whileUsed<Row>(reader, table, statement)) ?? (await reader.query<Row>(statement(part`true`))).rows;
}

/** A statement that itself uses the table waits until nobody has it to himself; then information_schema has it. */
async function whileUsed<Row>(reader: Reader, table: string, statement: About): Promise<Row[] | undefined> {
  if ('openSession' in reader) {
    return looking(reader, `waybill read ${table}`, (session) => whileUsed<Row>(session, table, statement));
  }
  const using = statement(part`not exists (select 1 from ${raw(table)} limit 0)`);
  return (await unlessFails(reader, isNotToBeUsed, () => reader.query<Row>(using)))?.rows;
}

function isNotToBeUsed(error: unknown): boolean {
  const { because, code } = classify(error);
  return because === 'missing' || because === 'forbidden' || NOT_TO_BE_USED.has(code ?? '');
}
