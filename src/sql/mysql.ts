import { takesBareValue } from './bare-values.ts';
import type { QuoteForm, SqlDialect } from './dialect.ts';
import { mysqlRefusals } from './mysql-refusals.ts';
import { MYSQL_AGGREGATES, MYSQL_RESERVED_WORDS } from './mysql-words.ts';

/**
 * Letters of Latin, Greek and Cyrillic: in a column's name their capitals are one with the small ones to both servers, as both say. (Not
 * here: İ, of whose small letter we make two.) Of other letters their tables have a part, and none is taken for one that a server may
 * keep apart.
 */
const SMALL_TOO = /[A-Z\u00c0-\u012f\u0132-\u01ff\u0386-\u03ab\u0400-\u042f]/g;

/** The parts of `sql_mode` that change how the server cuts text into tokens. Off: the server's default. */
export interface MysqlReading {
  /** `"a"` is a name, not a string. */
  ansiQuotes?: boolean;
  /** A backslash in a string stands for itself. */
  noBackslashEscapes?: boolean;
}

/**
 * The SQL of MySQL 8 and 9 and of MariaDB 10.6 and later, after their own scanner (sql/sql_lex.cc): where the two differ,
 * or versions of one, the text is refused rather than read in one of the ways. `title` is what messages call the server.
 *
 * The mode is a fact here and never asked of the server: text is read before anything is connected. Whoever opens a
 * connection therefore sets its `sql_mode` (without ANSI_QUOTES, NO_BACKSLASH_ESCAPES and ORACLE, unless `reading` says so)
 * and utf8mb4 as its character set: in others a backslash may be half of a letter.
 *
 * Names are kept as they are written. Whether case counts in them is the server's setting (lower_case_table_names).
 */
