import type { Code, Range } from './code.ts';
import type { ComparedSide } from './comparison.ts';
import type { CutFault } from './faults.ts';
import type { Flow, Names, Relation, ScopedRelation } from './relation.ts';
import type { Scope } from './scope.ts';
import type { TableUses } from './shared.ts';

/** Where a query stands: whether its rows come twice, or how many, matters not to `exists`. */
export type QueryPlace = 'rows' | 'lateral' | 'in' | 'exists';

/** The name that `with recursive` defines, which its query may read. */
export interface Self {
  name: string;
  columns: string[];
}

/** What is known while a statement is read, and what was found. */
export interface Reading {
  code: Code;
  /** Columns of `chunk.key`, folded; empty: a chunk is any part of the rows. */
  key: readonly string[];
  /** The relation that a brace or a name stands for. */
  relationAt(at: number, names: Names): Relation;
  readQuery(range: Range, names: Names, place: QueryPlace): Relation;
  /** A query, or a statement that gives back what it wrote, in a `with`. */
  readStatement(range: Range, names: Names, self: Self | undefined): Relation;
  fault: (at: number, fault: Omit<CutFault, 'line' | 'column'>) => void;
  /** The query around, whose rows a subquery may name. */
  outer?: Scope | undefined;
  /** A number for a table, another one each time. */
  nextTable: () => number;
  /** All that were met, by their numbers. */
  tables: Map<number, ScopedRelation>;
  /** Whether what is compared there may be taken for one. */
  counts: (at: number, sides: [ComparedSide, ComparedSide]) => boolean;
  /** Tables that are there for all chunks. */
  uses: TableUses;
  /** Whether a statement of the stage before this one puts rows into the table there. */
  isFilled: (at: number) => boolean;
  /** Rows that inserts put somewhere. */
  inserted: { name: string; rows: Relation; columns: string[] | undefined }[];
  /** An insert changes rows that are there already, each time to something else. */
  grows?: boolean;
  /** What makes rows come in several chunks, the last that was met. */
  repeats?: { at: number; what: 'repeated' | 'branch' | 'filled'; said: string };
}

/** What the rows of two relations come to that are joined. */
export function together(one: Flow, other: Flow): Flow {
  if (one === 'wrong' || other === 'wrong') return 'wrong';
  if (one === 'none') return other;
  if (other === 'none') return one;
  return one === 'part' || other === 'part' ? 'part' : 'repeated';
}

/** Rows of one chunk meet those of no other. Only those of one key are sure to share a chunk. */
export function meetsItself({ fault, code }: Reading, at: number): void {
  fault(at, { what: 'twice', said: code.tokens[at]?.text ?? '', doubtful: true });
}

/** Rows of the cut meet what the first chunk has taken: those of the others find nothing of it. */
export function meetsTaken({ fault }: Reading, flow: Flow, relations: Relation[]): void {
  if (flow !== 'part' && flow !== 'repeated') return;
  for (const { taken } of relations) if (taken !== undefined) fault(taken.at, { what: 'taken', ...taken });
}

/** Reads what stands within a query, whose rows it may name. */
export function within<Read>(reading: Reading, scope: Scope | undefined, read: () => Read): Read {
  const { outer } = reading;
  reading.outer = scope;
  try {
    return read();
  } finally {
    reading.outer = outer;
  }
}

/** Reads something that is read once more. */
export function quietly<Read>(reading: Reading, read: () => Read): Read {
  const { fault, uses } = reading;
  reading.fault = () => undefined;
  reading.uses = { reads: [], writes: [] };
  try {
    return read();
  } finally {
    reading.fault = fault;
    reading.uses = uses;
  }
}
