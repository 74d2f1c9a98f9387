/**
 * How MySQL and MariaDB differ, as far as anything here goes by it. Code asks for one of these facts and never for a server's name or
 * version (ESLint sees to that); which SQL follows from a fact stands where it is asked. All were seen on MySQL 9.7 and MariaDB 10.11, and
 * test/database/mysql/flavour-facts.test.ts asks both again. Where SQL is made with no connection to ask, in `outputs.ts` and `gate.ts`,
 * it has comments that one of the servers runs and the other one skips.
 */
export interface FlavourFacts {
  // Locks, and who has them

  /**
   * RENAME TABLE works on tables that the connection has locked, so nobody writes while AUTO_INCREMENT is handed on from a landing table
   * to its twin. (MySQL: since 8.0.13.) MariaDB refuses it: there a twin's numbers begin with headroom, and are set right after the swap.
   */
  renamesLockedTables: boolean;
  /**
   * Says who has which table (performance_schema.metadata_locks). MariaDB does not unless it is told to: there it takes the plugin
   * metadata_lock_info, and without that whoever has a transaction open may be the one.
   */
  listsTableLocks: boolean;
  /**
   * What it calls those by who wait for each other's rows: their connections (performance_schema.data_lock_waits), or the numbers of their
   * transactions (information_schema.innodb_lock_waits). On MariaDB all that have written nothing are number 0.
   */
  listsRowWaitsBy: 'connection' | 'transaction';
  /** How XA RECOVER writes ids that are no text: both parts as one number (`convert xid`), or as in XA COMMIT (`format = 'SQL'`). */
  listsPreparedIds: 'in hexadecimal' | 'as in a statement';

  // What runs

  /**
   * Where the better list of connections is. MySQL's in information_schema cannot be read while anybody runs a statement with a character
   * beyond U+FFFF; since 8.0.22 it has another. MariaDB's always can.
   */
  listsConnectionsIn: 'performance_schema' | 'information_schema';
  /** Each statement in the list of connections has a number of its own (query_id). MySQL only says for how many seconds each has run. */
  numbersStatements: boolean;
  /**
   * A transaction that lies idle can have a limit of its own (idle_transaction_timeout and its like). On MySQL only a connection has one,
   * whatever it is in (wait_timeout).
   */
  limitsIdleTransactions: boolean;
  /**
   * What becomes of a recursive query that has gone as many steps as it may: an error (cte_max_recursion_depth), or the rows that it has by
   * then, and a warning (max_recursive_iterations).
   */
  longRecursion: 'fails' | 'is cut short';
  /** The modes in its default `sql_mode` beside those that make it strict: what users' SQL counts on. */
  usualModes: readonly string[];
  /** Any account may set for itself how many warnings are kept (max_error_count). MySQL wants a privilege. */
  letsSetErrorCount: boolean;
  /**
   * A prepared INSERT … SELECT has been looked at whole. MariaDB looks for the columns that are named of its table only when it makes a plan:
   * for EXPLAIN, or for running it.
   */
  checksPreparedInserts: boolean;

  // Tables, as the catalog has them

  /**
   * The name of a CHECK is its schema's, as that of a foreign key is: no other table may have it, LIKE makes up another, and one that is
   * made of the table's name goes with that. On MariaDB it is the table's alone, and LIKE copies it.
   */
  checkNamesAreOfSchema: boolean;
  /** RENAME refuses a table of whose constraints one, made of its name (`t_ibfk_1`), would be called longer than 64 characters then. */
  limitsNamesMadeOfTables: boolean;
  /** SHOW CREATE TABLE has a geometry's reference system (SRID). MariaDB keeps its REF_SYSTEM_ID to itself. */
  showsReferenceSystems: boolean;
  /** SHOW CREATE TABLE has options that a strict server would not take again (innodb_strict_mode). */
  showsRefusedOptions: boolean;
  /**
   * Any account may set for itself how a `timestamp` without a default is read (explicit_defaults_for_timestamp): while that is off, a text
   * gives it one on both, and on MySQL an ALTER, too. (MariaDB: since 10.6.9.) MySQL is not relied upon: early releases of 8.0 want a
   * privilege for it, 9.7 does not.
   */
  letsSetTimestampDefaults: boolean;
  /**
   * information_schema has the bodies of triggers with their strings unescaped: a quote in one would end it. MariaDB's are as they were
   * written, with `?` for each character beyond U+FFFF.
   */
  listsTriggersUnescaped: boolean;
  /**
   * REPEATABLE READ holds for information_schema, too: a transaction has the catalog as it was at its first look, while triggers fire as
   * they are now. MariaDB's says what is there.
   */
  repeatsCatalogReads: boolean;
  /** InnoDB's own list of foreign keys (innodb_sys_foreign) has the names of files: `caf@0p` for `café`. MySQL's (innodb_foreign) has those of tables. */
  listsForeignKeysByFileNames: boolean;
  /**
   * information_schema keeps what it says of a table's next number for a day (information_schema_stats_expiry), and of one that nobody has
   * opened since the server started, it says the last number for the next.
   */
  remembersNextNumbers: boolean;
  /** Can give a table without a primary key one that nobody sees unless he asks to. (MySQL: since 8.0.30.) */
  makesHiddenKeys: boolean;

