import { describe, expect, test } from 'vitest';
import { postgresSql } from '../../src/sql/postgres.ts';
import { parseStatements } from '../../src/sql/statement.ts';
import { isCode } from '../../src/sql/token.ts';
import { parseOne, refusal, tokens } from './parse.ts';

/** The noise that must be read as text wherever it stands inside of something. */
const NOISE = ':x ; {{ t }} $1';

const whole: [string, string, string][] = [
  ['a plain string', `'${NOISE}'`, 'string'],
  ['a doubled quote inside a string', `'it''s ${NOISE}'`, 'string'],
  ['a backslash at the end of a plain string', `'${NOISE}\\'`, 'string'],
  ['a backslash quote inside an E string', `E'\\' ${NOISE}'`, 'string'],
  ['two backslashes at the end of an E string', `e'${NOISE}\\\\'`, 'string'],
  ['an E string that goes on in the next line', `E'a'\n  '\\' ${NOISE}'`, 'string'],
  ['an E string that goes on after a comment', `E'a' -- it's\n  '\\' ${NOISE}'`, 'string'],
  ['a Unicode string', `U&'\\0041 ${NOISE}'`, 'string'],
  ['a bit string', `B'${NOISE}'`, 'string'],
  ['a hexadecimal string', `x'${NOISE}'`, 'string'],
  ['a national string', `N'${NOISE}'`, 'string'],
  ['an empty string', "''", 'string'],
  ['a dollar-quoted string', `$$ ${NOISE} ' $$`, 'string'],
  ['a tagged dollar-quoted string', `$tag$ $$ ${NOISE} $tag $tag$`, 'string'],
  ['a dollar quote with letters beyond ASCII', `$größe$ $größ$ ${NOISE}$größe$`, 'string'],
  ['a quoted name', `"${NOISE}"`, 'quoted'],
  ['a quoted name with a quote', `"a "" ${NOISE}"`, 'quoted'],
  ['a Unicode name', `U&"${NOISE}"`, 'quoted'],
  ['a line comment', `-- ${NOISE} '`, 'comment'],
  ['a block comment', `/* ${NOISE} ' */`, 'comment'],
  ['a nested block comment', `/* /* */ ${NOISE} /*/ */ */`, 'comment'],
  ['a name with a dollar sign', 'a$b$c', 'word'],
  ['a name beyond ASCII, a non-breaking space included', 'größe\u00a0x', 'word'],
  ['an exponent', '1e-5', 'number'],
  ['digits in groups', '1_000.5', 'number'],
  ['a hexadecimal number', '0x1F', 'number'],
  ['a cast', '::', 'operator'],
  ['an assignment', ':=', 'operator'],
  ['JSON operators', '?|', 'operator'],
  ['a JSON path operator', '#>>', 'operator'],
  ['a containment operator', '@>', 'operator'],
];

