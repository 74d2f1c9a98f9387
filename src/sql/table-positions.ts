import type { SqlDialect } from './dialect.ts';
import { holdsQuery } from './query-blocks.ts';
import { isMark, isWord, type Token } from './token.ts';

/** Words that end a list of tables, so that a comma after them separates something else. */
const AFTER_TABLES = `where group having window order limit offset fetch for union intersect except set returning select
  values when do duplicate`.split(/\s+/);

interface Level {
  query: boolean;
  inTables: boolean;
}

/**
 * Tells for each code token whether a table's name may stand there: after from, join, into …, and after a comma between
 * tables. `extract(year from x)` and `is distinct from x` name no table. Of DDL it knows what stands after `table`; the rest of its
 * names a caller has to find.
 */
export function tablePositions(code: Token[], dialect: SqlDialect): boolean[] {
  const levels: Level[] = [{ query: true, inTables: false }];
  const positions: boolean[] = [];
  let next = false;
  for (const [i, token] of code.entries()) {
    positions.push(next);
    const here: boolean = next;
    next = false;
    const level = levels.at(-1)!;
    if (isMark(token, '(')) {
      const query = holdsQuery(code, i);
      levels.push({ query, inTables: here && !query });
      next = here && !query;
    } else if (isMark(token, ')')) {
      if (levels.length > 1) levels.pop();
    } else if (isMark(token, ',')) next = level.inTables;
    else if (isWord(token, 'from')) {
      next = level.query && !isWord(code[i - 1], 'distinct');
      level.inTables ||= next;
    } else if (isWord(token, ...dialect.insertWords)) {
      next = !isMark(code[i + 1], '('); // insert(…) and replace(…) are functions
    } else if (isWord(token, ...dialect.wordsBeforeTable, ...dialect.writeModifiers)) {
      next = !isMark(code[i - 1], '.') && !meansOtherwise(code, i, level.query);
      level.inTables ||= next && !isWord(token, 'into');
    } else if (isWord(token, 'lateral')) next = here;
    else if (here && isPartOfIfExists(code, i)) {
      positions[i] = false;
      next = true;
    } else if (isWord(token, ...AFTER_TABLES)) level.inTables = false;
  }
  return positions;
}

/** Words that stand before tables, where none follows: `for update`, `on delete cascade`, `using (id)`, `truncate(x, 2)`. */
function meansOtherwise(code: Token[], i: number, inQuery: boolean): boolean {
  if (isWord(code[i - 1], 'for', 'key', 'on')) return true;
  if (isWord(code[i], 'truncate')) return isMark(code[i + 1], '(');
  return isWord(code[i], 'using') && (!inQuery || (isMark(code[i + 1], '(') && !holdsQuery(code, i + 1)));
}

/** A word of the `if exists` or `if not exists` between `table` and the table's name. */
function isPartOfIfExists(code: Token[], i: number): boolean {
  if (isWord(code[i], 'if')) return isWord(code[i + 1], 'exists') || isWord(code[i + 2], 'exists');
  if (isWord(code[i], 'not')) return isWord(code[i - 1], 'if');
  return isWord(code[i], 'exists') && isWord(code[i - 1], 'if', 'not');
}
