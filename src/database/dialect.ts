/**
 * What the engine asks of a database. One implementation a family: `postgres/` and `mysql/` (MariaDB is a flavour of it). Everything in which they differ is a documented method or fact here; nothing else in the engine may know which
 * database it talks to.
 */
import type { SqlDialect } from '../sql/dialect.ts';
import type { Rendered } from '../sql/render.ts';
import type { CatalogDialect } from './catalog-dialect.ts';
import type { CopyDialect } from './copy-dialect.ts';
import type { CursorDialect } from './cursor-dialect.ts';
import type { LandingDialect } from './landing-dialect.ts';
import type { OutputDialect } from './output-dialect.ts';
import type { WaitForPlace } from './places.ts';
import type { RowSource } from './row-source.ts';
import type { SnapshotDialect } from './snapshot-dialect.ts';
import type { RawSql, SqlPart, SqlStatement } from './sql.ts';

/** How the ledger's own statements say what servers say differently. */
export interface LedgerWords {
  /** When this transaction began (or the statement, where that is all that the server knows), to the microsecond. */
  now: RawSql;
  /** The clock, which goes on within a transaction. */
  clock: RawSql;
  /** `now`, and so many seconds later. */
  secondsFromNow(seconds: number): RawSql;
  /** Ends a query: until the transaction ends, nobody changes the rows that it found. */
  shared: RawSql;
  /** Ends an INSERT whose row may be there already, by its unique `key`: these columns are overwritten; none: it stays. */
  onDuplicate(key: readonly string[], overwrite: readonly string[]): RawSql;
  /** Seconds from one instant to another, both columns of ours. */
  secondsBetween(from: string, to: string): RawSql;
}

/** How control tables are made. */
export interface MigrationWords {
  /**
   * One migration at a time on a server: makes the control schema and its table `migration` unless they are there, makes the
   * schema the place where unqualified names of this session are made and found, then does the work. All or nothing in one
   * transaction where DDL can be rolled back; where it cannot, every statement of a migration may be run again, and `migration`
   * tells what was run to its end.
   */
  run<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T>;
  /** Runs the text of one migration, several statements. */
  apply(session: Session, text: string): Promise<void>;
  /**
   * A part of the script: these statements, where `migration` has not got the version. Where a script cannot ask, they stand there as
   * they are, for each may be run again.
   */
  unlessApplied(version: number, statements: string): string;
  /** The statements as a script for a DBA, after all that `run` does itself; all or nothing where that can be. */
  script(database: Database, statements: readonly string[]): string;
}

/** Rows, and how many the statement touched. */
export interface QueryResult<Row> {
  rows: Row[];
  rowCount: number;
}

/** Of a user's statement; columns by name, none where it gives no rows. */
export interface RunResult extends QueryResult<unknown[]> {
  columns: string[];
}

/** Takes one row; columns by name. */
export type TakeRow = (row: unknown[], columns: readonly string[]) => void;

/** What becomes of a user's statement. */
export interface RunOptions {
  /** It commits by itself what was done before it: no transaction is open afterwards. */
  commits?: boolean;
  /** How many of its rows the answer has; default none. The others are passed over as they come, for they may be millions. */
  first?: number;
  /** Takes its rows as they come, exactly as the server has them; the answer has none. What it throws is thrown once all have come. */
  each?: TakeRow | undefined;
}

/** How a transaction begins. The isolation is always READ COMMITTED, said and never inherited. */
export interface BeginOptions {
  readOnly?: boolean;
  /** Server settings for this transaction only (`session_params`). */
  settings?: Record<string, string>;
  /**
   * Its COMMIT need not wait for the disk, where the server can do that by transaction. After a crash of the server the
   * transaction may be gone, as a whole, unless a later one that did wait has been answered: that flushes all before it.
   */
  relaxed?: boolean;
}

/** What is sent of a rendered statement. */
export type UserStatement = Pick<Rendered, 'text' | 'values' | 'timeZone'>;

