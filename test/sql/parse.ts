import { postgresSql } from '../../src/sql/postgres.ts';
import { renderStatement, type RenderedStatement } from '../../src/sql/render.ts';
import { SqlError } from '../../src/sql/sql-error.ts';
import { parseStatements, type Statement } from '../../src/sql/statement.ts';
import { lex } from '../../src/sql/lexer.ts';
import type { Token } from '../../src/sql/token.ts';

/** The text as a file of its own. */
export function source(text: string) {
  return { text, file: 'load.sql', line: 1, column: 1 };
}

export function parse(text: string): Statement[] {
  return parseStatements(source(text), postgresSql);
}

/** The only statement of the text. */
export function parseOne(text: string): Statement {
  const [statement, ...more] = parse(text);
  if (statement === undefined || more.length > 0) throw new Error(`not one statement: ${text}`);
  return statement;
}

export function tokens(text: string): Token[] {
  return [...lex(source(text), postgresSql)];
}

/** What reading the text is refused with. */
export function refusal(text: string): SqlError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof SqlError) return error;
    throw error;
  }
  throw new Error(`not refused: ${text}`);
}

/** Parameters bind `<name>`, braces become `(rows of <table>)`. */
export function render(text: string, cast?: string): RenderedStatement {
  const renderer = {
    parameter: ({ name }: { name: string }, bind: (value: unknown, cast?: string) => string) => bind(`<${name}>`, cast),
    brace: ({ table }: { table: string }) => `(rows of ${table})`,
  };
  return renderStatement(parseOne(text), renderer, postgresSql);
}
