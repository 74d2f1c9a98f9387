import type { BraceUse, Statement } from '../statement.ts';
import { isCode, type Token } from '../token.ts';
import { Code, type Range } from './code.ts';
import { readDelete, readTruncate, readUpdate } from './change.ts';
import type { CutFault } from './faults.ts';
import { readInsert } from './insert.ts';
import { nameAt } from './making.ts';
import { readMerge } from './merge.ts';
import { readQuery, readWith } from './query.ts';
import type { Comparison } from './comparison.ts';
import type { Reading, Self } from './reading.ts';
import { cutRelation, UNCUT, type Names, type Relation } from './relation.ts';
import { nameOf } from './shared.ts';

/** What is known of a statement of a cut stage. */
export interface CutReading {
  faults: CutFault[];
  /** Where it reads the cut, or a table of the stage's own that has rows of it. */
  reads: Token[];
  /** What it gives, or puts into what it makes. */
  rows: Relation;
  inserted: Reading['inserted'];
  uses: Reading['uses'];
  /** An insert changes rows that are there already, each time to something else. */
  grows: boolean;
}

/**
 * Finds what a statement does otherwise when it runs once for each chunk of `cut` than when it runs once: rows that come once per
 * chunk, and, under a key, groups and limits that reach over several chunks. (Without a key, `groupingConstructs` has those.)
 * `counts`: whether columns that are compared may be taken for one. `filled`: tables into which statements before it put rows, by `nameOf`.
 * It follows the rows through `with` names, subqueries, joins, and `own`: tables that the stage made. What functions, views and triggers do, it does not see.
 */
export function readCut(
  statement: Statement,
  cut: BraceUse | undefined,
  key: readonly string[] = [],
  own: Names = new Map(),
  counts: (comparison: Comparison) => boolean = () => true,
  filled: ReadonlySet<string> = new Set(),
): CutReading {
  const tokens = statement.tokens.filter(isCode);
  const code = new Code(tokens, statement.dialect);
  const folded = key.map((column) => statement.dialect.foldName(column));
  const faults: CutFault[] = [];
  const reads: Token[] = [];
  let tables = 0;
  const reading: Reading = {
    code,
    key: folded,
    nextTable: () => tables++,
    tables: new Map(),
    counts: (at, sides) => {
      const { line, column } = tokens[at] ?? statement;
      return counts({ file: statement.file, line, column, sides });
    },
    uses: { reads: [], writes: [] },
    isFilled: (at) => filled.has(nameOf(code, at)),
    inserted: [],
    relationAt: (at, names) => {
      if (cut !== undefined && tokens[at]?.start === cut.start) {
        if (!reads.includes(tokens[at])) reads.push(tokens[at]);
        return cutRelation(folded);
      }
      const name = nameAt(code, at);
      const relation = names.get(name) ?? UNCUT;
      if (relation.flow === 'none' || relation !== own.get(name)) return relation;
      if (!reads.includes(tokens[at]!)) reads.push(tokens[at]!);
      if (relation.flow === 'repeated') reading.repeats = { at, what: 'filled', said: name };
      return relation;
    },
    readQuery: (range, names, place) => readQuery(reading, range, names, place),
    readStatement: (range, names, self) => readStatement(reading, range, names, self),
    fault: (at, fault) => {
      const { line, column } = tokens[at] ?? statement;
      const isTold = faults.some((one) => one.line === line && one.column === column && one.what === fault.what);
      if (!isTold) faults.push({ ...fault, line, column });
    },
  };
  const rows = readStatement(reading, { from: 0, to: tokens.length }, own);
  // Where the cut is nothing that is read from, the server has better words for what is wrong.
  const told = reads.length > 0 ? faults : faults.filter(({ what }) => what !== 'unreached');
  return { faults: told, reads, rows, inserted: reading.inserted, uses: reading.uses, grows: reading.grows === true };
}

function readStatement(reading: Reading, whole: Range, outer: Names, self?: Self): Relation {
  const { code } = reading;
  const { names, rest } = readWith(reading, whole, outer);
  if (code.is(rest.from, ...code.dialect.insertWords)) return readInsert(reading, rest, names);
  if (code.is(rest.from, 'update')) return readUpdate(reading, rest, names);
  if (code.is(rest.from, 'delete')) return readDelete(reading, rest, names);
  if (code.is(rest.from, 'truncate')) return readTruncate(reading, rest);
  if (code.is(rest.from, 'merge')) return readMerge(reading, rest, names);
  // `create table … as select …`
  const begin = code.find(rest, (i) => isBegin(code, i));
  return begin === undefined ? UNCUT : readQuery(reading, { from: begin, to: rest.to }, names, 'rows', self);
}

function isBegin(code: Code, at: number): boolean {
  return code.is(at, 'select', 'with', 'values') || (code.is(at, 'table') && code.is(at - 1, 'as')) || code.isQuery(at);
}
