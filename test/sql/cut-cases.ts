/** Statements of a cut stage with what is to be found in them, on each dialect. */
import { expect, test } from 'vitest';
import type { SqlDialect } from '../../src/sql/dialect.ts';
import { mariadbSql, mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import { dialects } from './parse.ts';

/** A statement with what is found; of some dialects only. */
export type Case = [text: string, found?: string[], only?: SqlDialect[]];

export const PG = [postgresSql];
export const MY = [mysqlSql, mariadbSql];

/** `find` looks, under a key of these columns. */
export const testing =
  (find: (text: string, dialect: SqlDialect, key?: string[]) => string[]) =>
  (cases: Case[], key?: string[]): void => {
    for (const dialect of dialects) {
      const own = cases.filter(([, , only]) => only === undefined || only.includes(dialect));
      test.each(own)(`${dialect.title}: %s`, (text, found = []) => {
        expect(find(text, dialect, key)).toEqual(found);
      });
    }
  };