/** One connection to a server, used by one task at a time. */
export interface Session {
  /** The server's number for this connection, by which it can be ended from another one. */
  readonly connectionId: string;
  /** It was given back, or cut: it waits for nobody any more. */
  readonly closed: boolean;
  /** One of our own statements. */
  query<Row = Record<string, unknown>>(statement: SqlStatement): Promise<QueryResult<Row>>;
  /** Several of our own statements, one after another, in one round trip where the server can. The first error ends them. */
  pipeline<Row = Record<string, unknown>>(statements: readonly SqlStatement[]): Promise<QueryResult<Row>[]>;
  /**
   * A rendered user statement; its rows are never in memory together. Throws `TransactionLostError` when it ended the transaction
   * that it ran in, unless it `commits`.
   */
  run(statement: UserStatement, options?: RunOptions): Promise<RunResult>;
  begin(options?: BeginOptions): Promise<void>;
  /** Throws unless the server's answer is COMMIT: a failed transaction answers ROLLBACK without an error. */
  commit(): Promise<void>;
  /**
   * Leaves the savepoint, makes all changes of `last`, commits, and goes on with `next` as `pipeline` does; all in one round trip
   * where the server can. Undefined: one of `last` touched another number of rows, and everything is rolled back. An error may
   * come from `next`: then the transaction may have been committed all the same.
   */
  commitAfter<Row = Record<string, unknown>>(
    last: readonly Change[],
    next: readonly SqlStatement[],
  ): Promise<QueryResult<Row>[] | undefined>;
  /** Never throws: a connection that cannot roll back is closed, and the server rolls back. */
  rollback(): Promise<void>;
  rollbackToSavepoint(): Promise<void>;
  /** Gives the connection back or closes it; a session that ran users' SQL is always closed, never handed on. */
  close(): Promise<void>;
  /** Cuts the connection now; what the server is doing for it may go on: `endGateHolders` ends what writes for a batch. */
  destroy(): void;
}

/** One of our own statements that changes rows. */
export interface Change {
  statement: SqlPart;
  /** How many it must touch. */
  rows: number;
}

/** An error, sorted once. */
export interface ErrorFacts {
  /** `transient`: again may help. `permanent`: it will not. `connection`: the session is gone (transient too). */
  kind: 'transient' | 'permanent' | 'connection';
  /** SQLSTATE or error number, if the server gave one. */
  code: string | undefined;
  /**
   * `missing`: a table or schema that it names is not there; `forbidden`: the role may not do this; `data`: a row's values did not
   * fit, so without that row it would work.
   */
  because?: 'missing' | 'forbidden' | 'data';
  /** The whole message, for the ledger in the warehouse itself; it can hold values of rows. */
  message: string;
  /** The message without values of rows, for Temporal's history and logs. */
  safeMessage: string;
  /** Somebody has a lock that it wanted, and it was not to be had in time. */
  locked?: true;
  /** A lock was waited for as long as these settings of the server let: no fault of the statement's. */
  waited?: readonly string[];
  /** Least seconds before another attempt: long for a full disk. */
  retryAfterSeconds: number;
  /** What to do about it; undefined: its message says all. */
  next?: string | undefined;
}

export interface ColumnFacts {
  name: string;
  /** Full type with modifiers: `numeric(12,4)`. */
  type: string;
  /** Type as a cast target, without modifiers: `numeric`. */
  castType: string;
  /** The same of what a domain is made of in the end; without: it is none. */
  base?: Pick<ColumnFacts, 'type' | 'castType' | 'enumerated' | 'locale' | 'operators'>;
  /** An enumeration that has a name of its own, or an array of one. */
  enumerated?: true;
  /** Of a type that is written as a setting of the server has it: the setting's value. */
  locale?: string;
  /** The schema of the operators that sort it, where a name alone may not lead there: that of an extension. */
  operators?: string;
  /** An index of it has other rows between two values than the server finds without: what is compared must lead to none. */
  misindexed?: true;
  /** Of a character set in which there are bytes that no character stands for: each would come as `?` or U+FFFD. */
  unmapped?: true;
  /** What orders its texts; of a column of a table alone. */
  collation?: string;
  /** By it, texts are equal that are not the same ones: of PostgreSQL alone, where few are. */
  nondeterministic?: true;
  nullable: boolean;
  hasDefault: boolean;
  generated: boolean;
}

export interface IndexFacts {
  name: string;
  columns: string[];
  unique: boolean;
  primary: boolean;
}

/** What a table that is one, but no plain one, does to the rows of batches. */
export interface UnfitTable {
  why: string;
  /** Behind `alter table …`, what makes it a plain one and loses nothing. */
  alter?: string;
}

