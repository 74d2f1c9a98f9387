import { codeText } from './code-text.ts';
import type { SqlDialect } from './dialect.ts';
import { formatTableName, tableNamed, type TableName } from './names.ts';
import { withNames } from './query-blocks.ts';
import type { Position } from './sql-error.ts';
import type { Statement } from './statement.ts';
import { tablePositions } from './table-positions.ts';
import { isCode, isMark, type Token } from './token.ts';
import { filledBy, type Filling } from './write-target.ts';

export { groupingConstructs } from './grouping.ts';

/** A table's plain name in a statement: rows that no brace cuts to the batch's business. */
export interface TableMention extends Position {
  /** Rows are inserted into it, and it is not read. */
  asInsertTarget: boolean;
  /** What brings rows into it. */
  filledBy: Filling | undefined;
}

/**
 * Finds where a statement names a table outside of braces. Strings, comments and column references
 * (`schema.table.column`) are no mentions.
 *
 * `schema.name` counts wherever it stands. A bare name counts only for a table without schema or of the default schema,
 * only where a table's name may stand, and not when a `with` clause defines it. What `search_path` may make of a bare name
 * is not followed: a start refuses where that matters (bare-names.ts). Where the server's settings decide whether case counts in names, names that differ in case only are one.
 */
export function mentionsTable(statement: Statement, table: string): TableMention[] {
  const { dialect } = statement;
  const code = statement.tokens.filter(isCode);
  const wanted = tableNamed(table, dialect);
  if (wanted === undefined) return []; // which is reported where it is declared
  const positions = tablePositions(code, dialect);
  const defined = withNames(code);
  const mentions: TableMention[] = [];
  for (let i = 0; i < code.length; i++) {
    const chain = nameChain(code, i);
    if (chain.length === 0) continue;
    const names = chain.map(({ value }) => value);
    const counts =
      names.length === 1
        ? isBareNameOf(wanted, names[0]!, dialect) && positions[i] && !defined.has(names[0]!)
        : isQualifiedNameOf(wanted, names, positions[i] === true, dialect);
    if (counts) {
      const { line, column } = code[i]!;
      const filling = filledBy(code, i, dialect);
      mentions.push({ line, column, asInsertTarget: filling === 'insert', filledBy: filling });
    }
    i += chain.length * 2 - 2;
  }
  return mentions;
}

/** Where rows come into what has a name without schema: which table that is, the server knows. */
export function bareInsertTargets({ tokens, dialect }: Statement): (Position & { name: string })[] {
  const code = tokens.filter(isCode);
  return code.flatMap(({ value: name, line, column }, i) =>
    nameChain(code, i).length === 1 && filledBy(code, i, dialect) !== undefined ? [{ name, line, column }] : [],
  );
}

/** Whether a second run of the statement may be meant to insert nothing twice: `on conflict`, `insert ignore` … */
export function insertsOnce({ tokens, dialect }: Statement): boolean {
  return dialect.insertsOnce.test(codeText(tokens));
}

/** Something of it is still on the connection when its transaction has ended, and whatever runs there next would meet it. */
export function leavesBehind({ tokens, dialect }: Statement): boolean {
  return dialect.leavesBehind.test(codeText(tokens));
}

/** Something of it is there until its transaction ends, and would be met by whatever runs in the same one, or be in its way. */
export function lastsUntilCommit({ tokens, dialect }: Statement): boolean {
  return dialect.untilCommit?.test(codeText(tokens)) === true;
}

/**
 * The names that stand in a statement where a table's may, outside of braces, canonical: all of its tables, and words like `into`
 * here and there. What a `with` clause defines is none, unless such names are asked for too.
 */
export function namedTables(
  { tokens, dialect }: Pick<Statement, 'tokens' | 'dialect'>,
  { defined: alsoDefined = false } = {},
): string[] {
  const code = tokens.filter(isCode);
  const positions = tablePositions(code, dialect);
  const defined = alsoDefined ? new Set<string>() : withNames(code);
  const names = code.flatMap((_, i) => {
    const [name, schema, ...more] = positions[i]
      ? nameChain(code, i)
          .map(({ value }) => value)
          .reverse()
      : [];
    if (name === undefined || more.length > 0 || (schema === undefined && defined.has(name))) return [];
    return [formatTableName({ schema, name }, dialect)];
  });
  return [...new Set(names)];
}

/** Where a name of these parts begins first in a statement, else one of the last of them; undefined: nowhere. */
export function placeOfName(statement: Statement, parts: string[]): Token | undefined {
  const code = statement.tokens.filter(isCode);
  const same = (chain: Token[]): boolean =>
    chain.length >= parts.length &&
    chain.slice(-parts.length).every(({ value }, i) => value.toLowerCase() === parts[i]!.toLowerCase());
  for (let i = 0; i < code.length; i++) {
    const chain = nameChain(code, i);
    if (same(chain)) return code[i];
    if (chain.length > 0) i += chain.length * 2 - 2;
  }
  return parts.length > 1 ? placeOfName(statement, parts.slice(1)) : undefined;
}

/** The names of `a.b.c` that starts at `at`; none when no name starts there. */
function nameChain(code: Token[], at: number): Token[] {
  const chain: Token[] = [];
  for (let i = at; isName(code[i]); i += 2) {
    chain.push(code[i]!);
    if (!isMark(code[i + 1], '.')) return chain;
  }
  return chain;
}

function isName(token: Token | undefined): token is Token {
  return token?.kind === 'word' || token?.kind === 'quoted';
}

function isBareNameOf(wanted: TableName, name: string, dialect: SqlDialect): boolean {
  return (
    dialect.foldName(wanted.name) === dialect.foldName(name) &&
    (wanted.schema ?? dialect.defaultSchema) === dialect.defaultSchema
  );
}

/** `schema.table` anywhere; `database.schema.table` where a table stands (elsewhere it is a column of another table). */
function isQualifiedNameOf(wanted: TableName, names: string[], atTable: boolean, dialect: SqlDialect): boolean {
  if (names.length > 3 || (names.length === 3 && !atTable)) return false;
  const [schema, name] = names.slice(-2).map((part) => dialect.foldName(part));
  return (
    name === dialect.foldName(wanted.name) && schema === dialect.foldName(wanted.schema ?? dialect.defaultSchema ?? '')
  );
}