describe('the lexer', () => {
  test.each(whole)('reads %s as one token', (_what, text, kind) => {
    expect(tokens(text)).toMatchObject([{ text, kind }]);
  });

  const parts: [string, string, string[]][] = [
    ['ends a comment at a carriage return alone', '-- a\r:x', ['-- a', ':x']],
    ['starts a comment inside of an operator', '1+--:x\n:y', ['1', '+', '--:x', ':y']],
    ['starts a block comment inside of an operator', 'a*/*:x*/:y', ['a', '*', '/*:x*/', ':y']],
    ['sees no dollar quote inside of a name', 'a$$ :x', ['a$$', ':x']],
    ['sees a dollar quote after a number', '1$$ :x $$', ['1', '$$ :x $$']],
    ['sees no E string inside of a name', "ae'\\':x", ['ae', "'\\'", ':x']],
    [
      'ends an E string at its quote when the next string stands on the same line',
      "E'a' '\\' :x",
      ["E'a'", "'\\'", ':x'],
    ],
    ['reads a parameter after a cast', 'a::int,:x::int', ['a', '::', 'int', ',', ':x', '::', 'int']],
    [
      'reads a parameter after an assignment',
      'f(a := :x,b=>:y)',
      ['f', '(', 'a', ':=', ':x', ',', 'b', '=>', ':y', ')'],
    ],
    ['reads a dotted parameter', ':params.x_1+:y', [':params.x_1', '+', ':y']],
    ['reads a parameter after a JSON operator', 'a ?:x@>:y', ['a', '?', ':x', '@>', ':y']],
    ['leaves a lone colon alone', 'a : b :1', ['a', ':', 'b', ':', '1']],
    ['reads two dots between numbers', '1..2', ['1', '.', '.2']],
    ['skips a byte order mark', '\uFEFFselect', ['select']],
  ];
  test.each(parts)('%s', (_title, text, expected) => {
    const code = tokens(text).filter(({ kind }) => kind !== 'space');
    expect(code.map((token) => token.text)).toEqual(expected);
  });

  test('gives names as the server understands them', () => {
    const named = tokens('Flight "Fl""ight" U&"d\\0061t\\+000061" GRÖSSE').filter(isCode);
    expect(named.map(({ value }) => value)).toEqual(['flight', 'Fl"ight', 'data', 'grÖsse']);
  });

  const unclosed: [string, string, string][] = [
    ['string', "'abc :x;", 'this string is never closed'],
    ['E string whose end is escaped', "E'abc\\'", 'this string is never closed'],
    ['quoted name', '"abc', 'this quoted name is never closed'],
    ['block comment', '/* /* */ ', 'this comment is never closed'],
    ['dollar quote', '$a$ $$ $b$', 'this dollar-quoted string is never closed'],
    ['brace', '{{ acq.flight }', 'this {{ is never closed by }}'],
  ];
  test.each(unclosed)('names the place where an unclosed %s starts', (_what, text, message) => {
    const error = refusal(`select 1,\n  ${text}\n\n`);
    expect(error).toMatchObject({ name: 'SqlError', message, where: 'load.sql:2:3' });
    expect(error.next).toMatch(/^(Close|Write)/);
  });

  const refused: [string, string, string, RegExp][] = [
    ['a positional parameter', 'select\n $1', 'load.sql:2:2', /:batch_id/],
    ['a psql command at the start', '\\copy t from x', 'load.sql:1:1', /Take it out/],
    ['a psql command in a later line', 'select 1\n\\g', 'load.sql:2:1', /Take it out/],
    ['a psql variable in quotes', "select :'x'", 'load.sql:1:8', /Write :name/],
    ['a psql variable in double quotes', 'select * from :"x"', 'load.sql:1:15', /Write :name/],
    ['braces that close nothing', 'select }}', 'load.sql:1:8', /Write \{\{ table \}\}/],
  ];
  test.each(refused)('refuses %s', (_what, text, where, next) => {
    const error = refusal(text);
    expect(error.where).toBe(where);
    expect(error.next).toMatch(next);
  });

  test('leaves a parameter name whole when a dollar sign stands in it', () => {
    expect(parseOne('select :x$y$ from a').parameters).toMatchObject([{ name: 'x$y$' }]);
  });

  test('counts lines and columns from where the text stands in its file', () => {
    // A block scalar: YAML took four columns of indentation off each line.
    const inline = { text: 'select 1,\n:batch_id;\n\n  select :x', file: 'loads/a.yaml', line: 7, column: 5 };
    const statements = parseStatements(inline, postgresSql);
    const places = statements.flatMap(({ parameters, ...at }) =>
      [at, ...parameters].map((p) => `${p.line}:${p.column}`),
    );
    expect(places).toEqual(['7:5', '8:5', '10:7', '10:14']);
    const unclosed = { ...inline, text: "select 1,\n 'a" };
    expect(() => parseStatements(unclosed, postgresSql)).toThrow(
      expect.objectContaining({ where: 'loads/a.yaml:8:6' }),
    );
  });
});