export function mysqlDialect(title: string, reading: MysqlReading = {}): SqlDialect {
  const { ansiQuotes = false, noBackslashEscapes = false } = reading;
  const backslashEscapes = !noBackslashEscapes;
  const inDoubleQuotes: QuoteForm = ansiQuotes
    ? { kind: 'quoted', opens: /"/y, closes: '"', backslashEscapes: false }
    : { kind: 'string', opens: /"/y, closes: '"', backslashEscapes };
  return {
    title,
    fileVariant: 'mysql',
    quotes: [
      { kind: 'string', opens: /'|(?<!\.)[nN]'/y, closes: "'", backslashEscapes },
      { kind: 'quoted', opens: /`/y, closes: '`', backslashEscapes: false },
      inDoubleQuotes,
    ],
    // Two dashes without white space or a control character after them are two minuses. Only a line feed ends a comment.
    lineComment: /#[^\n\0]*|--(?![^\0- \x7f])[^\n\0]*/y,
    nestedComments: false,
    // MariaDB takes versions for its own from 10.0 on (100000), and skips 5.7 to 9.99, which are MySQL's.
    executedComments: { opens: /\/\*(?:!|M!)\d*/y, everywhere: /^\/\*!(?:[0-4]\d{4}|50[0-6]\d\d)?$/ },
    space: /[ \t\n\v\f\r]+/y,
    word: /[\w$\u0080-\uffff]+/y,
    // MySQL 9 opens a text with `$tag$`, as PostgreSQL does; to MySQL 8 and MariaDB it is a name.
    contestedWord: /\$/y,
    // After a dot that a name stands directly before, digits are a name: `flights.2024`. Elsewhere `1e5` is a number, `1e` a
    // name. In x'1F' no quote is written twice and no backslash escapes, so it is no string either.
    number:
      /(?<![\w$\u0080-\uffff]\.)(?:0x[\da-fA-F]+(?![\w$\u0080-\uffff])|0b[01]+(?![\w$\u0080-\uffff])|(?:\d+\.\d*|(?<![\w$\u0080-\uffff])\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+(?![\w$\u0080-\uffff])|(?<!\.)(?:[xX]'[\da-fA-F]*'|[bB]'[01]*'))/y,
    // What stands in backticks behind `@@` is a variable of the server's, too.
    variable: /@@(?:[\w$\u0080-\uffff]+(?:\.[\w$\u0080-\uffff]+)*)?|@[\w$.\u0080-\uffff]+/y,
    operator: /->>?|<=>|<<|>>|<=|>=|<>|!=|&&|\|\||[~!^&|+\-*/%<>=]/y,
    positional: /\?/y,
    clientProgram: {
      name: 'mysql',
      commands: /\\(?!N\b)\S*/y, // \N is NULL to MariaDB
      opening: {
        commands: /(?:delimiter|source)(?![\w$\u0080-\uffff])/iy,
        next: 'Leave it out: every statement ends with ; (a routine after its end, too), and files are listed under sql:.',
      },
      variables: false,
    },
    slices: false,
    pairFunctions: new Set(),

    nameOf: (text) => {
      const quote = /^[`"]/.exec(text)?.[0];
      return quote === undefined ? text : text.slice(1, -1).replaceAll(quote + quote, quote);
    },
    quoteName: (name) => `\`${name.replaceAll('`', '``')}\``,
    plainName: /^[A-Za-z_][\w$]*$/,
    reservedWords: MYSQL_RESERVED_WORDS,
    foldName: (name) => name.toLowerCase(),
    foldColumn: (name) => name.replaceAll(SMALL_TOO, (letter) => letter.toLowerCase()),
    nameForm: 'Write table or database.table; a name with spaces, dots or dashes stands in backticks.',
    noThirdPart: 'a table has a database and a name',
    longestName: { size: 64, unit: 'characters' },
    unnameable: /[\u{10000}-\u{10FFFF}]/u,
    numberColumn: (table, column, how) =>
      `alter table ${table} ${how === 'add' ? 'add' : 'modify'} column ${column} bigint not null auto_increment, add unique (${column});`,
    offsetIsName: true, // MariaDB reserves the word, MySQL does not
    divisionTruncates: false,
    logicalSigns: true,
    aggregates: MYSQL_AGGREGATES,
    wordsBeforeTable: [
      'join',
      'straight_join',
      'into',
      'update',
      'delete',
      'table',
      'tables',
      'using',
      'truncate',
      'references',
    ],
    insertWords: ['insert', 'replace'],
    writeModifiers: ['low_priority', 'high_priority', 'delayed', 'quick', 'ignore'],

    placeholder: () => '?',
    placeholdersRepeat: false,
    // MySQL reads a parameter of a prepared statement that becomes a time as a date first: '12:09:01' as the 1st of September 12.
    cast: (expression, type) => `cast(${/^time\b/.test(type) ? `cast(${expression} as char)` : expression} as ${type})`,
    takesBareValue,
    // 2024-03-31T01:30:00.123Z: in strict mode neither server takes the Z, and MariaDB no offset.
    instant: (iso) => iso.replace(/^(\d{4}-\d\d-\d\d)T([\d:.]+)Z$/, '$1 $2'),
    localTime: (utc) => `convert_tz(${utc}, '+00:00', @@session.time_zone)`, // knows SYSTEM, too, without tables of zones
    bindsValues:
      /^(?:(?:\( )*(?:select|with|values|table)|(?:insert|replace|update|delete|explain|describe|desc|analyze|do)\b|set @|show .* where |create (?:or replace )?(?:temporary )?table .* (?:(?:as (?:\( )*)?select|as (?:\( )*(?:with|values|table))\b)/,
    refusals: mysqlRefusals,
    insertsOnce: /^(?:replace|insert (?:\w+ )?ignore)\b|\bon duplicate key\b/,
    leavesBehind: /^create (?:or replace )?temporary table\b|(?<!@)@(?!@)|\bget_lock \(/,
    compounds: [
      {
        statement:
          /^create (?:or replace )?(?:definer = (?:\S+ ){1,4})?(?:aggregate )?(?:procedure|function|trigger|event)\b/,
        opens: ['begin'],
        nests: ['begin', 'case'],
        closes: 'end',
        uncounted: ['if', 'loop', 'repeat', 'while', 'for'],
      },
    ],
  };
}

/** MySQL as Waybill connects to it: with the default way to read strings and quotes. */
export const mysqlSql: SqlDialect = mysqlDialect('MySQL');

/** MariaDB, connected to in the same way. */
export const mariadbSql: SqlDialect = mysqlDialect('MariaDB');
