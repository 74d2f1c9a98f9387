import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lex } from '../../src/sql/lexer.ts';
import { mysqlDialect, mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import { renderStatement } from '../../src/sql/render.ts';
import type { SqlDialect } from '../../src/sql/dialect.ts';
import { SqlError } from '../../src/sql/sql-error.ts';
import { joined, postgresFragments, type Fragment } from './fragments.ts';
import { mysqlFragments } from './mysql-fragments.ts';
import { parse, parseOne, source, tokens } from './parse.ts';

/** Anything: characters that mean something to the lexer, and some that do not. */
const soup = fc
  .array(
    fc.constantFrom(
      ...`'"$:;-/*\\ \n\r\te[](){}|ab1.éE&U_+?#@,\`!M\0`.split(''),
      '$$',
      '{{',
      '}}',
      '--',
      '/*',
      '*/',
      '::',
      ':x',
      '/*!',
      '/*!40101',
    ),
    {
      maxLength: 25,
    },
  )
  .map((pieces) => pieces.join(''));

/** The tokens, or undefined for text that is refused. */
function tokensOf(text: string, dialect: SqlDialect) {
  try {
    return tokens(text, dialect);
  } catch (error) {
    if (error instanceof SqlError) return undefined;
    throw error;
  }
}

const readings = [
  { name: postgresSql.title, dialect: postgresSql, fragments: postgresFragments },
  { name: mysqlSql.title, dialect: mysqlSql, fragments: mysqlFragments },
];

describe.each(readings)('in the SQL of $name', ({ dialect, fragments: { literal, gap, code, parameter, brace } }) => {
  const fragments = fc.array(fc.oneof(literal, parameter, brace, code), { maxLength: 6 });
  const select: Fragment = { text: 'select', parameters: [], braces: [] };
  const statement = fc
    .tuple(fragments, fc.array(gap, { minLength: 1, maxLength: 3 }))
    .map(([pieces, gaps]) => joined([select, ...pieces], gaps));

  test('lexing loses nothing: the texts of the tokens make up the source', () => {
    fc.assert(
      fc.property(soup, (text) => {
        const found = tokensOf(text, dialect);
        fc.pre(found !== undefined);
        expect(found.map((token) => token.text).join('')).toBe(text);
        expect(found.every(({ start, end }) => text.slice(start, end).length === end - start && end > start)).toBe(
          true,
        );
      }),
      { numRuns: 2000 },
    );
  });

  test('line and column of each token lead back to it', () => {
    const place = fc.record({ line: fc.integer({ min: 1, max: 50 }), column: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(statement, place, ({ text }, { line, column }) => {
        const lines = text.split('\n');
        for (const token of lex({ ...source(text), line, column }, dialect)) {
          const rest = [lines[token.line - line]!.slice(token.column - column), ...lines.slice(token.line - line + 1)];
          expect(rest.join('\n').startsWith(token.text)).toBe(true);
        }
      }),
    );
  });

  test('only real parameters, braces and separators are found, whatever stands in strings, comments and names', () => {
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 4 }), (statements) => {
        const found = parse(statements.map(({ text }) => text).join(';'), dialect);
        expect(found).toHaveLength(statements.length);
        for (const [i, { parameters, braces }] of found.entries()) {
          expect(parameters.map(({ name }) => name)).toEqual(statements[i]!.parameters);
          expect(braces.map(({ table }) => table)).toEqual(statements[i]!.braces);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('splitting and joining again keeps the statements', () => {
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 4 }), (statements) => {
        const once = parse(statements.map(({ text }) => text).join('\n;\n'), dialect).map(({ text }) => text);
        expect(once).toEqual(statements.map(({ text }) => text.replace(/[ \t\n\r\f\v]+$/, '')));
        expect(parse(once.join('\n;\n'), dialect).map(({ text }) => text)).toEqual(once);
      }),
    );
  });

  test('a value never reaches the text: placeholders stand for it, and all else stays as written', () => {
    const value = fc.string({ minLength: 1, maxLength: 12 }).map((text) => `«${text}»`);
    fc.assert(
      fc.property(
        statement,
        fc.array(value, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        ({ text }, values, cast) => {
          const parsed = parseOne(text, dialect);
          const given: unknown[] = [];
          const next = (): unknown => {
            given.push(values[given.length % values.length]);
            return given.at(-1);
          };
          const rendered = renderStatement(
            parsed,
            {
              parameter: (_use, bind) => bind(next(), cast ? 'text' : undefined),
              brace: (_use, bind) => `(select ${bind(next())})`,
            },
            dialect,
          );
          expect(rendered.text).not.toContain('«');
          if (dialect.placeholdersRepeat) expect(new Set(rendered.values)).toEqual(new Set(given));
          else expect(rendered.values).toEqual(given);
          // Taking out what was put in leaves the statement without its parameters and braces.
          const without = (whole: string, spans: { start: number; end: number }[]) =>
            spans.reduceRight((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), whole);
          const uses = [...parsed.parameters, ...parsed.braces].sort((a, b) => a.start - b.start);
          expect(without(rendered.text, rendered.replaced)).toBe(without(parsed.text, uses));
        },
      ),
    );
  });
});

test.each([{ ansiQuotes: true }, { noBackslashEscapes: true }, { ansiQuotes: true, noBackslashEscapes: true }])(
  'lexing loses nothing when the mode is %j',
  (reading) => {
    fc.assert(
      fc.property(soup, (text) => {
        const found = tokensOf(text, mysqlDialect('MySQL', reading));
        fc.pre(found !== undefined);
        expect(found.map((token) => token.text).join('')).toBe(text);
      }),
      { numRuns: 500 },
    );
  },
);
