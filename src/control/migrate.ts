import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import { claimProject, requireProject } from './project.ts';

/** One numbered file of `migrations/<dialect>/`. */
interface Migration {
  version: number;
  name: string;
  checksum: string;
  text: string;
}

/** `migrations/<dialect>/NNN.<name>.sql`, shipped beside the code. */
async function readMigrations(database: Database): Promise<Migration[]> {
  const directory = fileURLToPath(new URL(`../../migrations/${database.dialect.name}/`, import.meta.url));
  const files = (await readdir(directory)).filter((file) => /^\d{3}\..*\.sql$/.test(file)).sort();
  return Promise.all(
    files.map(async (name) => {
      const text = await readFile(`${directory}${name}`, 'utf8');
      return {
        version: Number(name.slice(0, 3)),
        name,
        checksum: createHash('sha256').update(text).digest('hex'),
        text,
      };
    }),
  );
}

/**
 * Brings the control tables of a connection up to this version, whoever else does the same; see `MigrationWords.run`.
 * Returns the names of the files that were applied. Throws `ConfigurationError` where the role may not create tables, where
 * another project owns them, or where they are newer than this Waybill.
 */
export async function migrate(database: Database, project: string): Promise<string[]> {
  const migrations = await readMigrations(database);
  try {
    const applied = await database.dialect.migration.run(database, (session) =>
      applyMissing(session, database, migrations, project),
    );
    await requireProject(database, project);
    return applied;
  } catch (error) {
    if (database.dialect.classify(error).because !== 'forbidden') throw error;
    throw new ConfigurationError(`the role of connection ${database.connection} may not create the control tables`, {
      where: `connection ${database.connection}, schema ${database.controlSchema}`,
      next: 'let a DBA run the SQL of `waybill migrate --print`, or grant the role CREATE on the database',
      cause: error,
    });
  }
}

async function applyMissing(
  session: Session,
  database: Database,
  migrations: Migration[],
  project: string,
): Promise<string[]> {
  const { rows } = await session.query<{ version: number; checksum: string }>(
    sql`select version, checksum from migration`,
  );
  const known = new Map(rows.map((row) => [row.version, row.checksum]));
  const newest = Math.max(0, ...migrations.map(({ version }) => version));
  if ([...known.keys()].some((version) => version > newest)) {
    throw new ConfigurationError(`the control tables on ${database.connection} were made by a newer Waybill`, {
      where: `connection ${database.connection}, schema ${database.controlSchema}`,
      next: 'use the newer version everywhere; control tables are never taken back',
    });
  }
  const missing = migrations.filter(({ version }) => !known.has(version));
  for (const { version, name, checksum, text } of missing) {
    await database.dialect.migration.apply(session, text);
    await session.query(sql`insert into migration (version, name, checksum) values (${version}, ${name}, ${checksum})`);
  }
  await claimProject(session, database, project);
  return missing.map(({ name }) => name);
}

/** The SQL of all migrations as `migrate` would run it on an empty database, for a DBA to read or run. */
export async function migrationScript(database: Database, project: string): Promise<string> {
  const statements: string[] = [];
  for (const { version, name, checksum, text } of await readMigrations(database)) {
    statements.push(`-- ${name}\n${text.replace(/;\s*$/, '')}`);
    statements.push(`insert into migration (version, name, checksum) values (${version}, '${name}', '${checksum}')`);
  }
  statements.push(`insert into project (name) values (${database.dialect.quoteText(project)})`);
  return database.dialect.migration.script(database, statements);
}
