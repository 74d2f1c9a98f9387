import { formatTableName, normalizeTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';

/** `a"b` → `"a""b"`; plain lower-case names stay as they are, so that plans and logs read well. */
export const quoteName = (name: string): string => formatTableName({ schema: undefined, name }, postgresSql);

/** A canonical table name, quoted part by part. */
export const quoteTable = (table: string): string => normalizeTableName(table, postgresSql);

/** A text constant, for the few places where the protocol binds nothing. */
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;
