import { mariadbSql, mysqlSql } from '../sql/mysql.ts';
import { postgresSql } from '../sql/postgres.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import type { ConnectionDefinition } from './definition.ts';

const BY_SCHEME: Record<ConnectionDefinition['scheme'], SqlDialect> = {
  postgres: postgresSql,
  mysql: mysqlSql,
  mariadb: mariadbSql,
};

/** How SQL is read that runs on this connection. One that is not declared is reported where it is named. */
export function sqlDialectOf(connections: Record<string, ConnectionDefinition>, connection: string): SqlDialect {
  return BY_SCHEME[connections[connection]?.scheme ?? 'postgres'];
}

/** A URL that is empty, because its variable is not set, or wrong, is taken for PostgreSQL's. */
export const schemeOf = (url: string): ConnectionDefinition['scheme'] => writtenScheme(url) ?? 'postgres';

/** Undefined: this text does not say which server it is of, as `${WAREHOUSE_URL}` does not. */
export function writtenScheme(url: string): ConnectionDefinition['scheme'] | undefined {
  const scheme = /^(?:(postgres)(?:ql)?|(mysql|mariadb)):/.exec(url);
  return (scheme?.[1] ?? scheme?.[2]) as ConnectionDefinition['scheme'] | undefined;
}
