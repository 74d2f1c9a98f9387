import type { SqlDialect } from './dialect.ts';
import { isMark, isWord, type Token } from './token.ts';

/** Whether rows are inserted into what stands at `at`: `insert into t`, and `insert ignore t` where that is the dialect's. */
function isInsertTarget(code: Token[], at: number, dialect: SqlDialect): boolean {
  const into = beforeModifiers(code, at, dialect);
  const verb = isWord(code[into], 'into') ? beforeModifiers(code, into, dialect) : into;
  return isWord(code[verb], ...dialect.insertWords);
}

/**
 * What brings rows into what stands at `at`; undefined: nothing does. A merge without an `insert` only changes what is there, and
 * `copy … to` writes a file.
 */
export function filledBy(code: Token[], at: number, dialect: SqlDialect): Filling | undefined {
  if (isInsertTarget(code, at, dialect)) return 'insert';
  const word = beforeModifiers(code, at, dialect);
  if (isWord(code[word], 'into') && isWord(code[word - 1], 'merge')) return insertsToo(code, at) ? 'merge' : undefined;
  if (isWord(code[word], 'table') && isWord(code[0], 'load')) return 'load data';
  const copied = isWord(code[0], 'copy') && at === (isWord(code[1], 'binary') ? 2 : 1);
  const way = copied ? code.slice(at).find((token) => isWord(token, 'from', 'to')) : undefined;
  return isWord(way, 'from') ? 'copy … from' : undefined;
}

/** What brings rows into a table, as messages call it. */
export type Filling = 'insert' | 'merge' | 'copy … from' | 'load data';

/** `when not matched then insert`, in the merge whose target stands at `at`. */
function insertsToo(code: Token[], at: number): boolean {
  let depth = 0;
  for (let i = at; i < code.length && depth >= 0; i++) {
    if (isMark(code[i], '(')) depth++;
    if (isMark(code[i], ')')) depth--;
    if (depth === 0 && isWord(code[i], 'insert') && isWord(code[i - 1], 'then')) return true;
  }
  return false;
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
