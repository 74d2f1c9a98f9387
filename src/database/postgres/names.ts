import { formatTableName, parseTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';
import type { TableName } from './snapshot/table-name.ts';

/** `a"b` → `"a""b"`; plain lower-case names stay as they are, so that plans and logs read well. */
export const quoteName = (name: string): string => formatTableName({ schema: undefined, name }, postgresSql);

/**
 * A table of a load's file, with its schema: without one it is of `public`, whatever `search_path` is. That may be another one for each
 * transaction, and all of them must mean the same table.
 */
export function withSchema(table: string): TableName {
  const { schema, name } = parseTableName(table, postgresSql);
  return { schema: schema ?? 'public', name };
}

/** A canonical table name with its schema, quoted part by part. */
export const quoteTable = (table: string): string => formatTableName(withSchema(table), postgresSql);

/** A text constant, for the few places where the protocol binds nothing. */
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;