  // Accounts

  /** How many roles an account may have active: several that add to its grants, or one that has grants of its own. */
  activeRoles: 'several' | 'one';
  /** While a role is active, all grants count whose patterns fit a schema; else one alone. MySQL 9; for earlier ones nobody has looked. */
  addsUpGrantsOfRoles: boolean;
  /** What is granted on all schemas may be taken back for one, and schemas are named by no patterns then (where partial_revokes is on). */
  revokesInPart: boolean;
  /** Grants may be everybody's (PUBLIC). (MariaDB: since 10.11.) */
  grantsToPublic: boolean;

  /** What it calls what both have. */
  words: {
    /** Variables of a session: how what runs outside a transaction is isolated, and whether it only reads. (MariaDB knows MySQL's since 11.1.) */
    isolation: 'transaction_isolation' | 'tx_isolation';
    readOnly: 'transaction_read_only' | 'tx_read_only';
    /** How long a statement may take: on MySQL those that only read, on MariaDB all. 0: as long as it needs. */
    statementLimit: 'max_execution_time' | 'max_statement_time';
    /** SHOW … STATUS, which lists the channels of a replica, named ones too. (MySQL: `replica` since 8.0.22.) */
    allChannels: 'replica' | 'slave' | 'all slaves';
    /** The privilege that it takes. */
    seesChannels: 'replication client' | 'slave monitor';
  };
}

/** Whether the server is of this release (`8.0.22`) or a later one. */
type Since = (release: string) => boolean;

const mysql = (since: Since): FlavourFacts => ({
  renamesLockedTables: true,
  listsTableLocks: true,
  listsRowWaitsBy: 'connection',
  listsPreparedIds: 'in hexadecimal',
  listsConnectionsIn: since('8.0.22') ? 'performance_schema' : 'information_schema',
  numbersStatements: false,
  limitsIdleTransactions: false,
  longRecursion: 'fails',
  usualModes: ['ONLY_FULL_GROUP_BY', 'NO_ZERO_IN_DATE', 'NO_ZERO_DATE'],
  letsSetErrorCount: false,
  checksPreparedInserts: true,
  checkNamesAreOfSchema: true,
  limitsNamesMadeOfTables: true,
  showsReferenceSystems: true,
  showsRefusedOptions: false,
  letsSetTimestampDefaults: false,
  listsTriggersUnescaped: true,
  repeatsCatalogReads: true,
  listsForeignKeysByFileNames: false,
  remembersNextNumbers: true,
  makesHiddenKeys: since('8.0.30'),
  activeRoles: 'several',
  addsUpGrantsOfRoles: since('9'),
  revokesInPart: true,
  grantsToPublic: false,
  words: {
    isolation: 'transaction_isolation',
    readOnly: 'transaction_read_only',
    statementLimit: 'max_execution_time',
    allChannels: since('8.0.22') ? 'replica' : 'slave',
    seesChannels: 'replication client',
  },
});

const mariadb = (since: Since): FlavourFacts => ({
  renamesLockedTables: false,
  listsTableLocks: false,
  listsRowWaitsBy: 'transaction',
  listsPreparedIds: 'as in a statement',
  listsConnectionsIn: 'information_schema',
  numbersStatements: true,
  limitsIdleTransactions: true,
  longRecursion: 'is cut short',
  usualModes: [],
  letsSetErrorCount: true,
  checksPreparedInserts: false,
  checkNamesAreOfSchema: false,
  limitsNamesMadeOfTables: false,
  showsReferenceSystems: false,
  showsRefusedOptions: true,
  letsSetTimestampDefaults: since('10.6.9'),
  listsTriggersUnescaped: false,
  repeatsCatalogReads: false,
  listsForeignKeysByFileNames: true,
  remembersNextNumbers: false,
  makesHiddenKeys: false,
  activeRoles: 'one',
  addsUpGrantsOfRoles: false,
  revokesInPart: false,
  grantsToPublic: since('10.11'),
  words: {
    isolation: 'tx_isolation',
    readOnly: 'tx_read_only',
    statementLimit: 'max_statement_time',
    allChannels: 'all slaves',
    seesChannels: 'slave monitor',
  },
});

export const FLAVOURS = { MySQL: mysql, MariaDB: mariadb };
