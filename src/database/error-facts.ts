import pg from 'pg';
import type { Database, Dialect, ErrorFacts } from './dialect.ts';
import { mysqlDialect } from './mysql/dialect.ts';
import { postgresDialect } from './postgres/dialect.ts';

/**
 * What an error is, by the words of the family whose server gave it: an activity that writes to one database asks the source of an
 * acquisition, too. What no server gave (the network, ourselves) goes by the words of `database`.
 */
export function errorFacts(error: unknown, database: Pick<Database, 'dialect'> | undefined): ErrorFacts | undefined {
  return (dialectOf(error) ?? database?.dialect)?.classify(error);
}

function dialectOf(error: unknown): Pick<Dialect, 'classify'> | undefined {
  if (error instanceof pg.DatabaseError) return postgresDialect;
  return error instanceof Error && 'sqlState' in error ? mysqlDialect : undefined;
}
