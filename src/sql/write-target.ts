import type { SqlDialect } from './dialect.ts';
import { isMark, isWord, type Token } from './token.ts';

/** Whether rows are inserted into what stands at `at`: `insert into t`, and `insert ignore t` where that is the dialect's. */
export function isInsertTarget(code: Token[], at: number, dialect: SqlDialect): boolean {
  const into = beforeModifiers(code, at, dialect);
  const verb = isWord(code[into], 'into') ? beforeModifiers(code, into, dialect) : into;
  return isWord(code[verb], ...dialect.insertWords);
}

/** Whether a statement writes to what stands at `at`, so that a table must stand there and no query can. */
export function isWriteTarget(code: Token[], at: number, dialect: SqlDialect): boolean {
  if (isInsertTarget(code, at, dialect)) return true;
  const word = beforeModifiers(code, at, dialect);
  if (isWord(code[word], 'into')) return true;
  if (isWord(code[word], 'from')) return isWord(code[beforeModifiers(code, word, dialect)], 'delete');
  return isWord(code[word], 'update') && !isWord(code[word - 1], 'for', 'key') && isAloneBeforeSet(code, at);
}

/** The last code token before `at` that is none of the words which may stand between a verb and its table. */
function beforeModifiers(code: Token[], at: number, dialect: SqlDialect): number {
  let i = at - 1;
  while (isWord(code[i], ...dialect.writeModifiers)) i--;
  return i;
}

/** `update (select …) a join t set t.x = a.x` only reads the first of its tables. */
function isAloneBeforeSet(code: Token[], at: number): boolean {
  const ends = code.slice(at).find((token) => isWord(token, 'set', 'join', 'straight_join') || isMark(token, ','));
  return !(isWord(ends, 'join', 'straight_join') || isMark(ends, ','));
}
