import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { decodeText, textOf } from '../config/decode-text.ts';
import { readProjectFile } from '../config/load-project.ts';
import type { Place } from '../config/problem.ts';
import { parseYamlFile } from '../config/yaml-file.ts';
import { ConfigurationError } from '../errors.ts';
import { makeMysqlDatabase } from './dev-mysql.ts';
import { makePostgresDatabase } from './dev-postgres.ts';
import { DEV_SERVER_KINDS, SCHEMA_ENDINGS, SERVER_TITLES, type DevServerKind } from './dev-server-kind.ts';

/** `schema/<connection>.sql`, or one of the other endings: it makes the connection's tables in a new database. */
export interface SchemaFile {
  file: string;
  text: string;
}

/** A connection whose URL is a variable, and nothing else, that is not set. */
export interface UnsetUrl {
  connection: string;
  variable: string;
  /** Where waybill.yaml says so. */
  place: Place;
  /** The server that its schema file is for; PostgreSQL where it has none. */
  on: DevServerKind;
  schema: SchemaFile | undefined;
}

/** A server of ours, for databases that nobody has named. */
export interface DevDatabaseServer {
  on: DevServerKind;
  version: string;
  url(database?: string): string;
  stop(): Promise<void>;
}

export interface DevDatabases {
  servers: DevDatabaseServer[];
  /** The URLs, by variable. */
  variables: Record<string, string>;
  stop(): Promise<void>;
}

export interface DevDatabaseOptions {
  /** Databases stay in this folder, and one that is there from last time is taken as it is. Absent: nothing stays. */
  keepIn?: string | undefined;
  /** Told before a server is downloaded. */
  onProgress?: (text: string) => void;
}

/**
 * In the order of waybill.yaml. Of a file that may be wrong: what is wrong in it is said when the project is loaded. Throws `ProjectError`
 * where it cannot be read.
 */
export async function unsetUrls(folder: string, env: NodeJS.ProcessEnv): Promise<UnsetUrl[]> {
  const file = 'waybill.yaml';
  const decoded = decodeText(await readProjectFile(folder));
  if ('wrong' in decoded) return [];
  const yaml = parseYamlFile(file, decoded.text, []);
  const { connections } = (yaml.value ?? {}) as { connections?: Record<string, { url?: unknown } | null> };
  const unset: UnsetUrl[] = [];
  for (const [connection, given] of Object.entries(connections ?? {})) {
    const [, variable] = typeof given?.url === 'string' ? (/^\$\{([A-Za-z_]\w*)\}$/.exec(given.url.trim()) ?? []) : [];
    if (variable === undefined || env[variable] !== undefined) continue;
    const place = yaml.place(['connections', connection, 'url']);
    unset.push({ connection, variable, place, ...(await schemaOf(folder, connection)) });
  }
  return unset;
}

async function schemaOf(folder: string, connection: string): Promise<Pick<UnsetUrl, 'on' | 'schema'>> {
  for (const on of DEV_SERVER_KINDS) {
    const file = `schema/${connection}${SCHEMA_ENDINGS[on]}`;
    const bytes = await readFile(path.join(folder, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new ConfigurationError(`${file} cannot be read (${error.code})`, { where: file, cause: error });
    });
    if (bytes !== undefined) return { on, schema: { file, text: textOf(bytes, file) } };
  }
  return { on: 'postgres', schema: undefined };
}

/** Those of which nothing says on which server they are: not even another connection that shares their variable. */
export const withoutSchema = (unset: readonly UnsetUrl[]): UnsetUrl[] =>
  unset.filter(({ variable }) => !unset.some((other) => other.variable === variable && other.schema !== undefined));

/**
 * The environment in which files are checked where no database is asked: a URL that is not set says no more than on which kind of server
 * its connection will be, as far as a schema file tells.
 */
export async function environmentByKind(folder: string, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const unset = await unsetUrls(folder, env);
  const known = unset.filter(({ schema }) => schema !== undefined);
  return { ...env, ...Object.fromEntries(known.map(({ variable, on }) => [variable, `${on}://localhost/none`])) };
}

/**
 * Starts a server of each kind that is needed, with a database for each variable; one that is new gets the tables of its connections'
 * schema files. Throws `ConfigurationError` with the place in such a file that the server does not take, `UnreachableError` where
 * there is no such server; nothing is left running then.
 */
export async function startDevDatabases(unset: UnsetUrl[], options: DevDatabaseOptions = {}): Promise<DevDatabases> {
  const groups = byVariable(unset);
  const kinds = DEV_SERVER_KINDS.filter((on) => groups.some((group) => group.on === on));
  const started = await Promise.allSettled(kinds.map((on) => startServer(on, options)));
  const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())));
  try {
    for (const one of started) if (one.status === 'rejected') throw one.reason;
    const variables: Record<string, string> = {};
    for (const { variable, on, connection, schemas } of groups) {
      const server = servers.find((one) => one.on === on)!;
      const name = databaseName(connection);
      await (on === 'postgres' ? makePostgresDatabase : makeMysqlDatabase)(server, name, schemas);
      variables[variable] = server.url(name);
    }
    return { servers, variables, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServer(on: DevServerKind, { keepIn, onProgress }: DevDatabaseOptions): Promise<DevDatabaseServer> {
  const kept = keepIn === undefined ? {} : { dataDirectory: path.join(keepIn, on) };
  if (on === 'postgres') {
    const { startPostgres } = await import('../dev/postgres-server.ts');
    return { on, ...(await startPostgres({ ...kept, persistent: keepIn !== undefined })) };
  }
  const { startMysql } = await import('../dev/mysql-server.ts');
  return { on, ...(await startMysql({ ...kept, flavour: SERVER_TITLES[on], onProgress })) };
}

interface Group {
  variable: string;
  on: DevServerKind;
  /** The first of them gives the database its name. */
  connection: string;
  schemas: SchemaFile[];
}

/** Connections that share a variable share the database: their schema files must be for one server. */
function byVariable(unset: UnsetUrl[]): Group[] {
  const groups = new Map<string, UnsetUrl[]>();
  for (const url of unset) groups.set(url.variable, [...(groups.get(url.variable) ?? []), url]);
  return [...groups].map(([variable, urls]) => {
    const schemas = urls.flatMap(({ schema }) => (schema === undefined ? [] : [schema]));
    const kinds = [...new Set(urls.filter(({ schema }) => schema !== undefined).map(({ on }) => on))];
    if (kinds.length > 1) {
      throw new ConfigurationError(
        `${variable} is one database, and the schema files of its connections are for ${kinds.map((on) => SERVER_TITLES[on]).join(' and ')}`,
        { where: schemas.map(({ file }) => file).join(', '), next: 'write them for one server, or set the variable' },
      );
    }
    return { variable, on: kinds[0] ?? 'postgres', connection: urls[0]!.connection, schemas };
  });
}

/** What a new server has for itself, and where control tables would be. */
const TAKEN = [
  'postgres',
  'template0',
  'template1',
  'mysql',
  'sys',
  'information_schema',
  'performance_schema',
  'waybill',
];

/** The connection's own name, unless it is taken: it would not count as ours. */
function databaseName(connection: string): string {
  return TAKEN.includes(connection) ? `${connection}_dev` : connection;
}
