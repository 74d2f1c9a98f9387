import { formatPlace } from '../config/problem.ts';
import type { Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import { splitTokens } from '../sql/split.ts';
import { isCode } from '../sql/token.ts';
import { SCHEMA_NEXT, withDatabase } from './dev-database.ts';
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
  for (const tokens of splitTokens({ file, text, line: 1, column: 1 }, database.dialect.sql)) {
    const first = tokens.findIndex(isCode);
    const statement = tokens
      .slice(first)
      .map((token) => token.text)
      .join('');
    try {
      await database.query({ strings: [statement], values: [] });
    } catch (error) {
      if ((error as { errno?: number }).errno === undefined) throw error;
      throw new ConfigurationError((error as Error).message, {
        where: formatPlace({ file, ...(await placeOf(database, statement, (error as Error).message, tokens[first]!)) }),
        next: SCHEMA_NEXT,
        cause: error,
      });
    }
  }
}

/** Where the server sees a mistake in the statement, or has a word that it names, else where the statement begins. */
async function placeOf(
  database: Database,
  statement: string,
  message: string,
  { line, column }: { line: number; column: number },
): Promise<{ line: number; column: number }> {
  const complaint = await database.dialect.checkStatement(database, statement).catch(() => undefined);
  const [, word] = /'(\w+)'/.exec(message) ?? [];
  const named = word === undefined ? -1 : statement.search(new RegExp(`\\b${word}\\b`));
  const at = complaint?.position === undefined ? named : complaint.position - 1;
  if (at < 0) return { line, column };
  const lines = [...statement].slice(0, at).join('').split('\n');
  return lines.length === 1
    ? { line, column: column + lines[0]!.length }
    : { line: line + lines.length - 1, column: lines.at(-1)!.length + 1 };
}
