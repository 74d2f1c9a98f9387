/** Which names of a statement are looked up in the database that is in use: what `use x` before it was for. */
import { mysqlSql } from '../../sql/mysql.ts';
import { withNames } from '../../sql/query-blocks.ts';
import { tablePositions } from '../../sql/table-positions.ts';
import { isMark, isWord, type Token } from '../../sql/token.ts';

/** Statements whose tables stand where tablePositions finds them. */
const OF_ROWS = `select with values table insert replace update delete truncate do load analyze optimize check repair
  checksum`.split(/\s+/);

/** What can be created: the first of these words says what it is. */
const OBJECTS =
  `table tables index view database schema user role server trigger procedure function event sequence package
  library tablespace logfile resource instance`.split(/\s+/);

/** The names that stand without a database; undefined where they cannot be told from others. */
export function bareNames(code: Token[]): Token[] | undefined {
  const starts = isWord(code[0], 'create', 'alter', 'drop', 'rename') ? namesOfDdl(code) : namesOfRows(code);
  if (starts === undefined) return undefined;
  const common = withNames(code);
  const bare = starts.filter((i) => !isMark(code[i + 1], '.') || isMark(code[i + 2], '*')); // delete t.* from t
  return bare.map((i) => code[i]!).filter(({ value }) => !common.has(value));
}

function namesOfRows(code: Token[]): number[] | undefined {
  const verb = code.find((token) => !isMark(token, '('));
  if (!isWord(verb, ...OF_ROWS)) return undefined;
  const tables = namesAtTables(code, 0);
  const targets = deleteTargets(code);
  const read = new Set(tables.filter((i) => !targets.includes(i)).map((i) => code[i]!.value));
  // `delete m from maker m join …`: that is no table of the name, but what this statement calls it.
  return tables.filter((i) => !targets.includes(i) || read.has(code[i]!.value));
}

/** Names at the places of tables, from `first` on. */
function namesAtTables(code: Token[], first: number): number[] {
  const positions = tablePositions(code.slice(first), mysqlSql);
  return positions.flatMap((at, i) => (at && isName(code[first + i]) ? [first + i] : []));
}

/** A reserved word is none unless it is quoted, nor are the words that may stand before a table's name. */
const isName = (token: Token | undefined): boolean =>
  token?.kind === 'quoted' ||
  (token?.kind === 'word' &&
    !mysqlSql.reservedWords.has(token.keyword) &&
    !isWord(token, 'tables', 'dumpfile', ...mysqlSql.writeModifiers));

/** Of a `delete` from several tables: what it deletes from. Tables to read stand after it. */
function deleteTargets(code: Token[]): number[] {
  const verb = code.findIndex((token) => isWord(token, 'delete'));
  if (verb < 0) return [];
  const from = code.findIndex((token, i) => i > verb && isWord(token, 'from'));
  const before = indexes(verb + 1, from).filter((i) => isName(code[i]));
  if (before.length > 0) return before;
  const using = code.findIndex((token, i) => i > from && isWord(token, 'using', 'join', 'where'));
  return isWord(code[using], 'using') ? indexes(from + 1, using) : [];
}

const indexes = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** Where the names of a create, alter, drop or rename begin; undefined where it is of a kind that holds more of them than is known here. */
function namesOfDdl(code: Token[]): number[] | undefined {
  const object = code.findIndex((token) => isWord(token, ...OBJECTS));
  if (isWord(code[object], 'user', 'role', 'server')) return [];
  if (isWord(code[object], 'database', 'schema')) return isWord(code[0], 'alter') ? undefined : [];
  if (!isWord(code[object], 'table', 'tables', 'index', 'view')) return undefined;
  const name = afterIfExists(code, object + 1);
  const starts = isWord(code[object], 'index')
    ? [code.findIndex((token, i) => i > name && isWord(token, 'on')) + 1]
    : [name];
  const query = code.findIndex((token, i) => i > name && isWord(token, 'select', 'with', 'values', 'table'));
  if (query > 0) starts.push(...namesAtTables(code, query));
  for (let i = name + 1; i < code.length; i += 1) {
    if (isMark(code[i], ',') && isWord(code[0], 'drop', 'rename')) starts.push(i + 1);
    else if (isWord(code[i], 'to') && isWord(code[0], 'rename')) starts.push(i + 1);
    else if (isWord(code[i], 'references')) starts.push(i + 1);
    else if (isWord(code[i], 'like') && isLikeTable(code, i, name)) starts.push(i + 1);
    else if (isWord(code[i], 'rename') && !isWord(code[i + 1], 'column', 'index', 'key')) {
      starts.push(isWord(code[i + 1], 'to', 'as') || isMark(code[i + 1], '=') ? i + 2 : i + 1);
    }
  }
  return starts.every((i) => isName(code[i])) ? [...new Set(starts)] : undefined;
}

function afterIfExists(code: Token[], at: number): number {
  if (!isWord(code[at], 'if')) return at;
  return isWord(code[at + 1], 'not') ? at + 3 : at + 2;
}

/** `create table a like b`, `create table a (like b)`; not `check (a like b)`. */
function isLikeTable(code: Token[], at: number, name: number): boolean {
  const end = isMark(code[name + 1], '.') ? name + 3 : name + 1;
  return at === end || (at === end + 1 && isMark(code[end], '('));
}
