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
}

/** A statement whose body holds semicolons of its own. `statement` is tested as in `Refusal`. */
export interface CompoundForm {
  statement: RegExp;
  /** Words that open the body, in order; and those that nest one level deeper inside it; and the word that closes. */
  opens: readonly string[];
  nests: readonly string[];
  closes: string;
}

/** How one server reads and takes SQL: facts only, so that lexer, splitting, rendering and lint ask and never guess. */
export interface SqlDialect {
  /** The server's name as its makers write it, for messages. */
  title: string;

  quotes: readonly QuoteForm[];
  /** `$$…$$` and `$tag$…$tag$`: matches the opening delimiter; sticky. */
  dollarQuote?: RegExp;
  /** A comment up to the end of the line; sticky. Which characters end the line is part of the fact. */
  lineComment: RegExp;
  /** Block comments inside block comments count. */
  nestedComments: boolean;
  /** White space; sticky. */
  space: RegExp;
  /** An unquoted name; sticky. */
  word: RegExp;
  /** A numeric literal; sticky. */
  number: RegExp;
  /** A run of operator characters; sticky. The lexer cuts it where a comment starts. */
  operator: RegExp;
  /** Positional parameters, which belong to the renderer; sticky. */
  positional?: RegExp;
  /** Commands of the server's own command-line program (`\copy`), never SQL; sticky. */
  clientCommand?: { opens: RegExp; program: string };
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
  /** Words that must be quoted to be a name on their own (after a dot they need not). */
  reservedWords: ReadonlySet<string>;
  /** The server silently cuts names that are longer. */
  maxNameBytes: number;
  /** Where an unqualified table name is looked up unless someone changed it. */
  defaultSchema?: string;
  /** Functions that make one row of many. */
  aggregates: ReadonlySet<string>;

  /** The n-th bound value, n from 1. */
  placeholder(n: number): string;
  /** One placeholder may stand at several places of a statement. */
  placeholdersRepeat: boolean;
  cast(expression: string, type: string): string;
  /** Statements that may hold bound values. Tested as in `Refusal`. */
  bindsValues: RegExp;
  refusals: readonly Refusal[];
  compounds: readonly CompoundForm[];
  /** Statements in which `;` may stand inside parentheses. Tested as in `Refusal`. */
  parenthesizedLists?: RegExp;
}
