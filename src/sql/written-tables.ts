/** Which tables a statement of MySQL or MariaDB changes rows of, as its text says it; what views lead to and functions do, the server knows. */
import { Code, type Range } from './cut/code.ts';
import { makingOf } from './cut/making.ts';
import { formatTableName, nameRefusal, type TableName } from './names.ts';
import type { Position } from './sql-error.ts';
import type { Statement } from './statement.ts';
import { isCode, type Token } from './token.ts';

/** A table that a statement writes to. */
export interface WrittenTable extends Position {
  /** Canonical. */
  table: string;
  /** It is this one of several only where it has a column of this name: the statement says no table before it. */
  ifHas?: string;
}

/** A table that a statement names among others, and what it calls it; without: a subquery. */
interface TableReference {
  table?: TableName;
  alias: string;
  at: Token;
}

/** Behind a table's name these are no alias. */
const NO_ALIAS =
  `partition use force ignore for set on using where order limit join straight_join inner cross left right natural
  returning returns`.split(/\s+/);

const WRITES = ['insert', 'replace', 'update', 'delete', 'load'];

/** In the order in which they stand. None of a statement that only reads or says how it would be done. */
export function writtenTables(statement: Statement): WrittenTable[] {
  const code = new Code(statement.tokens.filter(isCode), statement.dialect);
  const whole = { from: 0, to: code.tokens.length };
  const verb = code.find(whole, (i) =>
    code.is(i, 'select', 'values', 'table', 'explain', 'describe', 'desc', 'create', ...WRITES),
  );
  if (verb === undefined || !code.is(verb, ...WRITES)) return [];
  const range = { from: verb, to: whole.to };
  if (code.is(verb, 'update')) return updated(code, range);
  if (code.is(verb, 'delete')) return deleted(code, range);
  const into = code.is(verb, 'load') ? code.find(range, (i) => code.is(i, 'into')) : verb;
  if (into === undefined) return [];
  return writtenAt(code, behind(code, into + 1, 'into', 'table', ...code.dialect.writeModifiers));
}

/** The table of which a view shows rows, or several, joined. */
export function tablesOfView({ tokens, dialect }: Pick<Statement, 'tokens' | 'dialect'>): string[] {
  const code = new Code(tokens.filter(isCode), dialect);
  const words = ['select', 'from', 'where', 'group', 'having', 'window', 'order', 'limit', 'union'];
  const from = code.clauses({ from: 0, to: code.tokens.length }, words).get('from');
  const references = from === undefined ? [] : referencesIn(code, from);
  return references.flatMap(({ table }) => (table ? [formatTableName(table, dialect)] : []));
}

/** The name of the temporary table that a statement makes. */
export function temporaryTable(statement: Statement): string | undefined {
  const making = makingOf(new Code(statement.tokens.filter(isCode), statement.dialect));
  return making?.what === 'table' && making.temporary ? making.name : undefined;
}

function updated(code: Code, range: Range): WrittenTable[] {
  const clauses = code.clauses(range, ['update', 'set', 'where', 'order', 'limit', 'returning']);
  const references = referencesIn(code, clauses.get('update'));
  if (references.length === 1) return references.flatMap((one) => written(code, one));
  const set = clauses.get('set');
  return (set === undefined ? [] : code.byComma(set)).flatMap(({ from, to }) => {
    const column = code.chain(from, to);
    if (column.length > 1) return named(code, from, column.length - 1, references);
    const ifHas = code.tokens[from]!.value;
    return references.flatMap((one) => written(code, one).map((table) => ({ ...table, ifHas })));
  });
}

/** `delete from t`, `delete a, b from …` and `delete from a, b using …`. */
function deleted(code: Code, range: Range): WrittenTable[] {
  const clauses = code.clauses(range, ['delete', 'from', 'using', 'where', 'order', 'limit', 'returning']);
  const before = clauses.get('delete')!;
  const first = behind(code, before.from, ...code.dialect.writeModifiers);
  const listed = first < before.to ? { from: first, to: before.to } : clauses.get('from');
  if (listed === undefined) return [];
  const references = referencesIn(code, first < before.to ? clauses.get('from') : clauses.get('using'));
  return code.byComma(listed).flatMap(({ from, to }) => named(code, from, code.chain(from, to).length, references));
}

/** What a name of so many parts means among these tables: one of them, by its alias too, or a table of that name. */
function named(code: Code, at: number, parts: number, references: TableReference[]): WrittenTable[] {
  const name = nameOf(code, at, parts);
  if (name === undefined) return writtenAt(code, at);
  const fold = (text: string | undefined) => text && code.dialect.foldName(text);
  const meant = references.find(({ table, alias }) =>
    name.schema === undefined
      ? fold(alias) === fold(name.name)
      : fold(table?.name) === fold(name.name) && fold(table?.schema) === fold(name.schema),
  );
  return meant ? written(code, meant) : writtenAt(code, at);
}

function referencesIn(code: Code, range: Range | undefined): TableReference[] {
  const references: TableReference[] = [];
  if (range === undefined) return references;
  let expected = true;
  for (const i of code.level(range)) {
    const here = expected && !code.is(i, 'lateral', ...code.dialect.writeModifiers);
    if (here) {
      expected = false;
      if (code.mark(i, '(') && !code.isQuery(i)) references.push(...referencesIn(code, code.inside(i)));
      else references.push(referenceAt(code, i, range.to));
    }
    if (code.mark(i, ',') || code.is(i, 'join', 'straight_join')) expected = true;
  }
  return references;
}

function referenceAt(code: Code, at: number, to: number): TableReference {
  const table = tableAt(code, at);
  const length = code.mark(at, '(') ? (code.close(at) ?? at) - at + 1 : Math.max(code.chain(at, to).length * 2 - 1, 1);
  let next = at + length;
  if (code.is(next, 'partition')) next = (code.close(next + 1) ?? next) + 1;
  if (code.is(next, 'as')) next += 1;
  const alias = next < to && !code.is(next, ...NO_ALIAS) ? code.name(next) : undefined;
  return { ...(table && { table }), alias: alias ?? table?.name ?? '', at: code.tokens[at]! };
}

/** The position behind these words. */
function behind(code: Code, at: number, ...words: string[]): number {
  let i = at;
  while (code.is(i, ...words)) i += 1;
  return i;
}

function writtenAt(code: Code, at: number): WrittenTable[] {
  const token = code.tokens[at];
  return token === undefined ? [] : written(code, { table: tableAt(code, at), alias: '', at: token });
}

function written(
  { dialect }: Code,
  { table, at: { line, column } }: Partial<TableReference> & { at: Token },
): WrittenTable[] {
  return table === undefined ? [] : [{ table: formatTableName(table, dialect), line, column }];
}

const tableAt = (code: Code, at: number): TableName | undefined => nameOf(code, at, code.chain(at).length);

/** As it is written: whether case counts in it, the server knows. What stands in braces is an input, of which others see to it. */
function nameOf(code: Code, at: number, parts: number): TableName | undefined {
  if (parts < 1 || parts > 2) return undefined;
  const [first, second] = [code.tokens[at]!.value, code.tokens[at + 2]?.value];
  if ([first, second ?? ''].some((part) => nameRefusal(part, code.dialect) !== undefined)) return undefined;
  return parts === 1 ? { schema: undefined, name: first } : { schema: first, name: second! };
}