export interface TableFacts {
  table: string;
  /** `table`, `view`, `partitioned`, `foreign`, … */
  kind: string;
  unfit?: UnfitTable;
  columns: ColumnFacts[];
  indexes: IndexFacts[];
}

/** Which table this is, whatever it is called now. */
export interface TableIdentity {
  relationId: string;
  /** Changes when the table is rewritten, which moves its rows between page ranges. */
  storageId: string;
}

/** One range of a planned stage, as stored in `chunk`. Both null: everything. */
export interface ChunkRange {
  from: string | null;
  to: string | null;
}

/** A range of keys: JSON arrays of the values, as text, of the key's columns or its first ones; `from` null: open; special value `NULL_KEYS`. */
export const NULL_KEYS = 'null';

/** Bytes of a bound, or of a row's key, at the most: what a `text` holds in the ledger of MySQL and MariaDB, in which any source's may stand. */
export const LONGEST_KEY = 65_535;

/**
 * `range`: by the `:from` and `:to` of its SQL, which say what of which table. `file`: each range begins with a file's name. No database
 * cuts anything for either.
 */
export type ChunkMethod = 'once' | 'pages' | 'key' | 'range' | 'file';

/** Somebody who holds a lock or an old transaction that we wait for. */
export interface Holder {
  connectionId: string;
  user: string | null;
  application: string | null;
  ageSeconds: number | null;
  /** In words, where it is no matter of ending a connection. */
  toEnd?: string;
}

/** For what a connection waits that others hold. */
export interface LockWait {
  /** A table as far as the server tells, or what else it is; undefined: it does not say. */
  waitingFor?: string;
  /** The oldest first, as far as the server tells. */
  holders: Holder[];
}

/** How a connection of its own is had. */
export interface SessionOptions extends WaitForPlace {
  /** How long a statement may take; undefined: as long as it needs. Whatever the role's limit is. */
  statementTimeoutMs?: number;
  /**
   * For a lane that writes elsewhere, within the limits of that server; such lanes have places of their own, so that two loads which copy
   * in opposite directions never wait for each other.
   */
  reading?: boolean;
  /**
   * For our own statements that may wait for users' locks: as long as they must, whatever the role's limit is, and in places of their own, so
   * that no lane waits behind them, nor they behind lanes.
   */
  looking?: boolean;
  /** How long a statement waits for a lock on a table before it fails, in place of what else holds. MySQL and MariaDB count whole seconds. */
  lockTimeoutMs?: number;
}

/** A database of one connection of the project, as one worker or command sees it. */
export interface Database {
  /** The connection's name in waybill.yaml. */
  readonly connection: string;
  readonly dialect: Dialect;
  readonly controlSchema: string;
  /** Lanes that may run at once on this worker: `max_connections` less the reserved control connections. */
  readonly lanePlaces: number;
  /** A control table, qualified and quoted: sql`select * from ${db.ledger('batch')}`. */
  ledger(table: string): RawSql;
  /** One of our own statements, on a reserved control connection. */
  query<Row = Record<string, unknown>>(statement: SqlStatement): Promise<QueryResult<Row>>;
  /** Our own statements in one transaction, on a reserved control connection; rolled back when `work` throws. */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /**
   * A connection of its own for users' SQL, or for what waits for users; waits for a free place. `purpose` becomes the application
   * name, by which a DBA finds it ("waybill 114 flights lane 2").
   */
  openSession(purpose: string, options?: SessionOptions): Promise<Session>;
  /** The same, where a place is free at once; else undefined. */
  openSpareSession(purpose: string): Promise<Session | undefined>;
  /** A connection beyond `max_connections`, for a fence: it must never wait for what it is to end. Close it soon. */
  openAside(purpose: string): Promise<Session>;
  close(): Promise<void>;
}

