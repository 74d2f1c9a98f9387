import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import { readMigrations, type Migration } from './migrations.ts';
import { claimProject, refuseNewer, requireProject } from './project.ts';
import { refuseTaken } from './refuse-taken.ts';

/**
 * Brings the control tables of a connection up to this version, whoever else does the same; see `MigrationWords.run`.
 * Returns the names of the files that were applied. Throws `ConfigurationError` where the role may not create tables, where
 * another project owns them, where they are newer than this Waybill, or of another edition of it, or where their names are taken.
 */
export async function migrate(database: Database, project: string): Promise<string[]> {
  const migrations = await readMigrations(database);
  try {
    await refuseTaken(database, migrations);
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
  await refuseNewer(database, Math.max(0, ...known.keys()));
  refuseOthers(database, migrations, known);
  const missing = migrations.filter(({ version }) => !known.has(version));
  for (const { version, name, checksum, text } of missing) {
    await database.dialect.migration.apply(session, text);
    await session.query(sql`insert into migration (version, name, checksum) values (${version}, ${name}, ${checksum})`);
  }
  await claimProject(session, database, project);
  return missing.map(({ name }) => name);
}

/** A file that was changed under its number leaves tables behind that miss what this program asks of them. */
function refuseOthers(database: Database, migrations: Migration[], known: Map<number, string>): void {
  const other = migrations.find(({ version, checksum }) => (known.get(version) ?? checksum) !== checksum);
  if (!other) return;
  throw new ConfigurationError(
    `the control tables on ${database.connection} were made by another edition of Waybill: its ${other.name} is not that of this one`,
    {
      where: `connection ${database.connection}, schema ${database.controlSchema}`,
      next:
        'use the version that made them, or give the connection another control_schema: ' +
        'there its loads begin anew, and know nothing of batches and positions so far',
    },
  );
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
