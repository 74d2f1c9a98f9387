import { createHash } from 'node:crypto';
import type { Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { offsetOf } from '../sql/rendered-position.ts';
import { formatPosition, positionsIn } from '../sql/sql-error.ts';
import { schemaRefused, withDatabase } from './dev-database.ts';
import type { DevDatabaseServer, SchemaFile } from './dev-databases.ts';

/**
 * A database is whole or not there: one whose tables could not be made would look like last time's. Who makes it may be killed: an
 * empty database beside it is the mark that it is not whole yet. (Under another name until it is whole, a schema file that names
 * the database would be refused.)
 */
export async function makePostgresDatabase(
  server: DevDatabaseServer,
  name: string,
  schemas: SchemaFile[],
): Promise<void> {
  await withDatabase(server.url(), async (main) => {
    const markName = markOf(name);
    const [database, mark] = [raw(main.dialect.quoteName(name)), raw(main.dialect.quoteName(markName))];
    const there = async (one: string): Promise<boolean> =>
      (await main.query(sql`select 1 from pg_database where datname = ${one}`)).rows.length > 0;
    if (await there(markName)) await main.query(sql`drop database if exists ${database} with (force)`);
    else if (await there(name)) return;
    else await main.query(sql`create database ${mark}`);
    await main.query(sql`create database ${database}`);
    try {
      await withDatabase(server.url(name), async (made) => {
        for (const schema of schemas) await makeTables(made, schema);
      });
    } catch (error) {
      await main.query(sql`drop database ${database} with (force)`);
      await main.query(sql`drop database ${mark}`);
      throw error;
    }
    await main.query(sql`drop database ${mark}`);
  });
}

/** Short, whatever the name: longer names than 63 bytes are cut. */
const markOf = (name: string): string =>
  `waybill_dev_making_${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;

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
