import { holdsQuery } from './query-blocks.ts';
import { isMark, isWord, type Token } from './token.ts';

/** Words after which a table's name stands, in any statement. */
const BEFORE_TABLE = [
  'join',
  'into',
  'update',
  'only',
  'table',
  'using',
  'truncate',
  'lock',
  'copy',
  'analyze',
  'references',
];
/** Words that end a list of tables, so that a comma after them separates something else. */
const AFTER_TABLES = `where group having window order limit offset fetch for union intersect except set returning select
  values when do`.split(/\s+/);

interface Level {
  query: boolean;
  inTables: boolean;
}

/**
 * Tells for each code token whether a table's name may stand there: after from, join, into …, and after a comma between
 * tables. `extract(year from x)` and `is distinct from x` name no table.
 */
export function tablePositions(code: Token[]): boolean[] {
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
    } else if (isWord(token, ...BEFORE_TABLE)) {
      next = !isMark(code[i - 1], '.');
      level.inTables ||= next && !isWord(token, 'into');
    } else if (isWord(token, 'lateral')) next = here;
    else if (isWord(token, ...AFTER_TABLES)) level.inTables = false;
  }
  return positions;
}
