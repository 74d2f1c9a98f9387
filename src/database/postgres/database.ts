import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { ConnectionDefinition } from '../../config/definition.ts';
import type { Database, QueryResult, Session, SessionOptions } from '../dialect.ts';
import { LOOKS, Places } from '../places.ts';
import { raw, type RawSql, type SqlStatement } from '../sql.ts';
import { inTransaction } from '../transaction.ts';
import { postgresDialect } from './dialect.ts';
import { ConnectionSettings, OURS, WRITING } from './connection-settings.ts';
import { connectionError } from './errors.ts';
import { quoteName } from './names.ts';
import { PostgresSession } from './session.ts';

/** Connections kept open for our own statements, fences among them: they work when lanes hold all others. */
const CONTROL_CONNECTIONS = 2;

/** Milliseconds that connections which are out have to come back, at the end: by then only who asks a silent server has one. */
const CLOSE_MS = 2_000;

/** Opens nothing yet: the first statement does. */
export class PostgresDatabase implements Database {
  readonly dialect = postgresDialect;
  readonly connection: string;
  readonly controlSchema: string;
  readonly lanePlaces: number;
  private readonly control: pg.Pool;
  private readonly places: Places;
  private readonly readingPlaces: Places;
  private readonly lookingPlaces: Places;
  private readonly config: pg.ClientConfig;
  private readonly settings = new ConnectionSettings();
  private readonly controlClients = new Set<pg.Client>();
  /** What the server calls each control connection. */
  private readonly controlIds = new WeakMap<pg.ClientBase, string>();

  constructor(
    definition: ConnectionDefinition,
    private readonly opened: (session: Session) => void = () => undefined,
  ) {
    this.connection = definition.name;
    this.controlSchema = definition.controlSchema;
    this.lanePlaces = Math.max(1, definition.maxConnections - CONTROL_CONNECTIONS);
    this.places = new Places(this.lanePlaces);
    this.readingPlaces = new Places(this.lanePlaces);
    this.lookingPlaces = new Places(Math.max(LOOKS, this.lanePlaces));
    this.config = clientConfig(definition);
    this.control = new pg.Pool({
      ...this.config,
      application_name: 'waybill control',
      max: CONTROL_CONNECTIONS,
      idleTimeoutMillis: 0, // reserved means: already open
      allowExitOnIdle: true,
      verify: (client, done) => void this.pinControl(client).then(() => done(), done),
    });
    // A server restart breaks idle connections; the pool replaces them. Without a listener the process would die.
    this.control.on('error', () => undefined);
    // The pool stops listening while a client is out, and a fence ends connections that are: publish holds a gate too.
    this.control.on('connect', (client) => {
      client.on('error', () => undefined);
      this.controlClients.add(client);
    });
    this.control.on('remove', (client) => this.controlClients.delete(client));
  }

  private async pinControl(client: pg.ClientBase): Promise<void> {
    this.controlIds.set(client, await this.settings.pin(client, OURS));
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

  async openSession(purpose: string, options: SessionOptions = {}): Promise<Session> {
    const places = options.looking ? this.lookingPlaces : options.reading ? this.readingPlaces : this.places;
    await places.take(options);
    return this.openInPlace(purpose, places, options);
  }

  async openSpareSession(purpose: string): Promise<Session | undefined> {
    return this.places.takeFree() ? this.openInPlace(purpose, this.places) : undefined;
  }

  private async openInPlace(purpose: string, places: Places, options: SessionOptions = {}): Promise<Session> {
    const { statementTimeoutMs = 0, reading = false, looking = false, lockTimeoutMs } = options;
    const ours = { ...(looking ? OURS : WRITING), statement_timeout: String(Math.floor(statementTimeoutMs)) };
    const limits = {
      ...(!reading && ours),
      ...(lockTimeoutMs !== undefined && { lock_timeout: String(Math.ceil(lockTimeoutMs)) }),
    };
    return this.open(purpose, limits, () => places.give());
  }

  openAside(purpose: string): Promise<Session> {
    return this.open(purpose, OURS, () => undefined);
  }

  /** `ended`: called once, when the connection is gone, or could not be had. */
  private async open(purpose: string, settings: Record<string, string>, ended: () => void): Promise<Session> {
    let client: pg.Client | undefined;
    let connectionId: string;
    try {
      client = new pg.Client({ ...this.config, application_name: purpose.slice(0, 63) }); // reads the files that its URL names
      client.on('error', () => undefined); // the statement in flight rejects; idle ones fail at their next use
      await client.connect();
      connectionId = await this.settings.pin(client, settings);
    } catch (error) {
      ended();
      if (client) cut(client);
      throw connectionError(this.connection, error);
    }
    const connected = client;
    const session = new PostgresSession(connected, connectionId, async (broken) => {
      ended();
      if (broken) cut(connected);
      else await connected.end().catch(() => undefined);
    });
    this.opened(session);
    return session;
  }

  async close(): Promise<void> {
    const ended = this.control.end().then(() => false);
    const silent = await Promise.race([ended, sleep(CLOSE_MS, true, { ref: false })]);
    if (silent) for (const client of this.controlClients) cut(client);
  }

  /** A reserved connection; used by our own statements only, so it can be handed on. */
  async controlSession(): Promise<PostgresSession> {
    let client: pg.PoolClient;
    try {
      client = await this.control.connect();
    } catch (error) {
      throw connectionError(this.connection, error);
    }
    return new PostgresSession(client, this.controlIds.get(client)!, (broken) => client.release(broken));
  }
}

/** Ends the connection on our side, whatever it is at. */
function cut(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

function clientConfig(definition: ConnectionDefinition): pg.ClientConfig {
  const { tls } = definition;
  // What `pg` reads from a URL wins over what it is given, and this is ours.
  const url = new URL(definition.url);
  url.searchParams.delete('application_name');
  return {
    connectionString: url.href,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
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
