import type { SqlSource } from '../config/definition.ts';
import type { SqlDialect } from './dialect.ts';
import { findRefusal, refuse } from './refuse.ts';
import { splitTokens } from './split.ts';
import { isCode, isMark, type Token } from './token.ts';

/** `:name` in a statement. Offsets are half-open in `Statement.text`; line and column stand in the file. */
export interface ParameterUse {
  /** Without the colon: `batch_id`, `params.region`. */
  name: string;
  start: number;
  end: number;
  line: number;
  column: number;
}

/** `{{ table }}` in a statement. Offsets as in `ParameterUse`. */
export interface BraceUse {
  /** Normalized: `acq.flight`. */
  table: string;
  /** `{{ table | all }}`: not cut to the chunk. */
  all: boolean;
  start: number;
  end: number;
  line: number;
  column: number;
}

/** One statement of a source, not yet rendered. */
export interface Statement {
  /** As written, its comments too (they may be optimizer hints), without white space around it and without `;`. */
  text: string;
  file: string;
  /** Of the first code token, 1-based in the file: where a message about the whole statement points. */
  line: number;
  column: number;
  /** All tokens of `text`: their texts make it up, `start` and `end` are offsets in it. */
  tokens: Token[];
  parameters: ParameterUse[];
  braces: BraceUse[];
  /** First keyword, lower-case, opening parentheses skipped: insert, with, select, create …; '' when there is none. */
  verb: string;
  /** How it was read. */
  dialect: SqlDialect;
  /** It commits what stands before it in the transaction, and itself: only a step holds such a statement. */
  commitsByItself: boolean;
}

/** Where SQL stands: in what a batch does in transactions of its own (stages, checks), or in a `before` or `after` step. */
export type SqlPlace = 'batch' | 'step';

/**
 * Reads a source's statements. Splits on `;`, ignores empty statements. Throws `SqlError` (file:line:column and a remedy)
 * for text that does not lex, and for statements that the engine must not send: in a `step` those may stand that commit by
 * themselves. Whether the parameters' names are known is asked by `checkParameters`.
 */
export function parseStatements(source: SqlSource, dialect: SqlDialect, place: SqlPlace = 'batch'): Statement[] {
  const statements: Statement[] = [];
  // One at a time: a refused COPY is reported before its data would be read as SQL.
  for (const tokens of splitTokens(source, dialect)) {
    const statement = assemble(source.file, tokens, dialect);
    refuse(statement, place);
    statements.push(statement);
  }
  return statements;
}

function assemble(file: string, all: Token[], dialect: SqlDialect): Statement {
  const tokens = withoutOuterSpace(all);
  const base = tokens[0]!.start;
  for (const token of tokens) {
    token.start -= base;
    token.end -= base;
  }
  const code = tokens.filter(isCode);
  const first = code[0]!;
  const verb = code.find((token) => !isMark(token, '('));
  return {
    text: tokens.map((token) => token.text).join(''),
    file,
    line: first.line,
    column: first.column,
    tokens,
    parameters: code.filter(({ kind }) => kind === 'parameter').map((token) => ({ name: token.value, ...span(token) })),
    braces: code
      .filter(({ kind }) => kind === 'brace')
      .map((token) => ({ table: token.value, all: token.all, ...span(token) })),
    verb: verb?.keyword ?? '',
    dialect,
    commitsByItself: findRefusal(tokens, dialect)?.commitsByItself === true,
  };
}

function span({ start, end, line, column }: Token) {
  return { start, end, line, column };
}

function withoutOuterSpace(tokens: Token[]): Token[] {
  const first = tokens.findIndex(({ kind }) => kind !== 'space');
  const last = tokens.findLastIndex(({ kind }) => kind !== 'space');
  return tokens.slice(first, last + 1);
}
