/** How a connection to MySQL or MariaDB is opened, and what holds on it from its first statement on. */
import { readFileSync } from 'node:fs';
import { isIP, type Socket } from 'node:net';
import { createConnection, type Connection, type ConnectionOptions, type ResultSetHeader } from 'mysql2/promise';
import type { ConnectionDefinition } from '../../config/definition.ts';
import { ConfigurationError } from '../../errors.ts';
import { quoteName } from './names.ts';
import { factsOf, type ServerFacts } from './server-facts.ts';

/** Server settings of one connection. */
export type Settings = Record<string, string | number | bigint>;

export interface Connected {
  connection: Connection;
  server: ServerFacts;
}

const STRICT = ['STRICT_TRANS_TABLES', 'STRICT_ALL_TABLES', 'ERROR_FOR_DIVISION_BY_ZERO', 'NO_ENGINE_SUBSTITUTION'];

/**
 * Each server's own default, without what would change how text is read (the lexer knows one reading), strict for all
 * tables. Never inherited: a server or an init_connect without strictness cuts values silently.
 */
const sqlMode = ({ usualModes }: ServerFacts): string => [...usualModes, ...STRICT].join(',');

/** Beside what `wait_timeout` says of a connection: a state that is held lies idle, or a reader's transaction. */
const NEVER_IDLE: Settings = {
  idle_transaction_timeout: 0,
  idle_readonly_transaction_timeout: 0,
  idle_write_transaction_timeout: 0,
};

/** A batch goes on with as many before it, where the default is an error at 1000 steps; where rows would be left out, as far as it goes. */
const RECURSION: Record<ServerFacts['longRecursion'], Settings> = {
  fails: { cte_max_recursion_depth: 1_000_000 },
  'is cut short': { max_recursive_iterations: 2 ** 32 - 1 },
};

/**
 * A new connection with our settings on it. `known`: what an earlier connection found out about the server.
 *
 * @param purpose its program name, by which a DBA finds it in performance_schema.session_connect_attrs
 */
export async function connect(
  options: ConnectionOptions,
  purpose: string,
  settings: (server: ServerFacts) => Settings,
  known?: ServerFacts,
): Promise<Connected> {
  const connection = await createConnection({ ...options, connectAttributes: { program_name: purpose } });
  // The statement in flight rejects; idle connections fail at their next use.
  connection.on('error', () => undefined);
  try {
    // mysql2 speaks utf8mb4 from the handshake on, in a collation of its own choice. And a max_join_size would refuse even the next query.
    await connection.query(`set names utf8mb4, session sql_big_selects = 1`);
    // An init_connect may have gone to another database: names without one would be looked up there.
    if (options.database !== undefined) await connection.query(`use ${quoteName(options.database)}`);
    const server = known ?? (await factsOf(connection));
    const all: Settings = {
      sql_mode: sqlMode(server),
      time_zone: '+00:00',
      // For what runs outside a transaction; each BEGIN says it again.
      [server.words.isolation]: 'READ-COMMITTED',
      autocommit: 1,
      completion_type: 0,
      // A server or an init_connect with a limit would cut results without a word, and one that wants keys refuse to update.
      sql_select_limit: 2n ** 64n - 1n,
      sql_safe_updates: 0,
      // As `id is null` some clients ask for the row that they have just inserted: a key would have that row twice.
      sql_auto_is_null: 0,
      // By its English words a full disk is known.
      lc_messages: 'en_US',
      // For what runs outside a transaction, again.
      [server.words.readOnly]: 0,
      foreign_key_checks: 1,
      unique_checks: 1,
      ...(server.limitsIdleTransactions && NEVER_IDLE),
      // Of warnings we want to know more than their number.
      ...(server.letsSetErrorCount && { max_error_count: 64 }),
      ...RECURSION[server.longRecursion],
      // By its notes a copy knows of values that were changed.
      ...(server.choosesNotes && { note_verbosity: 'basic' }),
      // Of a table without a key of its own, the one that the server has made: hidden, no twin would have it.
      ...(server.makesHiddenKeys && { show_gipk_in_create_table_and_information_schema: 'ON' }),
      ...settings(server),
    };
    const list = Object.entries(all).map(([name, value]) => `session ${name} = ${valueText(connection, value)}`);
    list.push(`@waybill_mark = get_lock(${markOf('connection_id()')}, 0)`);
    // An error of the subquery's where they differ: no round trip for it.
    list.push(`@waybill_id = if(connection_id() = ${connection.threadId}, 1, (select 1 union select 2))`);
    await connection.query(`set ${list.join(', ')}`);
    return { connection, server };
  } catch (error) {
    cut(connection);
    throw (error as { errno?: number }).errno === SUBQUERY_TOO_LONG ? isBehindProxy() : error;
  }
}

