/** What there is on a server, and what it says of a statement that it does not run. */
import type { ColumnFacts, Database, Session, TableFacts, TableIdentity } from './dialect.ts';
import type { SqlPart } from './sql.ts';

/** What a server has against a statement. */
export interface StatementComplaint {
  message: string;
  /** The character that it means, from 1. */
  position?: number;
  /** What it thinks was meant. */
  hint?: string;
  /** It names something that is not there (yet). */
  missing: boolean;
  /** What that is, where the server says so: its parts as it writes them, the last one the name itself. */
  unknown?: { what: 'column' | 'table' | 'function'; parts: string[] };
}

/** A table that keeps what is written to it whatever becomes of the transaction. */
export interface UnsafeTable {
  table: string;
  /** By which its server calls what keeps its rows: `MyISAM`. */
  engine: string;
}

export interface CatalogDialect {
  /** May wait for whoever has the table to himself: on the session that it is given, or on a connection of its own. */
  describeTable(reader: Database | Session, table: string): Promise<TableFacts | undefined>;
  /**
   * The columns of a table as they are now, and so as the session's transaction has read them: until it ends it holds off whoever would
   * change them. Asks on a connection that neither waits behind such a one nor sees an older state of the catalog.
   */
  columnsRead(database: Database, session: Session, table: string): Promise<ColumnFacts[] | undefined>;
  /** The columns that a SELECT gives, as types of this server; it is not run. What a column may not hold it does not know. */
  describeQuery(session: Session, query: string): Promise<ColumnFacts[]>;
  listTables(database: Database): Promise<string[]>;
  /** Names of functions that a statement may call, people's own with their schema, for near-miss suggestions. */
  listFunctions(database: Database): Promise<string[]>;
  /**
   * What a name without schema leads to in users' SQL, with the settings of this transaction: `etl.orders`. Undefined where it is always
   * the table that it is in a load's file.
   */
  readonly leadsTo: ((session: Session, name: string) => Promise<string | undefined>) | undefined;
  /**
   * A table of which no roll back takes a write back: this one, or one below this view. `ifHas`: none, where it has no column of this
   * name. Undefined where every table is rolled back.
   */
  readonly neverRolledBack:
    ((database: Database, table: string, ifHas?: string) => Promise<UnsafeTable | undefined>) | undefined;
  /**
   * How values of a column are compared: what is of one kind is equal to one of the other where it is equal to itself, and to nothing
   * else. A text that a collation may take for another is of kind `text COLLATION`, a number that is rounded `double`.
   */
  comparedAs(column: ColumnFacts): string;
  /** Whether the values of a column have an order that the server can tell: without one they bound no ranges. */
  hasOrder(database: Database, column: ColumnFacts): Promise<boolean>;
  /**
   * Whether what is told apart by `key` is told apart by a column of this kind, too: by itself, and where it is compared with the key or
   * with another column of which this is so. True for `comparedAs(key)`.
   */
  tellsApart(kind: string, key: ColumnFacts): boolean;
  tableIdentity(session: Session, table: string): Promise<TableIdentity | undefined>;
  /** The storage of a snapshot may change though its rows are the same: a rewrite gives it another file. False: rows have come or gone. */
  readonly rewriteMovesRows: boolean;
  /** A condition: the table of this name is still that one, and was not rewritten. */
  isStill(table: string, identity: TableIdentity): SqlPart;
  /** Waits for whoever has the table to himself, and may read millions of dead rows. */
  hasRows(session: Session, table: string): Promise<boolean>;
  /** Parses and plans a statement without running it; the server's complaint, or undefined. */
  checkStatement(database: Database, text: string): Promise<StatementComplaint | undefined>;
}
