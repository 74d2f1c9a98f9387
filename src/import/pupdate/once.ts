/** Statements that run once, whole: what they mean for the server. */
import { mysqlSql } from '../../sql/mysql.ts';
import { findRefusal } from '../../sql/refuse.ts';
import { isMark, isWord, type Token } from '../../sql/token.ts';
import type { TakeNote } from './note.ts';
import { livesOnConnection, noteEmptying, type PieceStatement } from './piece-statements.ts';

/**
 * The steps in which a task does its statements where one of them commits by itself (`truncate`, `alter`, `optimize` …), which
 * no stage can hold; none where none does. Each is a step of its own, so that it is not done again for the sake of another one, unless
 * they need one and the same connection.
 */
export function stepsOf(name: string, statements: PieceStatement[], note: TakeNote): string[] {
  const committing = statements.find(({ tokens }) => findRefusal(tokens, mysqlSql)?.commitsByItself === true);
  if (committing === undefined) return [];
  note(
    'changed',
    committing.piece.at,
    `${name}: \`${committing.text}\` commits by itself, so it stands under before, and is done at least once`,
  );
  for (const statement of statements) noteEmptying(statement, note);
  return statements.some(livesOnConnection) ? [committing.piece.text.trim()] : statements.map(({ text }) => text);
}

/** Whether it writes as many rows as a table has, for all that can be seen: one transaction holds them all. */
export function changesWholeTables({ code }: PieceStatement): boolean {
  const outer = outsideParentheses(code);
  const at = outer.findIndex((token) => isWord(token, 'select', 'update', 'delete', 'insert', 'replace'));
  if (isWord(outer[at], 'update', 'delete')) return true;
  if (!isWord(outer[at], 'insert', 'replace')) return false;
  const rows = outer.slice(at).find((token) => isWord(token, 'values', 'value', 'set', 'select', 'with', 'table'));
  return !isWord(rows, 'values', 'value', 'set') && code.some((token) => isWord(token, 'from', 'table'));
}

function outsideParentheses(code: Token[]): Token[] {
  let depth = 0;
  return code.filter((token) => {
    if (isMark(token, ')')) depth -= 1;
    const outside = depth === 0;
    if (isMark(token, '(')) depth += 1;
    return outside;
  });
}
