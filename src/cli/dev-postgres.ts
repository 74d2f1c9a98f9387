import type { Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { offsetOf } from '../sql/rendered-position.ts';
import { formatPosition, positionsIn } from '../sql/sql-error.ts';
import { schemaRefused, withDatabase } from './dev-database.ts';
import type { DevDatabaseServer, SchemaFile } from './dev-databases.ts';

/**
 * A database is whole or not there: one whose tables could not be made would look like last time's. It has its name once it is
 * whole, for who makes it may be killed.
 */
export async function makePostgresDatabase(
  server: DevDatabaseServer,
  name: string,
  schemas: SchemaFile[],
): Promise<void> {
  await withDatabase(server.url(), async (main) => {
    const { rows } = await main.query(sql`select 1 from pg_database where datname = ${name}`);
    if (rows.length > 0) return;
    const half = `${name}.new`;
    const quoted = raw(main.dialect.quoteName(half));
    await main.query(sql`drop database if exists ${quoted} with (force)`);
    await main.query(sql`create database ${quoted}`);
    try {
      await withDatabase(server.url(half), async (database) => {
        for (const schema of schemas) await makeTables(database, schema);
      });
    } catch (error) {
      await main.query(sql`drop database ${quoted} with (force)`);
      throw error;
    }
    await main.query(sql`alter database ${quoted} rename to ${raw(main.dialect.quoteName(name))}`);
  });
}

async function makeTables(database: Database, { file, text }: SchemaFile): Promise<void> {
  try {
    await database.query({ strings: [text], values: [] });
  } catch (error) {
    const { code, position } = error as { code?: string; position?: string };
    if (code === undefined) throw error;
    const at = positionsIn({ file, text, line: 1, column: 1 });
    const where = position === undefined ? file : formatPosition(file, at(offsetOf(text, Number(position))));
    throw schemaRefused(error as Error, where);
  }
}
