import type { Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { offsetOf } from '../sql/rendered-position.ts';
import { splitTokens } from '../sql/split.ts';
import { formatPosition, positionsIn } from '../sql/sql-error.ts';
import { isCode } from '../sql/token.ts';
import { schemaRefused, withDatabase } from './dev-database.ts';
import type { DevDatabaseServer, SchemaFile } from './dev-databases.ts';

/**
 * A database is whole or not there: one whose tables could not be made would look like last time's. DDL commits by itself, and a
 * schema is a database, so a file that breaks off leaves several to take away: all that were not there before.
 */
export async function makeMysqlDatabase(server: DevDatabaseServer, name: string, schemas: SchemaFile[]): Promise<void> {
  await withDatabase(server.url(), async (main) => {
    const before = await listDatabases(main);
    if (before.includes(name)) return;
    const quoted = (database: string) => raw(main.dialect.quoteName(database));
    await main.query(sql`create database ${quoted(name)}`);
    try {
      await withDatabase(server.url(name), async (database) => {
        for (const schema of schemas) await makeTables(database, schema);
      });
    } catch (error) {
      const made = (await listDatabases(main)).filter((database) => !before.includes(database));
      for (const database of made) await main.query(sql`drop database ${quoted(database)}`);
      throw error;
    }
  });
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
