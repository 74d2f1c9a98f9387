import { formatPlace } from '../config/problem.ts';
import type { Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import { SCHEMA_NEXT, withDatabase } from './dev-database.ts';
import type { DevDatabaseServer, SchemaFile } from './dev-databases.ts';

/** A database is whole or not there: one whose tables could not be made would look like last time's. */
export async function makePostgresDatabase(
  server: DevDatabaseServer,
  name: string,
  schemas: SchemaFile[],
): Promise<void> {
  await withDatabase(server.url(), async (main) => {
    const { rows } = await main.query(sql`select 1 from pg_database where datname = ${name}`);
    if (rows.length > 0) return;
    const quoted = raw(main.dialect.quoteName(name));
    await main.query(sql`create database ${quoted}`);
    try {
      await withDatabase(server.url(name), async (database) => {
        for (const schema of schemas) await makeTables(database, schema);
      });
    } catch (error) {
      await main.query(sql`drop database ${quoted} with (force)`);
      throw error;
    }
  });
}

async function makeTables(database: Database, { file, text }: SchemaFile): Promise<void> {
  try {
    await database.query({ strings: [text], values: [] });
  } catch (error) {
    const { code, message, position } = error as { code?: string; message: string; position?: string };
    if (code === undefined) throw error;
    const before = [...text].slice(0, Number(position ?? 1) - 1).join(''); // the server counts characters
    const [line, column] = [before.split('\n').length, before.length - before.lastIndexOf('\n')];
    throw new ConfigurationError(message, {
      where: position === undefined ? file : formatPlace({ file, line, column }),
      next: SCHEMA_NEXT,
      cause: error,
    });
  }
}
