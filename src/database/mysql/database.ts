import type { ConnectionOptions } from 'mysql2/promise';
import type { ConnectionDefinition } from '../../config/definition.ts';
import { ConfigurationError } from '../../errors.ts';
import type { Database, Dialect, QueryResult, Session, SessionOptions } from '../dialect.ts';
import { LOOKS, Places } from '../places.ts';
import { raw, type RawSql, type SqlStatement } from '../sql.ts';
import { inTransaction } from '../transaction.ts';
import { connect, connectionOptions, cut, type Connected, type Settings } from './connect.ts';
import { ControlConnections } from './control-connections.ts';
import { mariadbDialect, mysqlDialect } from './dialect.ts';
import { connectionError } from './errors.ts';
import { endConnection } from './gate.ts';
import { quoteName } from './names.ts';
import type { ServerFacts } from './server-facts.ts';
import { MysqlSession } from './session.ts';

/** Connections kept open for our own statements: they work when lanes hold all others. */
const CONTROL_CONNECTIONS = 2;

/** Who lies idle for so long in the middle of something is asleep or gone: the server ends the connection, and others go on. */
const IDLE_SECONDS = 60;
/** As long as a reserved connection may wait to be needed. */
const RESERVED_SECONDS = 28_800;

type SettingsOn = (server: ServerFacts) => Settings;

/** As long as a statement needs. */
const unlimited: SettingsOn = ({ words }) => ({ [words.statementLimit]: 0 });

/**
 * For our own statements: a fence or a publish waits as long as it must. A fence that gives up its place in the queue may
 * never get in (FACTS). The most that both servers take.
 */
const OURS: SettingsOn = (server) => ({
  ...unlimited(server),
  innodb_lock_wait_timeout: 1_000_000,
  lock_wait_timeout: 31_536_000,
});

/** A server with no limit for a transaction that lies idle is told how long its connection may, at its begin and after it. */
const CONTROL: SettingsOn = (server) => ({
  ...OURS(server),
  wait_timeout: RESERVED_SECONDS,
  ...(server.limitsIdleTransactions && { idle_transaction_timeout: IDLE_SECONDS }),
});
const IN_TRANSACTION = { settings: { wait_timeout: String(IDLE_SECONDS) } };
const AFTER_IT = `set session wait_timeout = ${RESERVED_SECONDS}`;

/** For a fence, a migration, or a look of ours: what others wait for there belongs to the connection. */
const ASIDE: SettingsOn = (server) => ({ ...OURS(server), wait_timeout: IDLE_SECONDS });

/**
 * A lane that is asleep or gone keeps its chunk and the gate no longer than `wait_timeout`; in a statement it is not idle. In a
 * copy each server waits for the other one, which may sort or wait for a lock: longer than the defaults, half a minute and one.
 * Notes count as warnings, by which a copy knows of values that were changed. Who only reads keeps to the server's limits.
 */
const READING: SettingsOn = () => ({
  wait_timeout: IDLE_SECONDS,
  net_read_timeout: 3600,
  net_write_timeout: 3600,
  sql_notes: 1,
});
const LANES: SettingsOn = (server) => ({ ...READING(server), ...unlimited(server) });

/** Opens nothing yet: the first statement does. */
export class MysqlDatabase implements Database {
  readonly dialect: Dialect;
  readonly connection: string;
  readonly controlSchema: string;
  readonly lanePlaces: number;
  private readonly places: Places;
  private readonly readingPlaces: Places;
  private readonly lookingPlaces: Places;
  private readonly control: ControlConnections;
  private readonly options: ConnectionOptions;
  private server: ServerFacts | undefined;

  constructor(
    definition: ConnectionDefinition,
    private readonly opened: (session: Session) => void = () => undefined,
  ) {
    this.dialect = definition.scheme === 'mariadb' ? mariadbDialect : mysqlDialect;
    this.connection = definition.name;
    this.controlSchema = definition.controlSchema;
    this.lanePlaces = Math.max(1, definition.maxConnections - CONTROL_CONNECTIONS);
    this.places = new Places(this.lanePlaces);
    this.readingPlaces = new Places(this.lanePlaces);
    this.lookingPlaces = new Places(Math.max(LOOKS, this.lanePlaces));
    this.options = connectionOptions(definition);
    this.control = new ControlConnections(CONTROL_CONNECTIONS, () => this.connect('waybill control', CONTROL));
  }

  ledger(table: string): RawSql {
    return raw(`${quoteName(this.controlSchema)}.${quoteName(table)}`);
  }

  async query<Row>(statement: SqlStatement): Promise<QueryResult<Row>> {
    const session = await this.control.take();
    try {
      return await session.query<Row>(statement);
    } finally {
      await session.close();
    }
  }

  async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.control.take();
    const toBeTold = !session.server.limitsIdleTransactions;
    try {
      return await inTransaction(session, work, toBeTold ? IN_TRANSACTION : {});
    } finally {
      // Not waited for; but only then does the connection lie idle, which keeps no process alive.
      const told = toBeTold ? session.say(AFTER_IT).catch(() => undefined) : Promise.resolve();
      void told.then(() => session.close());
    }
  }

  async openSession(purpose: string, options: SessionOptions = {}): Promise<MysqlSession> {
    const { statementTimeoutMs, reading = false, looking = false, lockTimeoutMs } = options;
    const places = looking ? this.lookingPlaces : reading ? this.readingPlaces : this.places;
    await places.take(options);
    const settings = looking ? ASIDE : reading ? READING : LANES;
    const limited: SettingsOn = (server) => ({
      ...settings(server),
      ...(lockTimeoutMs !== undefined && { lock_wait_timeout: Math.ceil(lockTimeoutMs / 1000) }),
    });
    return this.openInPlace(purpose, places, limited, statementTimeoutMs);
  }

  async openSpareSession(purpose: string): Promise<MysqlSession | undefined> {
    return this.places.takeFree() ? this.openInPlace(purpose, this.places, LANES) : undefined;
  }

  private async openInPlace(
    purpose: string,
    places: Places,
    settings: SettingsOn,
    timeoutMs?: number,
  ): Promise<MysqlSession> {
    try {
      const limit = timeoutMs && {
        ms: Math.floor(timeoutMs),
        end: (connectionId: string) => endConnection(this, connectionId),
      };
      return this.sessionOn(await this.connect(purpose, settings), () => places.give(), limit || undefined);
    } catch (error) {
      places.give();
      throw error;
    }
  }

  async openAside(purpose: string): Promise<MysqlSession> {
    return this.sessionOn(await this.connect(purpose, ASIDE), () => undefined);
  }

  private sessionOn(
    { connection, server }: Connected,
    given: () => void,
    limit?: ConstructorParameters<typeof MysqlSession>[3],
  ): MysqlSession {
    const release = async (broken: boolean): Promise<void> => {
      given();
      if (broken) cut(connection);
      else await connection.end().catch(() => undefined);
    };
    const session = new MysqlSession(connection, server, release, limit);
    this.opened(session);
    return session;
  }

  async close(): Promise<void> {
    await this.control.close();
  }

  /** What the server is, asked at the first connection. */
  private async connect(purpose: string, settings: SettingsOn): Promise<Connected> {
    try {
      const connected = await connect(this.options, purpose, settings, this.server);
      this.server = connected.server;
      return connected;
    } catch (error) {
      if (error instanceof ConfigurationError) {
        throw new ConfigurationError(`cannot use connection ${this.connection}: ${error.message}`, {
          where: `connection ${this.connection}`,
          next: error.next,
        });
      }
      throw connectionError(this.connection, error, this.options.ssl !== undefined);
    }
  }
}
