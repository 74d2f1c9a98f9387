import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Database, Session } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
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

const schemaOf = (database: Database): string => database.ledger('x').text.replace(/\.[^.]*$/, '');

const MIGRATION_TABLE =
  'create table if not exists migration (version int primary key, name text not null, checksum text not null, ' +
  'applied_at timestamptz not null default now())';

/**
 * Brings the control tables of a connection up to this version: all or nothing, in one transaction, whoever else does the
 * same. Returns the names of the files that were applied. Throws `ConfigurationError` where the role may not create
 * tables, where another project owns them, or where they are newer than this Waybill.
 */
export async function migrate(database: Database, project: string): Promise<string[]> {
  const migrations = await readMigrations(database);
  try {
    const applied = await database.transaction((session) => applyMissing(session, database, migrations, project));
    await requireProject(database, project);
    return applied;
  } catch (error) {
    if (database.dialect.classify(error).code !== '42501') throw error;
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
  // One migration at a time on a server, by a key that no batch has.
  await session.query(sql`select pg_advisory_xact_lock(hashtextextended(${`migrate:${database.controlSchema}`}, 0))`);
  const { rows: found } = await session.query(
    sql`select 1 from pg_namespace where nspname = ${database.controlSchema}`,
  );
  if (found.length === 0) await session.query(sql`create schema ${raw(schemaOf(database))}`);
  await session.query(sql`set local search_path = ${raw(schemaOf(database))}`);
  const { rows: there } = await session.query<{ oid: number | null }>(sql`select to_regclass('migration') as oid`);
  if (!there[0]?.oid) await session.query({ strings: [MIGRATION_TABLE], values: [] });
  const { rows } = await session.query<{ version: number; checksum: string }>(
    sql`select version, checksum from migration`,
  );
  const known = new Map(rows.map((row) => [row.version, row.checksum]));
  const newest = Math.max(0, ...migrations.map((migration) => migration.version));
  if ([...known.keys()].some((version) => version > newest)) {
    throw new ConfigurationError(`the control tables on ${database.connection} were made by a newer Waybill`, {
      where: `connection ${database.connection}, schema ${database.controlSchema}`,
      next: 'use the newer version everywhere; control tables are never taken back',
    });
  }
  const missing = migrations.filter((migration) => !known.has(migration.version));
  for (const migration of missing) {
    await session.query({ strings: [migration.text], values: [] });
    await session.query(sql`
      insert into migration (version, name, checksum) values (${migration.version}, ${migration.name}, ${migration.checksum})`);
  }
  await claimProject(session, database, project);
  return missing.map((migration) => migration.name);
}

/** The SQL of all migrations as `migrate` would run it on an empty database, for a DBA to read or run. */
export async function migrationScript(database: Database, project: string): Promise<string> {
  const schema = schemaOf(database);
  const parts = [
    'begin;',
    `create schema if not exists ${schema};`,
    `set local search_path = ${schema};`,
    `${MIGRATION_TABLE};`,
  ];
  for (const { version, name, checksum, text } of await readMigrations(database)) {
    parts.push(`-- ${name}`, text);
    parts.push(`insert into migration (version, name, checksum) values (${version}, '${name}', '${checksum}');`);
  }
  parts.push(`insert into project (name) values ('${project.replaceAll("'", "''")}');`, 'commit;');
  return `${parts.join('\n')}\n`;
}
