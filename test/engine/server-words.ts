/** What a test asks of its server that each says in its own way. Statements take one value, `$1`, where they say so. */
export interface ServerWords {
  family: 'postgres' | 'mysql';
  /** Whether the table `$1` (its schema) . `$2` is there. */
  exists: string;
  /** Numbers of Waybill's connections to this server that sleep in a statement, in the column `id`. */
  sleepers: string;
  /** Numbers of all connections to this server, in the column `id`. */
  connections: string;
  /** Ends the connection of this number. */
  end(id: string): string;
  /** The number of this connection. */
  ownId: string;
  /** What the server says of a division by zero, as a chunk's message gives it. */
  divisionByZero: string;
}

const POSTGRES: ServerWords = {
  family: 'postgres',
  exists: `select to_regclass(format('%I.%I', $1::text, $2::text)) is not null`,
  sleepers: `select pid as id from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()
             and application_name like 'waybill%'`,
  connections: 'select pid as id from pg_stat_activity',
  end: (id) => `select pg_terminate_backend(${id})`,
  ownId: 'select pg_backend_pid()',
  divisionByZero: 'division by zero (SQLSTATE 22012)',
};

const MYSQL: ServerWords = {
  family: 'mysql',
  exists: 'select count(*) = 1 from information_schema.tables where table_schema = $1 and table_name = $2',
  sleepers: `select p.id from information_schema.processlist p where p.state = 'User sleep' and p.db = database()`,
  connections: 'select id from information_schema.processlist',
  end: (id) => `kill ${id}`,
  ownId: 'select connection_id()',
  divisionByZero: 'Division by 0 (error 1365)',
};

export const wordsAt = (url: string): ServerWords => (url.startsWith('postgres') ? POSTGRES : MYSQL);
