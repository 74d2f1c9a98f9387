import { readFileSync } from 'node:fs';
import pg from 'pg';
import type { ConnectionDefinition } from '../../config/definition.ts';
import type { Database, QueryResult, Session } from '../dialect.ts';
import { Places } from '../places.ts';
import { raw, type RawSql, type SqlStatement } from '../sql.ts';
import { inTransaction } from '../transaction.ts';
import { postgresDialect } from './dialect.ts';
import { connectionError } from './errors.ts';
import { quoteName } from './names.ts';
import { PostgresSession } from './session.ts';

/** Connections kept open for our own statements, fences among them: they work when lanes hold all others. */
const CONTROL_CONNECTIONS = 2;

/**
 * For our own statements: a fence or a publish waits as long as it must, and a role's limits are not for them. A fence that
 * gives up its place in the queue may never get in (FACTS).
 */
const OURS = { statement_timeout: '0', lock_timeout: '0' };

/** Opens nothing yet: the first statement does. */
export class PostgresDatabase implements Database {
  readonly dialect = postgresDialect;
  readonly connection: string;
  readonly controlSchema: string;
  readonly lanePlaces: number;
  private readonly control: pg.Pool;
  private readonly places: Places;
  private readonly readingPlaces: Places;
  private readonly config: pg.ClientConfig;

  constructor(definition: ConnectionDefinition) {
    this.connection = definition.name;
    this.controlSchema = definition.controlSchema;
    this.lanePlaces = Math.max(1, definition.maxConnections - CONTROL_CONNECTIONS);
    this.places = new Places(this.lanePlaces);
    this.readingPlaces = new Places(this.lanePlaces);
    this.config = clientConfig(definition);
    this.control = new pg.Pool({
      ...this.settled(OURS),
      application_name: 'waybill control',
      max: CONTROL_CONNECTIONS,
      idleTimeoutMillis: 0, // reserved means: already open
      allowExitOnIdle: true,
    });
    // A server restart breaks idle connections; the pool replaces them. Without a listener the process would die.
    this.control.on('error', () => undefined);
    // The pool stops listening while a client is out, and a fence ends connections that are: publish holds a gate too.
    this.control.on('connect', (client) => client.on('error', () => undefined));
  }

  ledger(table: string): RawSql {
    return raw(`${quoteName(this.controlSchema)}.${quoteName(table)}`);
  }

  async query<Row>(statement: SqlStatement): Promise<QueryResult<Row>> {
    const session = await this.controlSession();
    try {
      return await session.query<Row>(statement);
    } finally {
      await session.close();
    }
  }

  async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.controlSession();
    try {
      return await inTransaction(session, work);
    } finally {
      await session.close();
    }
  }

  async openSession(
    purpose: string,
    options: { statementTimeoutMs?: number; reading?: boolean } = {},
  ): Promise<Session> {
    const places = options.reading ? this.readingPlaces : this.places;
    await places.take();
    return this.openInPlace(purpose, places, options);
  }

  async openSpareSession(purpose: string): Promise<Session | undefined> {
    return this.places.takeFree() ? this.openInPlace(purpose, this.places) : undefined;
  }

  private async openInPlace(
    purpose: string,
    places: Places,
    options: { statementTimeoutMs?: number; reading?: boolean } = {},
  ): Promise<Session> {
    const statementTimeout = Math.floor(options.statementTimeoutMs ?? 0);
    const config = options.reading ? this.config : this.settled({ statement_timeout: String(statementTimeout) });
    const client = new pg.Client({ ...config, application_name: purpose.slice(0, 63) });
    client.on('error', () => undefined); // the statement in flight rejects; idle ones fail at their next use
    try {
      await client.connect();
    } catch (error) {
      places.give();
      cut(client);
      throw connectionError(this.connection, error);
    }
    return new PostgresSession(client, String(processId(client)), async (broken) => {
      places.give();
      if (broken) cut(client);
      else await client.end().catch(() => undefined);
    });
  }

  async openAside(purpose: string): Promise<Session> {
    const client = new pg.Client({ ...this.settled(OURS), application_name: purpose });
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch (error) {
      cut(client);
      throw connectionError(this.connection, error);
    }
    return new PostgresSession(client, String(processId(client)), async (broken) => {
      if (broken) cut(client);
      else await client.end().catch(() => undefined);
    });
  }

  async close(): Promise<void> {
    await this.control.end();
  }

  /** How to connect, with settings that hold from the first statement on, whatever role and database have by default. */
  private settled(settings: Record<string, string>): pg.ClientConfig {
    const more = Object.entries(settings).map(([name, value]) => ` -c ${name}=${value}`);
    return { ...this.config, options: `${this.config.options ?? ''}${more.join('')}` };
  }

  /** A reserved connection; used by our own statements only, so it can be handed on. */
  async controlSession(): Promise<PostgresSession> {
    let client: pg.PoolClient;
    try {
      client = await this.control.connect();
    } catch (error) {
      throw connectionError(this.connection, error);
    }
    return new PostgresSession(client, String(processId(client)), (broken) => client.release(broken));
  }
}

/** Ends the connection on our side, whatever it is at. */
function cut(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

function processId(client: pg.ClientBase): number {
  return (client as unknown as { processID: number }).processID;
}

function clientConfig(definition: ConnectionDefinition): pg.ClientConfig {
  const { tls } = definition;
  // What `pg` reads from a URL wins over what it is given: these two are ours, so they are taken out and put together.
  const url = new URL(definition.url);
  const theirs = url.searchParams.get('options') ?? '';
  url.searchParams.delete('options');
  url.searchParams.delete('application_name');
  return {
    connectionString: url.href,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // READ COMMITTED for what runs outside a transaction, too: the others say it. ISO dates, all digits of floats, bytes in hex: windows, keys and copies travel as text. Plain strings without escapes: what the lexer reads. A row that a policy hides would be lost without a word: an error instead. The rest lets the server notice a client that is gone or asleep.
    options:
      `${theirs} -c default_transaction_isolation=read\\ committed -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex -c standard_conforming_strings=on -c row_security=off -c idle_in_transaction_session_timeout=60s -c client_connection_check_interval=2s -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3`.trim(),
    ...(tls === undefined
      ? {}
      : {
          ssl:
            typeof tls === 'boolean'
              ? tls
              : {
                  rejectUnauthorized: true,
                  ...(tls.ca ? { ca: readFileSync(tls.ca, 'utf8') } : {}),
                  ...(tls.cert ? { cert: readFileSync(tls.cert, 'utf8') } : {}),
                  ...(tls.key ? { key: readFileSync(tls.key, 'utf8') } : {}),
                },
        }),
  };
}
