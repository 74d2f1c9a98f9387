import { parseTableName } from '../names.ts';
import type { Statement } from '../statement.ts';
import type { Code } from './code.ts';
import type { CutFault } from './faults.ts';
import type { From } from './from.ts';
import type { Reading } from './reading.ts';
import type { ScopedRelation } from './relation.ts';
import type { Scope } from './scope.ts';

/** A place where a statement reads a table, or writes to one, that is there for all chunks. */
export interface TableUse {
  /** Where its name stands. */
  at: number;
  /** Columns of it that are that one of the chunk's key, in each row that is read there, or written. */
  keyed: (key: number) => readonly string[];
  /** The aggregate that goes over all its rows. */
  counted?: string;
  /** It puts rows there. */
  inserts?: boolean;
  /** It changes or deletes rows that are there: `chosen` by the cut; not by it, `some` of them or `all`. */
  changes?: 'chosen' | 'some' | 'all';
}

export interface TableUses {
  reads: TableUse[];
  writes: TableUse[];
}

/** Takes in the tables that a query reads. `scope` is asked when all is read: what subqueries choose by their key, it then knows. */
export function readTables({ uses }: Reading, { tables, filled }: From, scope: Scope, counted?: string): void {
  const isCounted = counted !== undefined && tables.length === 1;
  for (const { id, at, table } of tables) {
    if (at === undefined) continue;
    // What an outer join fills with NULLs, it has found by what is equal there.
    const own = filled.filter((one) => one.tables.some((other) => other.id === id)).flatMap(({ equals }) => equals);
    const keyed = (key: number): string[] => (table === undefined ? [] : scope.keyed(id, key, own));
    uses.reads.push({ at, keyed, ...(isCounted && { counted }) });
  }
}

/** Takes in that rows of these tables are changed, which thereby are not read. `keeps`: a column stays what it is. */
export function writeTables(
  { uses, code }: Reading,
  targets: readonly ScopedRelation[],
  scope: Scope,
  write: Pick<TableUse, 'inserts' | 'changes'>,
  keeps: (column: string) => boolean = () => true,
): void {
  for (const { id, at } of targets) {
    if (at === undefined || code.tokens[at]!.kind === 'brace') continue;
    uses.reads = uses.reads.filter((read) => read.at !== at);
    uses.writes.push({ at, keyed: (key) => scope.keyed(id, key).filter(keeps), ...write });
  }
}

/** A statement, and the tables that it uses. */
interface UsingStatement {
  statement: Statement;
  code: Code;
  uses: TableUses;
}

/**
 * Of each statement, what it reads of tables that the stage writes to: other chunks may have written there by then. Not where it reads
 * only rows of its chunk's keys, and the stage writes each key's rows in the chunk of that key.
 */
export function sharedTables(
  all: readonly UsingStatement[],
  key: readonly string[],
  isOwn: (code: Code, at: number) => boolean,
): CutFault[][] {
  const writes = all.flatMap(({ statement, code, uses }) => uses.writes.map((use) => ({ statement, code, ...use })));
  return all.map(({ statement, code, uses }, n) => [
    ...uses.writes.flatMap((change) => {
      if (change.changes === undefined || isOwn(code, change.at)) return [];
      const name = nameOf(code, change.at);
      const insert = writes.find(
        (one) =>
          one.inserts === true &&
          // What a merge inserts, it does not find.
          !(one.statement === statement && one.at === change.at) &&
          // Rows that all have been inserted come to the same in the end.
          !(change.changes !== 'chosen' && all.findIndex((other) => other.statement === one.statement) < n) &&
          nameOf(one.code, one.at) === name &&
          !areApart(change, one, key),
      );
      if (insert === undefined) return [];
      const { line, column } = code.tokens[change.at]!;
      const said = saidAt(code, change.at);
      const writer = placeOf(insert);
      return [
        {
          what: 'changed' as const,
          said,
          doubtful: change.changes !== 'all',
          line,
          column,
          writer,
          target: { line, column },
        },
      ];
    }),
    ...uses.reads.flatMap((read): CutFault[] => {
      const name = nameOf(code, read.at);
      const write = writes.find((one) => nameOf(one.code, one.at) === name && !areApart(read, one, key));
      if (write === undefined) return [];
      const { line, column } = code.tokens[read.at]!;
      const [target] = uses.writes;
      return [
        {
          what: 'shared',
          said: saidAt(code, read.at),
          doubtful: read.counted === undefined,
          line,
          column,
          writer: placeOf(write),
          ...(read.counted !== undefined && { counted: read.counted }),
          ...(target && { target: code.tokens[target.at]! }),
        },
      ];
    }),
  ]);
}

/** Both have to do with rows of the chunk's own keys only. */
const areApart = (one: TableUse, other: TableUse, key: readonly string[]): boolean =>
  key.length > 0 &&
  key.every((_, i) => {
    const columns = other.keyed(i);
    return one.keyed(i).some((column) => columns.includes(column));
  });

const placeOf = ({ statement, code, at }: { statement: Statement; code: Code; at: number }): string =>
  `${statement.file}:${code.tokens[at]!.line}`;

/** By which two names of one table are the same. */
function nameOf(code: Code, at: number): string {
  const { dialect } = code;
  const [name, schema = dialect.defaultSchema ?? ''] = partsAt(code, at).reverse();
  return JSON.stringify([schema, name]);
}

function partsAt(code: Code, at: number): string[] {
  const { kind, value } = code.tokens[at]!;
  if (kind !== 'brace') return code.chain(at).slice(-2);
  const { schema, name } = parseTableName(value, code.dialect);
  return [...(schema === undefined ? [] : [schema]), name].map((part) => code.dialect.foldName(part));
}

function saidAt(code: Code, at: number): string {
  const { kind, value } = code.tokens[at]!;
  const { length } = code.chain(at);
  return kind === 'brace'
    ? value
    : code.tokens
        .slice(at, at + 2 * length - 1)
        .map(({ text }) => text)
        .join('');
}
