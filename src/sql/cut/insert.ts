import { codeText } from '../code-text.ts';
import type { Code, Range } from './code.ts';
import { subqueries } from './conditions.ts';
import { assignedColumns, growing, overwriting } from './growing.ts';
import { nameAt } from './making.ts';
import { readQuery, valuesOf } from './query.ts';
import type { Reading } from './reading.ts';
import { renamed, returned, UNCUT, type Names, type Relation, type Taking } from './relation.ts';
import { Scope } from './scope.ts';
import type { TableUse } from './shared.ts';
import { targetOf } from './target.ts';

/** Where the parts of an insert stand. */
interface Insert {
  target: number;
  /** What gives its rows. */
  rows: Range;
  columns: string[] | undefined;
  /** `on conflict …`, `on duplicate key …`, and what follows. */
  clause: Range;
}

export function readInsert(reading: Reading, { from, to }: Range, names: Names): Relation {
  const { code } = reading;
  const insert = partsOf(code, { from, to });
  if (insert === undefined) return UNCUT;
  const { target, rows, columns } = insert;
  const relation = code.is(rows.from, 'set')
    ? { ...UNCUT, flow: valuesOf(reading, rows, names) }
    : readQuery(reading, rows, names, 'rows');
  reading.inserted.push({ name: nameAt(code, target), rows: relation, columns });
  reading.uses.writes.push({ at: target, keyed: keyedBy(reading, insert, relation), inserts: true });
  // What an upsert asks for beside what is inserted.
  subqueries(reading, insert.clause, names, 'value', new Scope([], [], reading.outer));
  const change = upsertChange(code, insert);
  if (change?.what === 'grows') reading.grows = true;
  const { flow } = relation;
  if (flow === 'wrong' || flow === 'part') return returned(flow);
  const insertsOnce = code.dialect.insertsOnce.test(codeText(code.tokens.slice(from, to)));
  if (insertsOnce && change?.what !== 'grows') {
    const { column: said } = change ?? {};
    if (said !== undefined)
      reading.fault(from, { what: 'overwritten', said, doubtful: true, target: code.tokens[target]! });
    const taken = flow === 'none' && !names.has(nameAt(code, target)) ? takenBy(code, from, insert.clause) : undefined;
    return returned(flow === 'repeated' ? 'part' : flow, taken);
  }
  if (flow === 'none')
    reading.fault(from, { what: 'unreached', said: 'insert', doubtful: false, target: code.tokens[target]! });
  else {
    const { at, ...why } = reading.repeats ?? { at: from, what: 'repeated', said: '' };
    reading.fault(at, { ...why, doubtful: false });
  }
  return returned('wrong');
}

/**
 * What is inserted once only is given back once only; `do update` gives it back each time, unless its condition is against it. What is
 * there already may be read beside it.
 */
function takenBy(code: Code, at: number, clause: Range): Taking | undefined {
  const set = setOf(code, clause);
  return set === undefined || code.is(set.to, 'where') ? { at, said: 'insert', doubtful: true } : undefined;
}

/** Columns that are given the key of the row of the cut, and that an upsert leaves alone. */
function keyedBy({ code, key }: Reading, { rows, columns, clause }: Insert, given: Relation): TableUse['keyed'] {
  const relation = columns === undefined ? given : renamed(given, columns);
  const isGiven = columns === undefined || given.columns === undefined || given.columns.length === columns.length;
  const names = columns ?? given.columns?.flatMap(({ name }) => name ?? []) ?? key;
  const set = setOf(code, clause);
  const assigned = set === undefined ? [] : assignedColumns(code, set).map(({ column }) => column);
  // The row that is there already is one with the same values of these; what a unique index of MySQL has, nobody sees.
  const compared = set && code.is(clause.from + 1, 'conflict') ? code.namesIn(clause.from + 2) : undefined;
  const keeps = (name: string): boolean => !assigned.includes(name) && compared?.includes(name) !== false;
  const all = isGiven && !code.is(rows.from, 'set') ? names.filter(keeps) : [];
  return (number) => all.filter((name) => relation.column(name) === number);
}

/** What `on conflict … do update set`, `on duplicate key update` assign. */
function setOf(code: Code, clause: Range): Range | undefined {
  const update = code.find(clause, (i) => code.is(i, 'update'));
  if (update === undefined) return undefined;
  const from = code.is(update + 1, 'set') ? update + 2 : update + 1;
  const ends = (i: number): boolean => code.is(i, 'returning', 'where');
  return { from, to: code.find({ from, to: clause.to }, ends) ?? clause.to };
}

function partsOf(code: Code, { from, to }: Range): Insert | undefined {
  const ends = (i: number): boolean =>
    code.is(i, 'returning') || (code.is(i, 'on') && code.is(i + 1, 'conflict', 'duplicate'));
  const end = code.find({ from, to }, ends) ?? to;
  const target = targetOf(code, from, 'into');
  // The table and its alias may be called `value`.
  const named = target + Math.max(2 * code.chain(target).length - 1, 1);
  const behind = code.is(named, 'as') ? named + 2 : named;
  const begins = (i: number): boolean =>
    code.is(i, 'select', 'with', 'values', 'table', 'set') || isValue(code, i) || code.isQuery(i);
  const begin = code.find({ from: behind, to: end }, begins);
  if (begin === undefined) return undefined;
  const list = code.find({ from: behind, to: begin }, (i) => code.mark(i, '(') && !code.is(i - 1, 'partition'));
  const columns = list === undefined ? undefined : code.namesIn(list);
  return { target, rows: { from: begin, to: end }, columns, clause: { from: end, to } };
}

/** MySQL's other word for `values`, and not the one of `overriding system value`. */
const isValue = (code: Code, at: number): boolean => code.is(at, 'value') && !code.is(at - 2, 'overriding');

/**
 * What `on conflict … do update set`, `on duplicate key update` makes of a row that another chunk has inserted: `n = t.n + 1` grows,
 * `n = 2` overwrites, unless that is what is inserted; undefined: what was inserted. A condition may see to it that it holds once only.
 */
function upsertChange(
  code: Code,
  { target, rows, columns, clause }: Insert,
): { what: 'grows' | 'overwrites'; column: string } | undefined {
  const set = setOf(code, clause);
  if (set === undefined || code.find({ from: set.from, to: clause.to }, (i) => code.is(i, 'where')) !== undefined)
    return undefined;
  const as = code.find({ from: target, to: rows.from }, (i) => code.is(i, 'as'));
  const row = as === undefined ? code.chain(target).at(-1) : code.name(as + 1);
  const growth = growing(code, set, (alias) => alias === undefined || alias === row);
  if (growth !== undefined) return { what: 'grows', column: growth.column };
  const column = overwriting(code, set, (name) => insertedText(code, rows, columns?.indexOf(name) ?? -1));
  return column === undefined ? undefined : { what: 'overwrites', column };
}

/** The value that a plain select puts into the n-th column, as it is written. */
function insertedText(code: Code, rows: Range, n: number): string | undefined {
  if (!code.is(rows.from, 'select') || n < 0) return undefined;
  const to = code.find(rows, (i) => code.is(i, 'from')) ?? rows.to;
  const item = code.byComma({ from: rows.from + 1, to })[n];
  return item && code.text({ from: item.from, to: code.is(item.to - 2, 'as') ? item.to - 2 : item.to });
}
