import { describe, expect, test } from 'vitest';
import { mariadbSql, mysqlDialect, mysqlSql } from '../../src/sql/mysql.ts';
import { isCode } from '../../src/sql/token.ts';
import { parse, parseOne, refusal, tokens } from './parse.ts';

/** The noise that must be read as text wherever it stands inside of something. */
const NOISE = ':x ; {{ t }} ? $1';

const whole: [string, string, string][] = [
  ['a string', `'${NOISE}'`, 'string'],
  ['a string in double quotes', `"${NOISE}"`, 'string'],
  ['a doubled quote', `'it''s ${NOISE}'`, 'string'],
  ['a doubled double quote', `"a "" ${NOISE}"`, 'string'],
  ['the other quote', `"it's ${NOISE}"`, 'string'],
  ['an escaped quote', `'\\' ${NOISE}'`, 'string'],
  ['an escaped double quote', `"\\" ${NOISE}"`, 'string'],
  ['two backslashes before the end', `'${NOISE}\\\\'`, 'string'],
  ['a national string', `N'\\' ${NOISE}'`, 'string'],
  ['a hexadecimal literal', `x'1F'`, 'number'],
  ['a bit literal', `B'01'`, 'number'],
  ['a NUL in a string', `'a\0b'`, 'string'],
  ['a name in backticks', `\`${NOISE}\``, 'quoted'],
  ['a backtick in a name', `\`a \`\` ${NOISE}\``, 'quoted'],
  ['a backslash at the end of a name', `\`${NOISE}\\\``, 'quoted'],
  ['a comment with dashes', `-- ${NOISE} '`, 'comment'],
  ['a comment with dashes and a tab', `--\t${NOISE} '`, 'comment'],
  ['dashes at the end', '--', 'comment'],
  ['a comment with a hash', `#${NOISE} '`, 'comment'],
  ['a carriage return in a comment', `# a\r${NOISE} '`, 'comment'],
  ['a block comment', `/* ${NOISE} ' */`, 'comment'],
  ['a block comment that only looks nested', `/* /* ${NOISE} */`, 'comment'],
  ['an optimizer hint', `/*+ NO_MERGE(t) ${NOISE} */`, 'comment'],
  ['a name with a dollar sign', 'a$b$c', 'word'],
  ['a name that begins with digits', '2024_flights', 'word'],
  ['a name like a number', '1e', 'word'],
  ['a name like a hexadecimal number', '0x1G', 'word'],
  ['a capital X, which makes no number', '0X1F', 'word'],
  ['a name beyond ASCII', 'größe\u00a0x', 'word'],
  ['a number', '12', 'number'],
  ['a fraction', '1.5', 'number'],
  ['a fraction without a whole', '.5', 'number'],
  ['a fraction without an end', '5.', 'number'],
  ['an exponent', '1.5e-5', 'number'],
  ['a hexadecimal number', '0x1F', 'number'],
  ['a binary number', '0b01', 'number'],
  ['an assignment', ':=', 'operator'],
  ['a path into JSON', '->', 'operator'],
  ['a text path into JSON', '->>', 'operator'],
  ['an equality that takes NULL', '<=>', 'operator'],
  ['a user variable', '@row', 'variable'],
  ['a user variable with dots', '@a.b$c_1', 'variable'],
  ['a system variable', '@@sql_mode', 'variable'],
  ["a session's variable", '@@session.sql_mode', 'variable'],
];

