import { codeText } from '../../sql/code-text.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import { findRefusal } from '../../sql/refuse.ts';
import { splitTokens } from '../../sql/split.ts';
import { isCode, isWord, type Token } from '../../sql/token.ts';
import { refuseAt } from './careless-json.ts';
import type { Fragment, TakeNote } from './note.ts';

/** One statement of a text of the imported file. */
export interface PieceStatement {
  piece: Fragment;
  text: string;
  tokens: Token[];
  /** Without white space and comments. */
  code: Token[];
}

/** Throws with the piece's place for what cannot be split. */
export function statementsOf(piece: Fragment): PieceStatement[] {
  try {
    const source = { text: piece.text, file: '', line: 1, column: 1 };
    return [...splitTokens(source, mysqlSql)].map((tokens) => ({
      piece,
      text: textOf(tokens),
      tokens,
      code: tokens.filter(isCode),
    }));
  } catch (error) {
    return refuseAt(piece.at, `this SQL cannot be read: ${(error as Error).message}`, 'Mend the statement.');
  }
}

const textOf = (tokens: Token[]): string =>
  tokens
    .map(({ text }) => text)
    .join('')
    .trim();

/** Pupdate ran it without a question, and so do we: a person looks at it once. */
export function noteEmptying({ code, piece, text }: Omit<PieceStatement, 'tokens'>, note: TakeNote): void {
  if (isWord(code[0], 'truncate', 'delete', 'drop'))
    note('dangerous', piece.at, `it empties or removes a table: \`${text}\``);
}

/** One that makes what lasts as long as its connection, or needs it: a temporary table, a variable, a lock. */
export function livesOnConnection({ code, tokens }: Pick<PieceStatement, 'code' | 'tokens'>): boolean {
  const text = codeText(code);
  // What commits by itself has accounts (`u@host`) that look like variables; only a table is made of what variables hold.
  const readsValues =
    findRefusal(tokens, mysqlSql)?.commitsByItself !== true || /^create (?:or replace )?table\b/.test(text);
  return readsValues && mysqlSql.leavesBehind.test(text);
}
