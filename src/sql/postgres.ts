import type { SqlDialect } from './dialect.ts';
import { postgresRefusals } from './postgres-refusals.ts';
import { POSTGRES_AGGREGATES, POSTGRES_RESERVED_WORDS } from './postgres-words.ts';
import { lowerCase } from './token.ts';

/** White space with a line break, `--` comments allowed: what may stand between two pieces of one literal (scan.l). */
const CONTINUATION = /(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'/y;

function nameOf(text: string): string {
  if (text.startsWith('"')) return text.slice(1, -1).replaceAll('""', '"');
  if (/^u&"/i.test(text)) return unescapeUnicode(text.slice(3, -1).replaceAll('""', '"'));
  return lowerCase(text);
}

/** `U&"d\0061t"`: with the default escape character; `UESCAPE` is not followed. */
function unescapeUnicode(text: string): string {
  return text.replace(/\\(?:\\|\+([0-9a-f]{6})|([0-9a-f]{4}))/gi, (whole, six?: string, four?: string) => {
    const code = Number.parseInt(six ?? four ?? '', 16);
    return Number.isNaN(code) || code > 0x10ffff ? whole.slice(1) : String.fromCodePoint(code);
  });
}

/**
 * PostgreSQL's SQL, after its own scanner (src/backend/parser/scan.l) with `standard_conforming_strings = on`. Every
 * character beyond ASCII is a letter there, a non-breaking space too.
 */
export const postgresSql: SqlDialect = {
  title: 'PostgreSQL',
  quotes: [
    { kind: 'string', opens: /[eE]'/y, closes: "'", backslashEscapes: true, continues: CONTINUATION },
    { kind: 'string', opens: /(?:[bBxXnN]|[uU]&)?'/y, closes: "'", backslashEscapes: false, continues: CONTINUATION },
    { kind: 'quoted', opens: /(?:[uU]&)?"/y, closes: '"', backslashEscapes: false },
  ],
  dollarQuote: /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y,
  lineComment: /--[^\n\r]*/y,
  nestedComments: true,
  space: /[ \t\n\r\f\v]+/y,
  word: /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y,
  number:
    /0x(?:_?[0-9a-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+|(?:\d(?:_?\d)*(?:\.(?!\.)(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?/iy,
  operator: /[~!@#^&|`?+\-*/%<>=]+/y,
  positional: /\$\d+/y,
  clientProgram: { name: 'psql', commands: /\\\S*/y, variables: true },
  slices: true,
  pairFunctions: new Set(['json_object', 'json_objectagg']),

  nameOf,
  quoteName: (name) => `"${name.replaceAll('"', '""')}"`,
  plainName: /^[a-z_][a-z0-9_$]*$/,
  reservedWords: POSTGRES_RESERVED_WORDS,
  foldName: (name) => name,
  nameForm: 'Write table or schema.table; a name with capitals, spaces or dots stands in double quotes.',
  noThirdPart: 'a connection reaches one database only',
  longestName: { size: 63, unit: 'bytes' },
  defaultSchema: 'public',
  aggregates: POSTGRES_AGGREGATES,
  catalogSchema: 'pg_catalog',
  wordsBeforeTable: ['join', 'into', 'update', 'table', 'using', 'truncate', 'lock', 'copy', 'analyze', 'references'],
  insertWords: ['insert'],
  writeModifiers: ['only'],

  placeholder: (n) => `$${n}`,
  placeholdersRepeat: true,
  cast: (expression, type) => `${expression}::${type}`,
  instant: (iso) => iso,
  bindsValues:
    /^(?:\( )*(?:select|insert|update|delete|merge|with|values|table|explain|call|declare|create (?:(?:global |local )?temp(?:orary)? |unlogged )?table .* as (?:\( )*(?:select|with|values|table)\b)/,
  refusals: postgresRefusals,
  insertsOnce: /\bon conflict\b/,
  compounds: [
    {
      statement: /^create (?:or replace )?(?:function|procedure) /,
      opens: ['begin', 'atomic'],
      nests: ['case'],
      closes: 'end',
    },
  ],
  parenthesizedLists: /^create (?:or replace )?rule /,
};