export interface Dialect
  extends CatalogDialect, CopyDialect, CursorDialect, LandingDialect, OutputDialect, SnapshotDialect {
  readonly name: 'postgres' | 'mysql';
  /** The lexer's facts. */
  readonly sql: SqlDialect;
  readonly words: LedgerWords;
  readonly migration: MigrationWords;
  /** A table's canonical name (`acq.flight`), quoted for a statement; it leads to the same table whatever settings hold there. */
  quoteTable(table: string): string;
  quoteName(name: string): string;
  /** A text constant, for the few statements that bind nothing (COPY). */
  quoteText(text: string): string;
  /** What a bound value of this sort must be cast to, where the server would not deduce it. A local time has no zone. */
  castOf(sort: 'batch id' | 'time' | 'local time' | 'date' | 'integer' | 'decimal' | 'boolean'): string | undefined;
  /** `column` is one of these batches; as few bound values however many there are, and an index on it serves. */
  inBatches(column: string, batchIds: readonly string[], bind: (value: unknown, cast?: string) => string): string;
  /** Sorts an error of this database's driver; also takes errors of the network. */
  classify(error: unknown): ErrorFacts;

  /** What begins a transaction, to be sent together with what follows. */
  begin(options?: BeginOptions): SqlStatement[];
  /** What makes server settings hold (`session_params`), within a transaction and for it where the server can do that. */
  settings(settings: Record<string, string>): SqlStatement[];
  /** What has values written as texts again as everywhere else, in a transaction in which settings or a user's SQL may have changed that. */
  readonly ownStyle: readonly SqlStatement[];
  /**
   * What enters the gate of a batch within a transaction. The last one gives the batch's `state`, read after it entered, and
   * `more` columns beside it (", … as stop").
   */
  gate(database: Database, batchId: string, mode: 'shared' | 'exclusive', more?: SqlPart): SqlStatement[];
  /** Ends the connections that stand in the gate of this batch, but for this session and one more; how many. */
  endGateHolders(session: Session, database: Database, batchId: string, exceptConnection: string): Promise<number>;
  /** What a connection of ours waits for at this moment, asked on another one; undefined: for no lock. */
  lockWait(database: Database, connectionId: string): Promise<LockWait | undefined>;
  /**
   * Ends what a lane of this number has left behind on the server, by its connection in the ledger. PostgreSQL notices by itself that a
   * client has gone; MySQL and MariaDB go on with its statement to the end, and nobody else gets its chunk for so long.
   */
  endLeftLane(database: Database, at: { batchId: string; stage: number; lane: number }): Promise<void>;
  /**
   * The same of all lanes and steps of a batch whose gate is shut: a statement that commits by itself has left the gate before it begins,
   * and no fence has to wait for it. On PostgreSQL there is none.
   */
  endLeft(session: Session, database: Database, batchId: string): Promise<void>;
  /** Cuts a session that reads, and has the server end what it is at; not waited for. Where the server cannot be asked, it goes on to its end. */
  cutReading(database: Database, session: Session): void;

  /** Ranges of about `rows` rows of a frozen table, without any key; undefined: the server has none, use keys. */
  readonly planPages: ((session: Session, table: string, rows: number) => Promise<ChunkRange[]>) | undefined;
  /** Cuts a range of pages into ranges of `rows` rows: their bounds may then lie within a page. */
  readonly cutPages:
    ((session: Session, table: string, range: ChunkRange, rows: number) => Promise<ChunkRange[]>) | undefined;
  /** An expression: these columns of a row as one JSON object, bytes in hexadecimal. */
  rowAsJson(columns: ColumnFacts[]): string;
  /** Bytes of a statement and its values that the server takes at the most: of a longer one it cuts the connection. Undefined: more than we have. */
  readonly longestStatement: ((session: Session) => Promise<number>) | undefined;
  /**
   * Ranges of about `rows` rows by key; all rows of one key share a range; NULL keys get one of their own. `where` says which
   * rows; `window`: it is about the key alone, so that an index on the key leads straight to them. Rows of a query are sorted
   * once: no index has them in order.
   */
  planKeys(
    session: Session,
    table: RowSource,
    key: ColumnFacts[],
    rows: number,
    where?: { condition: SqlPart; window: boolean },
  ): Promise<ChunkRange[]>;
  /** The condition that cuts a table to one range; `bind` gives placeholders. */
  rangeCondition(
    method: ChunkMethod,
    range: ChunkRange,
    key: ColumnFacts[],
    bind: (value: unknown, cast?: string) => string,
  ): string;
}

/** A user's statement ended the transaction that it ran in (a procedure with COMMIT, for one). */
export class TransactionLostError extends Error {
  override readonly name = 'TransactionLostError';
}
