import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Place } from '../config/problem.ts';
import { formatPlace } from '../config/problem.ts';
import { parseYamlFile } from '../config/yaml-file.ts';
import { Databases } from '../database/databases.ts';
import type { Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { startPostgres, type PostgresServer } from '../dev/postgres-server.ts';
import { ConfigurationError } from '../errors.ts';

/** A connection whose URL is a variable, and nothing else, that is not set. */
export interface UnsetUrl {
  connection: string;
  variable: string;
  /** Where waybill.yaml says so. */
  place: Place;
  /** `schema/<connection>.sql`, if the project has it: it makes the connection's tables in a new database. */
  schema: { file: string; text: string } | undefined;
}

/** Databases of ours, in the place of those that nobody has named. */
export interface DevDatabases {
  server: PostgresServer;
  /** The URLs, by variable. */
  variables: Record<string, string>;
}

/** In the order of waybill.yaml. Of a file that may be wrong: what is wrong in it is said when the project is loaded. */
export async function unsetUrls(folder: string, env: NodeJS.ProcessEnv): Promise<UnsetUrl[]> {
  const file = 'waybill.yaml';
  const yaml = parseYamlFile(file, await readFile(path.join(folder, file), 'utf8'), []);
  const { connections } = (yaml.value ?? {}) as { connections?: Record<string, { url?: unknown } | null> };
  const unset: UnsetUrl[] = [];
  for (const [connection, given] of Object.entries(connections ?? {})) {
    const [, variable] = typeof given?.url === 'string' ? (/^\$\{([A-Za-z_]\w*)\}$/.exec(given.url.trim()) ?? []) : [];
    if (variable === undefined || env[variable] !== undefined) continue;
    const place = yaml.place(['connections', connection, 'url']);
    unset.push({ connection, variable, place, schema: await schemaOf(folder, connection) });
  }
  return unset;
}

async function schemaOf(folder: string, connection: string): Promise<UnsetUrl['schema']> {
  const file = `schema/${connection}.sql`;
  const text = await readFile(path.join(folder, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ConfigurationError(`${file} cannot be read (${error.code})`, { where: file, cause: error });
  });
  return text === undefined ? undefined : { file, text };
}

/**
 * Starts a PostgreSQL with a database for each variable; one that is new gets the tables of its connections' `schema/` files.
 * Throws `ConfigurationError` with the place in such a file that the server does not take; nothing is left running then.
 *
 * @param dataDirectory databases stay there, and a database that is there from last time is taken as it is. Absent: nothing stays.
 */
export async function startDevDatabases(unset: UnsetUrl[], dataDirectory?: string): Promise<DevDatabases> {
  const server = await startPostgres(dataDirectory === undefined ? {} : { dataDirectory, persistent: true });
  try {
    const variables: Record<string, string> = {};
    for (const [variable, connections] of byVariable(unset)) {
      const name = databaseName(connections[0]!.connection);
      await createDatabase(server, name, connections);
      variables[variable] = server.url(name);
    }
    return { server, variables };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Connections that share a variable share the database. */
function byVariable(unset: UnsetUrl[]): Map<string, UnsetUrl[]> {
  const groups = new Map<string, UnsetUrl[]>();
  for (const url of unset) groups.set(url.variable, [...(groups.get(url.variable) ?? []), url]);
  return groups;
}

/** The connection's own name, unless a new server has a database of that name, which would not count as ours. */
function databaseName(connection: string): string {
  return ['postgres', 'template0', 'template1'].includes(connection) ? `${connection}_dev` : connection;
}

/** A database is whole or not there: one whose tables could not be made would look like last time's. */
async function createDatabase(server: PostgresServer, name: string, connections: UnsetUrl[]): Promise<void> {
  await withDatabase(server.url(), async (main) => {
    const { rows } = await main.query(sql`select 1 from pg_database where datname = ${name}`);
    if (rows.length > 0) return;
    const quoted = raw(main.dialect.quoteName(name));
    await main.query(sql`create database ${quoted}`);
    try {
      await withDatabase(server.url(name), async (database) => {
        for (const { schema } of connections) if (schema !== undefined) await makeTables(database, schema);
      });
    } catch (error) {
      await main.query(sql`drop database ${quoted} with (force)`);
      throw error;
    }
  });
}

async function makeTables(database: Database, { file, text }: { file: string; text: string }): Promise<void> {
  try {
    await database.query({ strings: [text], values: [] });
  } catch (error) {
    const { code, message, position } = error as { code?: string; message: string; position?: string };
    if (code === undefined) throw error;
    const before = [...text].slice(0, Number(position ?? 1) - 1).join(''); // the server counts characters
    const [line, column] = [before.split('\n').length, before.length - before.lastIndexOf('\n')];
    throw new ConfigurationError(message, {
      where: position === undefined ? file : formatPlace({ file, line, column }),
      next: 'correct the file: it makes the tables of a new database for development',
      cause: error,
    });
  }
}

async function withDatabase<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const connection = { name: 'dev', url, scheme: 'postgres' as const, maxConnections: 3, controlSchema: 'waybill' };
  const databases = new Databases({ dev: connection });
  try {
    return await work(databases.get('dev'));
  } finally {
    await databases.close();
  }
}
