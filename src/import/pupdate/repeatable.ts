/** Expressions that may stand twice in a statement: the second time they give the same value. */
import { mysqlSql } from '../../sql/mysql.ts';
import { isMark, isWord, type Token } from '../../sql/token.ts';

/** Functions of what they are given alone, as ranges are cut by. A function of the user's own may do anything. */
const FUNCTIONS = `
  abs ceil ceiling floor round truncate mod sign greatest least coalesce ifnull nullif if cast convert conv crc32 ord ascii
  length char_length left right substring substr substring_index trim lower upper concat date time year month day dayofmonth
  dayofyear hour minute second week weekday quarter to_days to_seconds datediff timestampdiff unix_timestamp extract
`
  .trim()
  .split(/\s+/);

/** Where the column, or the call, begins that ends before `code[end]`; undefined: it is neither, or may give another value. */
export function repeatableBefore(code: Token[], end: number): number | undefined {
  if (isMark(code[end - 1], ')')) return callBefore(code, end);
  let first = end - 1;
  while (isMark(code[first - 1], '.') && isName(code[first - 2], true)) first -= 2;
  return isName(code[end - 1], first < end - 1) && isName(code[first], false) ? first : undefined;
}

/** Behind a dot a reserved word is a name, too. */
const isName = (token: Token | undefined, behindDot: boolean): boolean =>
  token?.kind === 'quoted' || (token?.kind === 'word' && (behindDot || !mysqlSql.reservedWords.has(token.keyword)));

function callBefore(code: Token[], end: number): number | undefined {
  let depth = 0;
  for (let i = end - 1; i > 0; i -= 1) {
    if (isMark(code[i], ')')) depth += 1;
    if (isMark(code[i], '(')) depth -= 1;
    if (depth > 0) continue;
    const call = code.slice(i - 1, end);
    return isWord(call[0], ...FUNCTIONS) && call.every((token, n) => repeats(token, call[n + 1])) ? i - 1 : undefined;
  }
  return undefined;
}

/** `@n:=@n+1` does not, nor may a query. */
function repeats(token: Token, next: Token | undefined): boolean {
  if (token.kind === 'variable' || token.kind === 'brace' || isWord(token, 'select', 'with', 'table')) return false;
  const calls = (token.kind === 'word' || token.kind === 'quoted') && isMark(next, '(');
  return !calls || isWord(token, ...FUNCTIONS);
}
