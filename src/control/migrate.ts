import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import { readMigrations, type Migration } from './migrations.ts';
import { claimProject, refuseNewer, requireProject } from './project.ts';
import { refuseTaken } from './refuse-taken.ts';

/**
 * Brings the control tables of a connection up to this version, whoever else does the same; see `MigrationWords.run`.
 * Returns the names of the files that were applied. Throws `ConfigurationError` where the role may not create or alter tables, where
 * another project owns them, where they are newer than this Waybill, or of another edition of it, or where their names are taken.
 */
export async function migrate(database: Database, project: string): Promise<string[]> {
  const migrations = await readMigrations(database);
  let there = false;
  try {
    await refuseTaken(database, migrations);
    const applied = await database.dialect.migration.run(database, async (session) => {
      const known = await readKnown(session);
      there = known.size > 0;
      return applyMissing(session, database, migrations, known, project);
    });
    await requireProject(database, project);
    return applied;
  } catch (error) {
    if (database.dialect.classify(error).because !== 'forbidden') throw error;
    throw new ConfigurationError(
      `the role of connection ${database.connection} may not ${there ? 'bring the control tables up to date' : 'create the control tables'}`,
      {
        where: `connection ${database.connection}, schema ${database.controlSchema}`,
        next: there ? LET_CHANGE : LET_CREATE,
        cause: error,
      },
    );
  }
}

const LET_CREATE =
  'let a DBA run the SQL of `waybill migrate --print` and grant the role SELECT, INSERT, UPDATE and DELETE on its tables, ' +
  'or grant the role CREATE on the database';

/** No grant lets a role alter tables of another one on PostgreSQL. */
const LET_CHANGE =
  'let a DBA run the SQL of `waybill migrate --print`, which does only what is missing, ' +
  'and grant the role SELECT, INSERT, UPDATE and DELETE on all control tables';

/** Checksums by version. */
async function readKnown(session: Session): Promise<Map<number, string>> {
  const { rows } = await session.query<{ version: number; checksum: string }>(
    sql`select version, checksum from migration`,
  );
  return new Map(rows.map((row) => [row.version, row.checksum]));
}

async function applyMissing(
  session: Session,
  database: Database,
  migrations: Migration[],
  known: Map<number, string>,
  project: string,
): Promise<string[]> {
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

/**
 * The SQL of all migrations, for a DBA to read or run, however many of them were applied before: nothing is asked here, so that each
 * looks for itself whether it is missing.
 */
export async function migrationScript(database: Database, project: string): Promise<string> {
  const { dialect } = database;
  const unlessThere = (key: string): string => dialect.words.onDuplicate([key], []).text;
  const statements = (await readMigrations(database)).map(({ version, name, checksum, text }) => {
    const values = `${version}, '${name}', '${checksum}'`;
    const applied = `insert into migration (version, name, checksum) values (${values}) ${unlessThere('version')}`;
    return `-- ${name}\n${dialect.migration.unlessApplied(version, `${text.trimEnd()}\n\n${applied}`)}`;
  });
  statements.push(`insert into project (name) values (${dialect.quoteText(project)}) ${unlessThere('singleton')}`);
  return ABOUT_SCRIPT + dialect.migration.script(database, statements);
}

const ABOUT_SCRIPT = `-- Does only what is missing, and may be run again. A role that runs loads, where it does not own these tables, takes
-- SELECT, INSERT, UPDATE and DELETE on all of them: grant it those on new ones, too.
`;
