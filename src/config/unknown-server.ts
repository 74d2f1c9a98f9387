import { ConfigurationError } from '../errors.ts';
import type { ConnectionDefinition } from './definition.ts';
import type { Problem } from './problem.ts';
import type { YamlFile } from './yaml-file.ts';

/** A connection whose URL is not set, and does not say otherwise which server it is of. */
export type UnknownServer = Pick<ConnectionDefinition, 'name'> & { variables: string };

/** The variables of a URL as it is written, for people: its other parts may be secret. */
export const variablesIn = (written: string): string =>
  [...written.matchAll(/\$\{([A-Za-z_]\w*)/g)].map(([, name]) => name).join(', ');

/** Said beside what is found in the SQL: as another server's it may be right, or wrong in other places. */
export function unknownServerWarning({ name, variables }: UnknownServer, yaml: YamlFile): Problem {
  return {
    ...yaml.place(['connections', name, 'url']),
    message: `${variables} is not set, and nothing else says which server \`${name}\` is on: the SQL of its loads is read as PostgreSQL's`,
    next: advice(name, variables),
    severity: 'warn',
  };
}

/** For what cannot be right on two servers. */
export function unknownServerError({ name, variables }: UnknownServer, what: string): ConfigurationError {
  return new ConfigurationError(`${variables} is not set, and nothing else says which server ${name} is on: ${what}`, {
    where: `connection ${name}`,
    next: advice(name, variables),
  });
}

const advice = (name: string, variables: string): string =>
  `Set ${variables}: where no database is asked, postgres://, mysql:// or mariadb:// with any host is enough. Or write the tables of ${name} to schema/${name}.sql (.mysql.sql, .mariadb.sql).`;
