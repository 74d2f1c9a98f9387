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

/** What a statement of the stage writes to: the `n`-th. */
interface Write extends TableUse {
  n: number;
  statement: Statement;
  code: Code;
}

/** Of each statement, what other chunks may have written by then of what it reads, or changes. */
export function sharedTables(
  all: readonly UsingStatement[],
  key: readonly string[],
  isOwn: (code: Code, at: number) => boolean,
): CutFault[][] {
  const writes = all.map(({ statement, code, uses }, n) => uses.writes.map((use) => ({ n, statement, code, ...use })));
  const known = writes.flat();
  return all.map((one, n) => [
    ...writes[n]!.flatMap((change) => (isOwn(one.code, change.at) ? [] : (faultOfChange(change, known, key) ?? []))),
    ...one.uses.reads.flatMap((read) => faultOfRead(one, read, known, key) ?? []),
  ]);
}

/**
 * Rows are changed that other chunks have inserted. Not where both go by the chunk's keys, nor where all rows have been inserted before it,
 * and it is done to them once more by each chunk.
 */
function faultOfChange(change: Write, writes: readonly Write[], key: readonly string[]): CutFault | undefined {
  const { n, code, at, changes } = change;
  if (changes === undefined) return undefined;
  const insert = writes.find(
    (one) =>
      one.inserts === true &&
      !(one.n === n && one.at === at) && // what a merge inserts, it does not find
      !(one.n < n && changes !== 'chosen') &&
      nameOf(one.code, one.at) === nameOf(code, at) &&
      !areApart(change, one, key),
  );
  if (insert === undefined) return undefined;
  const { line, column } = code.tokens[at]!;
  const said = saidAt(code, at);
  const doubtful = changes !== 'all';
  return { what: 'changed', said, doubtful, line, column, writer: placeOf(insert), target: { line, column } };
}

/**
 * A table is read that the stage writes to. Not where only rows of the chunk's keys are, and the stage writes each key's rows in the chunk
 * of that key.
 */
function faultOfRead(
  { code, uses }: UsingStatement,
  read: TableUse,
  writes: readonly Write[],
  key: readonly string[],
): CutFault | undefined {
  const name = nameOf(code, read.at);
  const write = writes.find((one) => nameOf(one.code, one.at) === name && !areApart(read, one, key));
  if (write === undefined) return undefined;
  const { line, column } = code.tokens[read.at]!;
  const [target] = uses.writes;
  return {
    what: 'shared',
    said: saidAt(code, read.at),
    doubtful: read.counted === undefined,
    line,
    column,
    writer: placeOf(write),
    ...(read.counted !== undefined && { counted: read.counted }),
    ...(target && { target: code.tokens[target.at]! }),
  };
}

/** Both have to do with rows of the chunk's own keys only. */
const areApart = (one: TableUse, other: TableUse, key: readonly string[]): boolean =>
  key.length > 0 &&
  key.every((_, i) => {
    const columns = other.keyed(i);
    return one.keyed(i).some((column) => columns.includes(column));
  });

const placeOf = ({ statement, code, at }: Write): string => `${statement.file}:${code.tokens[at]!.line}`;

/** By which two names of one table are the same. */
export function nameOf(code: Code, at: number): string {
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
