import type { SqlSource } from '../config/definition.ts';
import { ColonContext } from './colon.ts';
import type { SqlDialect } from './dialect.ts';
import { scanBrace } from './scan-brace.ts';
import { endOfBlockComment, endOfDollarQuoted, endOfQuoted, matchLength, quoteAt } from './scan-quoted.ts';
import { positionsIn, SqlError } from './sql-error.ts';
import { isCode, lowerCase, type Token, type TokenKind } from './token.ts';

/** What a rule found: the token's kind and end, and its value where it has one. */
type Found = { kind: TokenKind; end: number; value?: string; all?: boolean };

interface Reader {
  text: string;
  at: number;
  dialect: SqlDialect;
  colons: ColonContext;
  /** No code of the current statement has been read yet. */
  atStart: boolean;
  /** Where the comment opens whose content is being read as code. */
  executed: number | undefined;
  /** Throws, naming the place of `at`. Default: where the reader is. */
  fail: (message: string, next: string, at?: number) => never;
}

/** `$` belongs to it, as to any word: `:x$y` is an unknown parameter rather than `:x` and something else. */
const PARAMETER = /:[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*(?:\.[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)*/y;
const COMMENT_START = /--|\/\*/;

/** In this order: the first rule that finds something makes the token. */
const RULES = [
  space,
  lineComment,
  executedComment,
  blockComment,
  quoted,
  positional,
  dollarQuoted,
  number,
  word,
  variable,
  brace,
  colon,
  operator,
];

/**
 * Cuts SQL into tokens, one by one, so that a caller can refuse a statement before what follows it is read (COPY data, for
 * one, is no SQL). Nothing is lost: the tokens' texts make up the source. Throws `SqlError` for what is never closed, at
 * the place where it opens, and for `$1` and `?`, commands of psql or mysql, and malformed braces.
 */
export function* lex(source: SqlSource, dialect: SqlDialect): Generator<Token, void, undefined> {
  const locate = positionsIn(source);
  const { text, file } = source;
  const fail = (message: string, next: string, at = reader.at): never => {
    throw new SqlError(message, { file, ...locate(at) }, next);
  };
  const colons = new ColonContext(dialect);
  const reader: Reader = { text, at: 0, dialect, colons, atStart: true, executed: undefined, fail };
  while (reader.at < text.length) {
    const { kind, end, value = '', all = false } = nextToken(reader);
    const piece = text.slice(reader.at, end);
    const keyword = kind === 'word' ? lowerCase(piece) : '';
    const token = { kind, text: piece, start: reader.at, end, value, keyword, all, ...locate(reader.at) };
    if (isCode(token)) {
      reader.colons.passed(token);
      reader.atStart = piece === ';';
    }
    yield token;
    reader.at = end;
  }
  if (reader.executed !== undefined) fail(...UNCLOSED_COMMENT, reader.executed);
}

const UNCLOSED_COMMENT = ['this comment is never closed', 'Close it with */.'] as const;

function nextToken(reader: Reader): Found {
  for (const rule of RULES) {
    const found = rule(reader);
    if (found !== undefined) return found;
  }
  return punctuation(reader);
}

function space({ text, at, dialect }: Reader): Found | undefined {
  const byteOrderMark = at === 0 && text.startsWith('\uFEFF') ? 1 : 0;
  const end = at + byteOrderMark + matchLength(dialect.space, text, at + byteOrderMark);
  return end === at ? undefined : { kind: 'space', end };
}

function lineComment({ text, at, dialect }: Reader): Found | undefined {
  const length = matchLength(dialect.lineComment, text, at);
  return length === 0 ? undefined : { kind: 'comment', end: at + length };
}

/** What opens or closes a comment that the server runs. What stands between is read as the code that it is. */
function executedComment(reader: Reader): Found | undefined {
  const { text, at, dialect, executed, fail } = reader;
  if (dialect.executedComments === undefined) return undefined;
  if (executed !== undefined && text.startsWith('*/', at)) {
    reader.executed = undefined;
    return { kind: 'comment', end: at + 2 };
  }
  const { opens, everywhere } = dialect.executedComments;
  const length = matchLength(opens, text, at);
  if (length === 0) return undefined;
  const shown = text.slice(at, at + length);
  if (!everywhere.test(shown)) {
    const message = `${shown} … */ is SQL for some servers and a comment for others, by their make and version`;
    fail(message, 'Write the SQL itself, or leave it out; a comment opens with "/* ".');
  }
  if (executed !== undefined) fail(`${shown} stands inside another such comment`, 'Close that one first.');
  reader.executed = at;
  return { kind: 'comment', end: at + length };
}

function blockComment({ text, at, dialect, fail }: Reader): Found | undefined {
  if (!text.startsWith('/*', at)) return undefined;
  const end = endOfBlockComment(text, at, dialect.nestedComments);
  const [message, next] = UNCLOSED_COMMENT;
  const nesting = dialect.nestedComments ? ' Comments nest: each /* inside it needs its own */.' : '';
  return { kind: 'comment', end: end ?? fail(message, next + nesting) };
}

function quoted({ text, at, dialect, fail }: Reader): Found | undefined {
  const form = quoteAt(text, at, dialect);
  if (form === undefined) return undefined;
  const what = form.kind === 'string' ? 'this string' : 'this quoted name';
  const remedy = `Close it with ${form.closes} (inside it, a quote is written twice: ${form.closes}${form.closes}).`;
  const end = endOfQuoted(text, at, form) ?? fail(`${what} is never closed`, remedy);
  return { kind: form.kind, end, value: form.kind === 'quoted' ? dialect.nameOf(text.slice(at, end)) : '' };
}

function positional({ text, at, dialect, fail }: Reader): undefined {
  if (dialect.positional === undefined) return;
  const length = matchLength(dialect.positional, text, at);
  if (length === 0) return;
  const shown = text.slice(at, at + length);
  fail(`${shown}: positional parameters cannot be used`, 'Write a named one, such as :batch_id or :params.name.');
}

function dollarQuoted({ text, at, dialect, fail }: Reader): Found | undefined {
  const length = dialect.dollarQuote === undefined ? 0 : matchLength(dialect.dollarQuote, text, at);
  if (length === 0) return undefined;
  const delimiter = text.slice(at, at + length);
  const end = endOfDollarQuoted(text, at, delimiter);
  return {
    kind: 'string',
    end: end ?? fail('this dollar-quoted string is never closed', `Close it with ${delimiter}.`),
  };
}

function number({ text, at, dialect }: Reader): Found | undefined {
  const length = matchLength(dialect.number, text, at);
  return length === 0 ? undefined : { kind: 'number', end: at + length };
}

function word({ text, at, dialect, atStart, fail }: Reader): Found | undefined {
  const length = matchLength(dialect.word, text, at);
  if (length === 0) return undefined;
  const shown = text.slice(at, at + length);
  if (dialect.contestedWord !== undefined && matchLength(dialect.contestedWord, text, at) > 0) {
    const message = `${shown} is a name for some versions of ${dialect.title} and none for others`;
    fail(message, `Write a name in quotes: ${dialect.quoteName(shown)}.`);
  }
  const { name, opening } = dialect.clientProgram;
  if (atStart && opening !== undefined && matchLength(opening.commands, text, at) > 0) {
    fail(`${shown} is a command of ${name}, not SQL`, opening.next);
  }
  return { kind: 'word', end: at + length, value: dialect.nameOf(shown) };
}

function variable({ text, at, dialect }: Reader): Found | undefined {
  const length = dialect.variable === undefined ? 0 : matchLength(dialect.variable, text, at);
  if (length === 0) return undefined;
  return { kind: 'variable', end: at + length, value: text.slice(at, at + length).toLowerCase() };
}

function brace({ text, at, dialect, fail }: Reader): Found | undefined {
  if (text.startsWith('}}', at)) fail('this }} closes nothing', 'Write {{ table }}, or take it out.');
  if (!text.startsWith('{{', at)) return undefined;
  const found = scanBrace(text, at, dialect);
  if ('problem' in found) return fail(found.problem, found.next);
  return { kind: 'brace', end: found.end, value: found.table, all: found.all };
}

function colon({ text, at, dialect, colons, fail }: Reader): Found | undefined {
  if (text[at] !== ':') return undefined;
  const pair = text[at + 1];
  if (pair === ':' || pair === '=') return { kind: 'operator', end: at + 2 };
  if (colons.separates()) return { kind: 'operator', end: at + 1 };
  if (dialect.clientProgram.variables && (pair === "'" || pair === '"')) {
    const next =
      'Write :name; the value is bound, so it needs no quotes. (A separating colon takes a space: "key : value".)';
    fail(`:${pair}…${pair} is a variable of ${dialect.clientProgram.name}, not SQL`, next);
  }
  const length = matchLength(PARAMETER, text, at);
  if (length === 0) return { kind: 'operator', end: at + 1 };
  return { kind: 'parameter', end: at + length, value: text.slice(at + 1, at + length) };
}

function operator({ text, at, dialect }: Reader): Found | undefined {
  const length = matchLength(dialect.operator, text, at);
  if (length === 0) return undefined;
  const comment = text.slice(at, at + length).search(COMMENT_START);
  return { kind: 'operator', end: at + (comment > 0 ? comment : length) };
}

function punctuation({ text, at, dialect, executed, fail }: Reader): Found {
  const length = matchLength(dialect.clientProgram.commands, text, at);
  if (length > 0) {
    const shown = text.slice(at, at + length);
    const next = `Take it out: files are listed under sql:, values come from params:, rows from an acquisition.`;
    fail(`${shown} is a command of ${dialect.clientProgram.name}, not SQL`, next);
  }
  if (text[at] === '\0') fail('the text holds a NUL character', 'Save the file as UTF-8 text.');
  if (text[at] === ';' && executed !== undefined) {
    fail('this comment is still open where the statement ends', UNCLOSED_COMMENT[1], executed);
  }
  return { kind: 'punctuation', end: at + 1 };
}
