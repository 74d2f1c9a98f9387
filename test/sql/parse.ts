import type { SqlDialect } from '../../src/sql/dialect.ts';
import { mariadbSql, mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import { renderStatement, type RenderedStatement } from '../../src/sql/render.ts';
import { SqlError } from '../../src/sql/sql-error.ts';
import { parseStatements, type SqlPlace, type Statement } from '../../src/sql/statement.ts';
import { lex } from '../../src/sql/lexer.ts';
import type { Token } from '../../src/sql/token.ts';

/** For tests whose SQL is the same to every server. */
export const dialects: SqlDialect[] = [postgresSql, mysqlSql, mariadbSql];

/** The text as a file of its own. */
export function source(text: string) {
  return { text, file: 'load.sql', line: 1, column: 1 };
}

export function parse(text: string, dialect = postgresSql, place?: SqlPlace): Statement[] {
  return parseStatements(source(text), dialect, place);
}

/** The only statement of the text. */
export function parseOne(text: string, dialect = postgresSql, place?: SqlPlace): Statement {
  const [statement, ...more] = parse(text, dialect, place);
  if (statement === undefined || more.length > 0) throw new Error(`not one statement: ${text}`);
  return statement;
}

export function tokens(text: string, dialect = postgresSql): Token[] {
  return [...lex(source(text), dialect)];
}

/** What reading the text is refused with. */
export function refusal(text: string, dialect = postgresSql, place?: SqlPlace): SqlError {
  try {
    parse(text, dialect, place);
  } catch (error) {
    if (error instanceof SqlError) return error;
    throw error;
  }
  throw new Error(`not refused: ${text}`);
}

/** Parameters bind `<name>`, braces become `(rows of <table>)`. */
export function render(text: string, cast?: string, dialect = postgresSql): RenderedStatement {
  const renderer = {
    parameter: ({ name }: { name: string }, bind: (value: unknown, cast?: string) => string) => bind(`<${name}>`, cast),
    brace: ({ table }: { table: string }) => `(rows of ${table})`,
  };
  return renderStatement(parseOne(text, dialect), renderer, dialect);
}
