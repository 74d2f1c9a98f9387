/** What a test asks of its server that each says in its own way. Statements take one value, `$1`, where they say so. */
export interface ServerWords {
  family: 'postgres' | 'mysql';
  /** Whether the table `$1` (its schema) . `$2` is there. */
  exists: string;
  /** Numbers of Waybill's connections to this server that sleep in a statement, in the column `id`. */
  sleepers: string;
  /** The same of all of Waybill's connections to this world's warehouse. */
  ours: string;
  /** Numbers of all connections to this server, in the column `id`. */
  connections: string;
  /** The same of lanes, whatever they are at. */
  lanes: string;
  /** The same of the connection that asks. */
  self: string;
  /** The same of lanes that run a statement now, or are between two of a chunk. */
  lanesAtWork: string;
  /** The same of Waybill's that run a statement or have a transaction open, but for those that sleep in one. */
  atWork: string;
  /** The same of those that wait for a lock. */
  waiting: string;
  /** Which table has the name `$1` . `$2`, whatever it was called before. */
  identity: string;
  /** Begins a transaction that is alone in the gate of this batch, until it ends. */
  shutGate(batchId: string): string;
  /** How the server tells of a connection that holds a table, of this application: a regular expression. */
  holder: (application: string) => string;
  /** Ends the connection of this number. */
  end(id: string): string;
  /** What the server says of a division by zero, as a chunk's message gives it. */
  divisionByZero: string;
  /** What it says of the error of `comingAgain` (orders.ts), with its text and without. */
  comesAgain: { inLedger: string; inHistory: string };
}

const POSTGRES: ServerWords = {
  family: 'postgres',
  exists: `select to_regclass(format('%I.%I', $1::text, $2::text)) is not null`,
  sleepers: `select pid as id from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()
             and application_name like 'waybill%'`,
  ours: `select pid as id from pg_stat_activity where application_name like 'waybill%' and datname = current_database()`,
  connections: 'select pid as id from pg_stat_activity',
  lanes: `select pid as id from pg_stat_activity
          where application_name like 'waybill % lane %' and datname = current_database()`,
  self: 'select pg_backend_pid() as id',
  lanesAtWork: `select pid as id from pg_stat_activity where application_name like 'waybill % lane %'
                and datname = current_database() and state <> 'idle'`,
  atWork: `select pid as id from pg_stat_activity where xact_start is not null and datname = current_database()
           and application_name like 'waybill%' and wait_event is distinct from 'PgSleep'`,
  waiting: `select distinct l.pid as id from pg_locks l join pg_stat_activity a on a.pid = l.pid
            where not l.granted and a.datname = current_database()`,
  identity: `select format('%I.%I', $1::text, $2::text)::regclass::oid::text`,
  shutGate: (batchId) => `begin isolation level read committed;
    select pg_advisory_xact_lock(hashtextextended('waybill:${batchId}', 0))`,
  holder: (application) => `connection \\d+ \\(\\w+, ${application}, query \\d+ s\\)`,
  end: (id) => `select pg_terminate_backend(${id})`,
  divisionByZero: 'division by zero (SQLSTATE 22012)',
  comesAgain: {
    inLedger: 'come again (SQLSTATE 40001)',
    inHistory: 'the SQL raised an exception of its own; its text stands in the ledger (SQLSTATE 40001)',
  },
};

/** All databases of one test begin alike; within a trigger or function a connection is in that one's. */
const OURS = 'left(p.db, 10) = left(database(), 10)';

/** Not of information_schema, which cannot be read while another test runs a statement with a character beyond U+FFFF. */
const PROCESSES = 'performance_schema.processlist';
const WITH_TRANSACTION = `(select t.processlist_id from performance_schema.threads t
  join performance_schema.events_transactions_current e on e.thread_id = t.thread_id where e.state = 'ACTIVE')`;

const MYSQL: ServerWords = {
  family: 'mysql',
  exists: 'select count(*) = 1 from information_schema.tables where table_schema = $1 and table_name = $2',
  sleepers: `select p.id from ${PROCESSES} p where p.state = 'User sleep' and ${OURS}`,
  ours: `select p.id from ${PROCESSES} p where ${OURS} and p.id <> connection_id()`,
  connections: `select id from ${PROCESSES}`,
  lanes: `select p.id from ${PROCESSES} p join waybill.lane l on l.connection_id = p.id`,
  self: 'select connection_id() as id',
  lanesAtWork: `select p.id from ${PROCESSES} p join waybill.lane l on l.connection_id = p.id
                where p.command <> 'Sleep' or p.id in ${WITH_TRANSACTION}`,
  atWork: `select p.id from ${PROCESSES} p where ${OURS} and p.id <> connection_id()
           and coalesce(p.state, '') <> 'User sleep'
           and (p.command <> 'Sleep' or p.id in ${WITH_TRANSACTION})`,
  waiting: `select p.id from ${PROCESSES} p where ${OURS}
            and (p.state like 'Waiting for table%' or
                 p.id in (select t.processlist_id from performance_schema.data_lock_waits w
                          join performance_schema.threads t on t.thread_id = w.requesting_thread_id))`,
  identity: `select table_id from information_schema.innodb_tables where name = concat($1, '/', $2)`,
  shutGate: (batchId) => `begin; select state from waybill.batch where batch_id = ${batchId} for update`,
  holder: POSTGRES.holder,
  end: (id) => `kill ${id}`,
  divisionByZero: 'Division by 0 (error 1365)',
  comesAgain: { inLedger: 'come again (error 1020)', inHistory: 'come again (error 1020)' },
};

/** It has neither, and its information_schema has no such characters. */
const asMariadb = <T>(words: T): T =>
  (typeof words === 'string'
    ? words
        .replaceAll(PROCESSES, 'information_schema.processlist')
        .replaceAll(WITH_TRANSACTION, '(select trx_mysql_thread_id from information_schema.innodb_trx)')
    : words) as T;

const MARIADB: ServerWords = {
  ...(Object.fromEntries(Object.entries(MYSQL).map(([name, words]) => [name, asMariadb(words)])) as typeof MYSQL),
  waiting: `select p.id from information_schema.processlist p where ${OURS}
            and (p.state like 'Waiting for table%' or
                 p.id in (select trx_mysql_thread_id from information_schema.innodb_trx where trx_state = 'LOCK WAIT'))`,
  identity: MYSQL.identity.replace('innodb_tables', 'innodb_sys_tables'),
  // It tells nobody who holds a table: whoever has a transaction open may be the one, those of other tests too.
  holder: () => '(?:.*, )?connection \\d+ \\(\\w+, perhaps; \\w+, query \\d+ s\\)(?:, .*\\))?',
};

export function wordsAt(url: string): ServerWords {
  if (url.startsWith('postgres')) return POSTGRES;
  return url.startsWith('mariadb') ? MARIADB : MYSQL;
}