/** ER_SUBQUERY_NO_1_ROW. */
const SUBQUERY_TOO_LONG = 1242;

/** Connections are ended by their numbers: those of a proxy are other people's. */
const isBehindProxy = (): ConfigurationError =>
  new ConfigurationError(
    'the server has another number for this connection than it was greeted with: a proxy stands between',
    {
      next: 'name the server itself in the URL, or go through a proxy that hands bytes on as they are (HAProxy, a tunnel)',
    },
  );

/**
 * The name of a lock that each connection of ours takes, and that goes with it: by it a number in the ledger is known to be
 * that of one of ours on this server, and of nobody else's. `id`: SQL of the connection's number.
 */
export const markOf = (id: string): string => `concat('waybill connection ', ${id})`;

const valueText = (connection: Connection, value: string | number | bigint): string =>
  typeof value === 'string' ? connection.escape(value) : String(value);

/** What the driver keeps behind its promises. */
export interface DriverConnection {
  stream: Socket;
  query(options: { sql: string }, done: (error: Error | null, header?: ResultSetHeader) => void): void;
}

export const driverConnection = (connection: Connection): DriverConnection =>
  (connection as unknown as { connection: DriverConnection }).connection;

/**
 * Ends the connection on our side, whatever it is at; what waits for an answer is told. (The driver's own way only says that
 * nothing more will be asked, and waits for the server to finish.)
 */
export function cut(connection: Connection): void {
  const error = Object.assign(new Error('the connection was cut'), { code: 'PROTOCOL_CONNECTION_LOST' });
  driverConnection(connection).stream.destroy(error);
}

/**
 * The URL's host, user and database with our own ways to send and read values. Throws `ConfigurationError` for parameters in
 * the URL: the driver would take any of its options from there, several statements in one text among them.
 */
export function connectionOptions(definition: ConnectionDefinition): ConnectionOptions {
  const url = new URL(definition.url);
  const where = `connection ${definition.name}`;
  const parameter = [...url.searchParams.keys()][0];
  if (parameter !== undefined) {
    throw new ConfigurationError(`the URL of ${definition.name} has a parameter, ${parameter}: none is known there`, {
      where,
      next: 'Take it out; certificates stand under tls:, server settings under session_params: of a load.',
    });
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost';
  if (definition.tls !== undefined && definition.tls !== false && isIP(host)) {
    // mysql2 would compare the certificate with "localhost".
    throw new ConfigurationError(`the URL of ${definition.name} gives an address: TLS checks the server's name`, {
      where,
      next: "Write the host's name, as it stands in the server's certificate.",
    });
  }
  const database = decodeURIComponent(url.pathname.slice(1));
  return {
    host,
    port: Number(url.port || 3306),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    ...(database === '' ? {} : { database }),
    connectTimeout: 10_000,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    multipleStatements: false,
    // A server can ask for a file of ours at any time. The driver sends none: a statement must bring the stream that is sent for it
    // (`MysqlSession.change`), and the rows of a copy are the only one that does.
    flags: ['LOCAL_FILES', '-IGNORE_SPACE'],
    supportBigNumbers: true,
    bigNumberStrings: true,
    jsonStrings: true,
    timezone: 'Z',
    // Where a statement was sent from, for the stack of its error: a tenth of the time that a small chunk takes here.
    trace: false,
    // User statements are prepared once a lane; the server keeps few for all its connections.
    maxPreparedStatements: 64,
    ...tlsOptions(definition.tls),
  };
}

function tlsOptions(tls: ConnectionDefinition['tls']): Pick<ConnectionOptions, 'ssl'> {
  if (tls === undefined || tls === false) return {};
  const files = tls === true ? {} : tls;
  return {
    ssl: {
      rejectUnauthorized: true,
      verifyIdentity: true,
      ...(files.ca ? { ca: readFileSync(files.ca, 'utf8') } : {}),
      ...(files.cert ? { cert: readFileSync(files.cert, 'utf8') } : {}),
      ...(files.key ? { key: readFileSync(files.key, 'utf8') } : {}),
    },
  };
}
