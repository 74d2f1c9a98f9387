import type { Token } from './token.ts';

/** One way to write a quoted thing. A doubled closing quote inside stands for one, in every dialect that we know. */
export interface QuoteForm {
  kind: 'string' | 'quoted';
  /** Matches prefix and opening quote; sticky. */
  opens: RegExp;
  closes: string;
  /** A backslash takes the next character's meaning away. */
  backslashEscapes: boolean;
  /** What may stand between this literal's end and a further piece of it; sticky, up to and with the next quote. */
  continues?: RegExp;
}

/** A statement that users may not write, found by its words, and what to say. */
export interface Refusal {
  /** Tested against the statement's `codeText`. */
  statement: RegExp;
  /** Completes "… cannot stand in a load's SQL: ". */
  why: string;
  /** What to do instead, a sentence. */
  next: string;
  /** The words that it is about, where those are not the statement's first ones. */
  named?: string;
  /** The statement commits by itself whatever stands before it: a step may hold it, and then runs at least once. */
  commitsByItself?: true;
  /** A step may hold it, and then does it at least once: done again, it leaves what it left before. */
  repeatable?: true;
}

/** A statement whose body holds semicolons of its own. `statement` is tested as in `Refusal`. */
export interface CompoundForm {
  statement: RegExp;
  /** Words that open the body, in order; and those that nest one level deeper inside it; and the word that closes. */
  opens: readonly string[];
  nests: readonly string[];
  closes: string;
  /** Words of blocks that are not counted: right after the closing word they say that it closed one of those (`end if`). */
  uncounted?: readonly string[];
}

/** Comments whose content servers run as SQL: some of them everywhere, some on certain versions only. */
export interface ExecutedComments {
  /** Matches what opens one, its version too; sticky. Each closes with the next `*` + `/` in code. */
  opens: RegExp;
  /** Matches those of these openers that every server of the family obeys. */
  everywhere: RegExp;
}

/** The server's own command-line program: what it takes for itself is no SQL. */
export interface ClientProgram {
  name: string;
  /** Its commands, wherever they stand; sticky. */
  commands: RegExp;
  /** Its commands where a statement starts, and what to do instead, a sentence; sticky. */
  opening?: { commands: RegExp; next: string };
  /** It puts its own variables in for `:'x'` and `:"x"`. */
  variables: boolean;
}

/** How one server reads and takes SQL: facts only, so that lexer, splitting, rendering and lint ask and never guess. */
export interface SqlDialect {
  /** The server's name as its makers write it, for messages. */
  title: string;
  /** `mysql`: the file `x.mysql.sql` beside `x.sql` is read instead. */
  fileVariant?: string;

  quotes: readonly QuoteForm[];
  /** `$$…$$` and `$tag$…$tag$`: matches the opening delimiter; sticky. */
  dollarQuote?: RegExp;
  /** A comment up to the end of the line; sticky. Which characters end the line is part of the fact. */
  lineComment: RegExp;
  /** Block comments inside block comments count. */
  nestedComments: boolean;
  executedComments?: ExecutedComments;
  /** White space; sticky. */
  space: RegExp;
  /** An unquoted name; sticky. */
  word: RegExp;
  /** An unquoted name that versions of the server read differently; sticky. */
  contestedWord?: RegExp;
  /** A numeric literal; sticky. */
  number: RegExp;
  /** A variable with its sign (`@x`, `@@session.x`); sticky. */
  variable?: RegExp;
  /** A run of operator characters; sticky. The lexer cuts it where a comment starts. */
  operator: RegExp;
  /** Positional parameters, which belong to the renderer; sticky. */
  positional?: RegExp;
  clientProgram: ClientProgram;
  /** `[1:2]` is an array slice. */
  slices: boolean;
  /** Functions whose arguments are written `key : value`. */
  pairFunctions: ReadonlySet<string>;

  /** The name that an unquoted or quoted token stands for. */
  nameOf(text: string): string;
  /** The name in quotes. */
  quoteName(name: string): string;
  /** Unquoted text that stands for exactly itself. */
  plainName: RegExp;
  /** Words, in lower case, that must be quoted to be a name on their own (after a dot they need not). */
  reservedWords: ReadonlySet<string>;
  /** Two names that fold to one text may be one name on some server of the family, by a setting that only it knows. */
  foldName(name: string): string;
  /** Two names of columns that fold to one text are one to every server of the family, whatever is set there. */
  foldColumn(name: string): string;
  /** How a person writes a table's name, a sentence; and why it has no third part, half of one. */
  nameForm: string;
  noThirdPart: string;
  /** The longest name that the server keeps whole; it cuts longer ones silently, or refuses them late. */
  longestName: { size: number; unit: 'bytes' | 'characters' };
  /** A character that it makes `?` of in a name, with a note at most. */
  unnameable?: RegExp;
  /** The schema of a table that a load's file names without one. */
  defaultSchema?: string;
  /** The statement that gives a table a column which the server numbers, or has it number one that is there. */
  numberColumn(table: string, column: string, how: 'add' | 'alter'): string;
  /** `offset` may be a column's bare name: it skips rows only as in `limit 1 offset 2` and `offset 2 rows`. */
  offsetIsName: boolean;
  /** `/` of whole numbers leaves the rest out. */
  divisionTruncates: boolean;
  /** `||` may be `or`, and `&&` is `and`. */
  logicalSigns: boolean;
  /** Functions that make one row of many. */
  aggregates: ReadonlySet<string>;
  /** The schema in which built-in functions can be named. */
  catalogSchema?: string;

  /** Words after which a table's name stands, in any statement. */
  wordsBeforeTable: readonly string[];
  /** Words that insert rows. */
  insertWords: readonly string[];
  /** Words that may stand between a verb and the table that it writes to, besides `into` and `from`: `update only t`. */
  writeModifiers: readonly string[];

  /** The n-th bound value, n from 1. */
  placeholder(n: number): string;
  /** Placeholders name their value: one may stand at several places, in any order. If not, the n-th takes the n-th value. */
  placeholdersRepeat: boolean;
  cast(expression: string, type: string): string;
  /** Whether the server takes a placeholder at this token, and no cast of one; undefined: nowhere. */
  takesBareValue?: (tokens: readonly Token[], at: number) => boolean;
  /** An instant (ISO text in UTC) as a bound value, for a session whose time zone is UTC. */
  instant(iso: string): string;
  /** Statements that may hold bound values. Tested as in `Refusal`. */
  bindsValues: RegExp;
  /**
   * The time of this instant (an expression, in UTC) in the time zone of the session, for statements of a load that has one
   * (`session_params: { time_zone }`): the session is in it for no other statement. Undefined: a time zone is a setting like others.
   */
  localTime?: (utc: string) => string;
  refusals: readonly Refusal[];
  /** The function that does what SET does, `f('name', 'value', …)`: what may not be set so may not be set by it either. */
  setsByCall?: string;
  /** The server's view whose rows are the settings, which an UPDATE of it changes. */
  settingsView?: string;
  /** Inserts that leave alone, or overwrite, rows that are there already. Tested as in `Refusal`. */
  insertsOnce: RegExp;
  /** Statements of which something outlives their transaction on the connection: a temporary table, a variable. Tested as in `Refusal`. */
  leavesBehind: RegExp;
  /** Statements of which something lasts to the end of their transaction, and no longer. Tested as in `Refusal`; absent: none. */
  untilCommit?: RegExp;
  compounds: readonly CompoundForm[];
  /** Statements in which `;` may stand inside parentheses. Tested as in `Refusal`. */
  parenthesizedLists?: RegExp;
}
