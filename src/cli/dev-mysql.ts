import type { Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { offsetOf } from '../sql/rendered-position.ts';
import { splitTokens } from '../sql/split.ts';
import { formatPosition, positionsIn } from '../sql/sql-error.ts';
import { isCode } from '../sql/token.ts';
import { schemaRefused, withDatabase } from './dev-database.ts';
import type { DevDatabaseServer, SchemaFile } from './dev-databases.ts';

/** There while databases are made, with the names of those that were there before. */
const MAKING = raw('`waybill_dev_making`');

/**
 * A database is whole or not there: one whose tables could not be made would look like last time's. DDL commits by itself, and a
 * schema is a database, so a file that breaks off leaves several to take away: all that were not there before. Who makes them may be
 * killed: then the next one takes them away.
 */
export async function makeMysqlDatabase(server: DevDatabaseServer, name: string, schemas: SchemaFile[]): Promise<void> {
  await withDatabase(server.url(), async (main) => {
    await takeHalfAway(main);
    const before = await listDatabases(main);
    if (before.includes(name)) return;
    await main.query(sql`create database ${MAKING}`);
    await main.query(
      sql`create table ${MAKING}.\`before\` as select schema_name as name from information_schema.schemata`,
    );
    await main.query(sql`create database ${raw(main.dialect.quoteName(name))}`);
    try {
      await withDatabase(server.url(name), async (database) => {
        for (const schema of schemas) await makeTables(database, schema);
      });
    } catch (error) {
      await takeHalfAway(main);
      throw error;
    }
    await main.query(sql`drop database ${MAKING}`);
  });
}

/** What is there of databases that were not made to their end; the names of those before go last. */
async function takeHalfAway(main: Database): Promise<void> {
  const there = await listDatabases(main);
  if (!there.includes('waybill_dev_making')) return;
  const { rows: tables } = await main.query(
    sql`select 1 from information_schema.tables where table_schema = 'waybill_dev_making' and table_name = 'before'`,
  );
  if (tables.length > 0) {
    const { rows } = await main.query<{ name: string }>(sql`select name from ${MAKING}.\`before\``);
    const before = rows.map(({ name }) => name);
    // None: it ended before the names were written, and so before anything was made.
    const made = before.length === 0 ? [] : there.filter((database) => !before.includes(database));
    for (const database of made) await main.query(sql`drop database ${raw(main.dialect.quoteName(database))}`);
  }
  await main.query(sql`drop database if exists ${MAKING}`);
}

async function listDatabases(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    sql`select schema_name as name from information_schema.schemata`,
  );
  return rows.map(({ name }) => name);
}

/** One statement after the other: the server would not say which of several it means. */
async function makeTables(database: Database, { file, text }: SchemaFile): Promise<void> {
  const source = { file, text, line: 1, column: 1 };
  for (const tokens of splitTokens(source, database.dialect.sql)) {
    const begin = tokens.find(isCode)!.start;
    const statement = text.slice(begin, tokens.at(-1)!.end);
    try {
      await database.query({ strings: [statement], values: [] });
    } catch (error) {
      if ((error as { errno?: number }).errno === undefined) throw error;
      const at = begin + (await mistakeIn(database, statement, error as Error));
      throw schemaRefused(error as Error, formatPosition(file, positionsIn(source)(at)));
    }
  }
}

/** The offset where the server sees a mistake in the statement, or has a word that it names, else where the statement begins. */
async function mistakeIn(database: Database, statement: string, { message }: Error): Promise<number> {
  const complaint = await database.dialect.checkStatement(database, statement).catch(() => undefined);
  if (complaint?.position !== undefined) return offsetOf(statement, complaint.position);
  const [, word] = /'(\w+)'/.exec(message) ?? [];
  return word === undefined ? 0 : Math.max(0, statement.search(new RegExp(`\\b${word}\\b`)));
}
