import { Databases } from '../database/databases.ts';
import type { Database } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import type { DevServerKind } from './dev-server-kind.ts';

/** The server does not take a schema file, and says why. `where`: the file, with line and column where they are known. */
export const schemaRefused = (cause: Error, where: string): ConfigurationError =>
  new ConfigurationError(cause.message, {
    where,
    next: 'correct the file: it makes the tables of a new database for development',
    cause,
  });

/** A database of a server of ours, for as long as the work takes. */
export async function withDatabase<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const scheme = new URL(url).protocol.slice(0, -1) as DevServerKind;
  const connection = { name: 'dev', url, scheme, maxConnections: 3, controlSchema: 'waybill' };
  const databases = new Databases({ dev: connection });
  try {
    return await work(databases.get('dev'));
  } finally {
    await databases.close();
  }
}