describe.each([mysqlSql, mariadbSql])('the lexer for $title', (dialect) => {
  test.each(whole)('reads %s as one token', (_what, text, kind) => {
    expect(tokens(text, dialect)).toMatchObject([{ text, kind }]);
  });

  const parts: [string, string, string[]][] = [
    ['takes dashes without space for minuses', '1--:x', ['1', '-', '-', ':x']],
    ['finds the comment in a row of dashes', '1---- :x\n:y', ['1', '-', '-', '-- :x', ':y']],
    ['starts a block comment inside of an operator', 'a*/*:x*/:y', ['a', '*', '/*:x*/', ':y']],
    ['closes a comment that only looks nested at its first end', '/* /* */ :x', ['/* /* */', ':x']],
    ['keeps the line feed out of a comment', '# a\r:x\n:y', ['# a\r:x', ':y']],
    ['does not end a string at an escaped quote', `'\\'' :x`, [`'\\''`, ':x']],
    ['leaves strings beside each other apart', `'a' "b" :x`, [`'a'`, `"b"`, ':x']],
    ['leaves an introducer before its string', `_utf8mb4'\\'' :x`, ['_utf8mb4', `'\\''`, ':x']],
    ['writes no quote twice in a hexadecimal literal', `x'41''\\'' :x`, [`x'41'`, `'\\''`, ':x']],
    ['leaves an introducer before its number', '_binary 0x1F', ['_binary', '0x1F']],
    [
      'sees no national string after a dot',
      "`t`.n'\\':x', t.X'1F'",
      ['`t`', '.', 'n', "'\\':x'", ',', 't', '.', 'X', "'1F'"],
    ],
    ['sees no national string inside of a name', `an'\\':x'`, ['an', `'\\':x'`]],
    ['reads a parameter after an assignment', '@n:=:x', ['@n', ':=', ':x']],
    ['reads a parameter after a JSON operator', "a->>'$.b'=:x", ['a', '->>', "'$.b'", '=', ':x']],
    ['reads a parameter in brackets of JSON and in calls', 'json_array(:x,:y)', 'json_array ( :x , :y )'.split(' ')],
    ['reads a parameter after a key', "json_object('k',:x)", ['json_object', '(', "'k'", ',', ':x', ')']],
    ['reads names after dots, digits too', 'a.1e5.select.2', ['a', '.', '1e5', '.', 'select', '.', '2']],
    ['reads a number after a dot that no name is before', '`a`.5', ['`a`', '.5']],
    ['ends a number at its exponent', '1e5x', ['1e5', 'x']],
    ['leaves an account in three', "root@localhost 'a'@'%'", ['root', '@localhost', "'a'", '@', "'%'"]],
    ['leaves a lone colon alone', 'a : b :1', ['a', ':', 'b', ':', '1']],
    ['runs what every server runs', 'a/*! :x */b', ['a', '/*!', ':x', '*/', 'b']],
    ['runs what MySQL 5.0 ran', "/*!50032 ':y' :x*/", ['/*!50032', "':y'", ':x', '*/']],
    ['skips comments inside of it', '/*! a /* :x */ -- */\n b */', '/*!|a|/* :x */|-- */|b|*/'.split('|')],
    ['ends it at the first end in code', "/*! '*/' 2*/3", ['/*!', "'*/'", '2', '*/', '3']],
  ];
  test.each(parts)('%s', (_title, text, expected) => {
    const code = tokens(text, dialect).filter(({ kind }) => kind !== 'space');
    expect(code.map((token) => token.text)).toEqual(expected);
  });

  test('gives names as they are written, and keywords in lower case', () => {
    const named = tokens('SELECT Flight.`Fl``ight`, GRÖSSE', dialect).filter(isCode);
    const names = named.filter(({ kind }) => kind === 'word' || kind === 'quoted');
    expect(names.map(({ value }) => value)).toEqual(['SELECT', 'Flight', 'Fl`ight', 'GRÖSSE']);
    expect(names.map(({ keyword }) => keyword)).toEqual(['select', 'flight', '', 'grÖsse']);
  });

  const unclosed: [string, string, string][] = [
    ['string', "'abc\\'", 'this string is never closed'],
    ['string in double quotes', '"abc', 'this string is never closed'],
    ['quoted name', '`abc\\``', 'this quoted name is never closed'],
    ['block comment', '/* /* ', 'this comment is never closed'],
    ['comment that is run', '/*! 1 ', 'this comment is never closed'],
    ['comment that is run and holds a semicolon', '/*! 1; */', 'this comment is still open where the statement ends'],
    ['brace', '{{ acq.flight }', 'this {{ is never closed by }}'],
  ];
  test.each(unclosed)('names the place where an unclosed %s starts', (_what, text, message) => {
    const error = refusal(`select 1,\n  ${text}\n\n`, dialect);
    expect(error).toMatchObject({ name: 'SqlError', message, where: 'load.sql:2:3' });
    expect(error.next).toMatch(/^(Close|Write)/);
  });

  const refused: [string, string, string, RegExp][] = [
    ['a placeholder', 'select\n ?', 'load.sql:2:2', /:batch_id/],
    ['a placeholder that the server would not count', 'select ?x', 'load.sql:1:8', /:batch_id/],
    ['a command of mysql in a later line', 'select 1\n\\G', 'load.sql:2:1', /Take it out/],
    ['DELIMITER', 'select 1; delimiter $$\n', 'load.sql:1:11', /every statement ends with ;/],
    ['DELIMITER in capitals', 'DELIMITER //', 'load.sql:1:1', /every statement ends with ;/],
    ['SOURCE', '-- more\nsource more.sql', 'load.sql:2:1', /listed under sql:/],
    ['what MySQL 9 reads as a dollar quote', 'select $$a$$', 'load.sql:1:8', /in quotes: `\$\$a\$\$`/],
    ['a name with a dollar sign in front', 'select a.$b', 'load.sql:1:10', /in quotes: `\$b`/],
    ['a comment that MariaDB skips', 'select 1 /*!50700 + 1 */', 'load.sql:1:10', /Write the SQL itself/],
    ['a comment for new versions', 'select 1 /*!80016 + 1 */', 'load.sql:1:10', /Write the SQL itself/],
    ['a version of six digits', 'select 1 /*!100000 + 1 */', 'load.sql:1:10', /Write the SQL itself/],
    ['a version of too few digits', 'select 1 /*!4010 + 1 */', 'load.sql:1:10', /Write the SQL itself/],
    ['a comment for MariaDB', 'select 1 /*M! + 1 */', 'load.sql:1:10', /Write the SQL itself/],
    ['a comment for versions of MariaDB', 'select 1 /*M!100000 + 1 */', 'load.sql:1:10', /Write the SQL itself/],
    ['comments that are run, one in the other', 'select /*! 1 /*! + 1 */ */', 'load.sql:1:14', /Close/],
    ['a NUL', 'select 1 -- a\0b', 'load.sql:1:14', /UTF-8/],
    ['braces that close nothing', 'select }}', 'load.sql:1:8', /Write \{\{ table \}\}/],
  ];
  test.each(refused)('refuses %s', (_what, text, where, next) => {
    const error = refusal(text, dialect);
    expect(error.where).toBe(where);
    expect(error.next).toMatch(next);
  });

  test('lets columns be called delimiter and source', () => {
    expect(parse('select a,\n delimiter, source from t', dialect)).toHaveLength(1);
  });
});

describe('with NO_BACKSLASH_ESCAPES', () => {
  const dialect = mysqlDialect('MySQL', { noBackslashEscapes: true });

  test.each([`'${NOISE}\\'`, `"${NOISE}\\"`, `N'${NOISE}\\'`])('a backslash escapes nothing: %s', (text) => {
    expect(tokens(text, dialect)).toMatchObject([{ text, kind: 'string' }]);
  });
});

describe('with ANSI_QUOTES', () => {
  const dialect = mysqlDialect('MySQL', { ansiQuotes: true });

  test('double quotes hold a name, in which a backslash stands for itself', () => {
    const text = `"Fl""ight ${NOISE}\\"`;
    expect(tokens(text, dialect)).toMatchObject([{ text, kind: 'quoted', value: `Fl"ight ${NOISE}\\` }]);
    expect(parseOne('select * from {{ "acq"."flight" }} f', dialect).braces).toMatchObject([{ table: 'acq.flight' }]);
  });

  test('single quotes still hold strings, with backslashes', () => {
    expect(tokens(`'\\' ${NOISE}'`, dialect)).toMatchObject([{ kind: 'string' }]);
  });
});
