/** What a test asks of its server that each says in its own way. Statements take one value, `$1`, where they say so. */
export interface ServerWords {
  family: 'postgres' | 'mysql';
  /** Whether the table `$1` (its schema) . `$2` is there. */
  exists: string;
  /** Numbers of Waybill's connections to this server that sleep in a statement, in the column `id`. */
  sleepers: string;
  /** Numbers of all connections to this server, in the column `id`. */
  connections: string;
  /** The same of lanes that run a statement now, or are between two of a chunk. */
  lanesAtWork: string;
  /** The same of those that wait for a lock. */
  waiting: string;
  /** Which table has the name `$1` . `$2`, whatever it was called before. */
  identity: string;
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
  connections: 'select pid as id from pg_stat_activity',
  lanesAtWork: `select pid as id from pg_stat_activity where application_name like 'waybill % lane %'
                and datname = current_database() and state <> 'idle'`,
  waiting: 'select pid as id from pg_locks where not granted',
  identity: `select format('%I.%I', $1::text, $2::text)::regclass::oid::text`,
  end: (id) => `select pg_terminate_backend(${id})`,
  divisionByZero: 'division by zero (SQLSTATE 22012)',
  comesAgain: {
    inLedger: 'come again (SQLSTATE 40001)',
    inHistory: 'the SQL raised an exception of its own; its text stands in the ledger (SQLSTATE 40001)',
  },
};

const MYSQL: ServerWords = {
  family: 'mysql',
  exists: 'select count(*) = 1 from information_schema.tables where table_schema = $1 and table_name = $2',
  sleepers: `select p.id from information_schema.processlist p where p.state = 'User sleep' and p.db = database()`,
  connections: 'select id from information_schema.processlist',
  lanesAtWork: `select p.id from information_schema.processlist p join waybill.lane l on l.connection_id = p.id
                where p.command <> 'Sleep' or p.id in (select trx_mysql_thread_id from information_schema.innodb_trx)`,
  waiting: `select p.id from information_schema.innodb_trx t join information_schema.processlist p
            on p.id = t.trx_mysql_thread_id where t.trx_state = 'LOCK WAIT' and p.db = database()`,
  identity: `select table_id from information_schema.innodb_tables where name = concat($1, '/', $2)`,
  end: (id) => `kill ${id}`,
  divisionByZero: 'Division by 0 (error 1365)',
  comesAgain: { inLedger: 'come again (error 1020)', inHistory: 'come again (error 1020)' },
};

const MARIADB: ServerWords = { ...MYSQL, identity: MYSQL.identity.replace('innodb_tables', 'innodb_sys_tables') };

export function wordsAt(url: string): ServerWords {
  if (url.startsWith('postgres')) return POSTGRES;
  return url.startsWith('mariadb') ? MARIADB : MYSQL;
}
