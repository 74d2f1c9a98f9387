/** A server that `waybill dev` can bring, by the scheme of its URL. */
export type DevServerKind = 'postgres' | 'mysql' | 'mariadb';

/**
 * `schema/<connection>` + ending makes the tables of a new database, and says on which server. In this order: a connection that has
 * files for several gets the first.
 */
export const SCHEMA_ENDINGS: Record<DevServerKind, string> = {
  postgres: '.sql',
  mysql: '.mysql.sql',
  mariadb: '.mariadb.sql',
};

export const DEV_SERVER_KINDS = Object.keys(SCHEMA_ENDINGS) as DevServerKind[];

export const SERVER_TITLES = {
  postgres: 'PostgreSQL',
  mysql: 'MySQL',
  mariadb: 'MariaDB',
} as const satisfies Record<DevServerKind, string>;
