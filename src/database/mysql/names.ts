import { formatTableName, normalizeTableName } from '../../sql/names.ts';
import { mysqlSql } from '../../sql/mysql.ts';

/** `` a`b `` → `` `a``b` ``; plain names that are no reserved word stay as they are, so that plans and logs read well. */
export const quoteName = (name: string): string => formatTableName({ schema: undefined, name }, mysqlSql);

/** A canonical table name, quoted part by part. Throws `ConfigurationError` for more than 64 characters a part. */
export const quoteTable = (table: string): string => normalizeTableName(table, mysqlSql);

/** A text constant, for the few statements that bind nothing; for our own sessions, in which a backslash escapes. */
export const quoteText = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
