import type { Code, Range } from './code.ts';
import { equalities } from './comparison.ts';
import { chosenBy, subqueries } from './conditions.ts';
import { readFrom, type From } from './from.ts';
import { assignedColumns, growing } from './growing.ts';
import { settle } from './query.ts';
import type { Reading } from './reading.ts';
import { returned, UNCUT, type Flow, type Names, type Relation } from './relation.ts';
import { Scope } from './scope.ts';
import { keyColumnOf } from './select-list.ts';
import { writeTables } from './shared.ts';
import { targetOf } from './target.ts';

export function readMerge(reading: Reading, range: Range, names: Names): Relation {
  const { code } = reading;
  const using = code.find(range, (i) => code.is(i, 'using'));
  if (using === undefined) return UNCUT;
  const end = code.find({ from: using + 1, to: range.to }, (i) => code.is(i, 'when')) ?? range.to;
  const on = [...code.level({ from: using + 1, to: end })].filter((i) => code.is(i, 'on')).at(-1) ?? end;
  const target = targetOf(code, range.from, 'into');
  const source = readFrom(reading, { from: using + 1, to: on }, names);
  const { flow: settled, scope } = settle(reading, source, undefined, on);
  const values = subqueries(reading, { from: on, to: range.to }, names, 'value', scope);
  const flow = chosenBy(reading, settled, [...source.uses, ...values], scope);
  const into = readFrom(reading, { from: target, to: using }, names);
  useTarget(reading, source, { ...into, flow }, { from: on + 1, to: end }, { from: end, to: range.to });
  const bySource = (i: number): boolean => code.is(i, 'not') && code.is(i + 1, 'matched') && code.is(i + 3, 'source');
  const unmatched = code.find({ from: end, to: range.to }, bySource);
  if (unmatched !== undefined && flow !== 'none' && flow !== 'wrong') {
    reading.fault(unmatched, { what: 'unmatched', said: 'when not matched by source', doubtful: false });
    return returned('wrong');
  }
  if (flow === 'none' || flow === 'repeated')
    checkMerged(reading, { from: end, to: range.to }, { flow, at: range.from, target });
  return returned(flow);
}

/** Rows that are there already are looked for, where others are inserted. */
function useTarget(reading: Reading, source: From, target: From, on: Range, actions: Range): void {
  const { code, uses } = reading;
  const scope = new Scope([...source.tables, ...target.tables], source.equals, reading.outer);
  for (const [one, other] of equalities(reading, scope, on)) scope.equate(one, other);
  const inserts = [...code.level(actions)].filter((i) => code.is(i, 'insert')).map((i) => insertedBy(code, i));
  const assigned = setsIn(code, actions).flatMap((set) => assignedColumns(code, set));
  const deletes = code.find(actions, (i) => code.is(i, 'delete')) !== undefined;
  const write = {
    inserts: inserts.length > 0,
    ...((assigned.length > 0 || deletes) && { changes: 'chosen' as const }),
  };
  writeTables(reading, target.tables, scope, write, (name) => assigned.every(({ column }) => column !== name));
  const written = uses.writes.at(-1);
  const [table] = target.tables;
  if (written === undefined || table?.at === undefined) return;
  const { at, keyed } = written;
  const isGiven = (name: string, key: number): boolean =>
    inserts.every((values) => {
      const value = values.get(name);
      return value !== undefined && keyColumnOf(reading, scope, value) === key;
    });
  written.keyed = (key) => keyed(key).filter((name) => isGiven(name, key));
  // Of others, there are other words: `checkMerged`.
  if (inserts.length > 0 && target.flow === 'part') uses.reads.push({ at, keyed: (key) => scope.keyed(table.id, key) });
}

/** `insert (a, b) values (x, y)`: what each column is given. */
function insertedBy(code: Code, insert: number): Map<string, Range> {
  const values = code.find({ from: insert, to: code.tokens.length }, (i) => code.is(i, 'values'));
  if (values === undefined || !code.mark(insert + 1, '(')) return new Map();
  const given = code.byComma(code.inside(values + 1));
  return new Map(code.namesIn(insert + 1).flatMap((name, i) => (given[i] ? [[name, given[i]]] : [])));
}

/** What `update set` assigns in them. */
function setsIn(code: Code, actions: Range): Range[] {
  const sets = [...code.level(actions)].filter((i) => code.is(i, 'update') && code.is(i + 1, 'set'));
  return sets.map((set) => ({
    from: set + 2,
    to: code.find({ from: set, to: actions.to }, (i) => code.is(i, 'when', 'returning')) ?? actions.to,
  }));
}

/** Rows that several chunks merge: what the first inserted, the next finds there, unless it is compared by NULLs. */
function checkMerged(
  reading: Reading,
  actions: Range,
  { flow, at, target }: { flow: Flow; at: number; target: number },
): void {
  const { code } = reading;
  const token = code.tokens[target]!;
  const alias = code.name(
    code.is(target + code.chain(target).length * 2 - 1, 'as')
      ? target + code.chain(target).length * 2
      : target + code.chain(target).length * 2 - 1,
  );
  const isOwn = (name: string | undefined): boolean =>
    name === undefined || name === alias || name === code.chain(target).at(-1);
  for (const set of setsIn(code, actions)) {
    const growth = growing(code, set, isOwn);
    if (growth === undefined) continue;
    reading.fault(at, { what: 'again', said: growth.column, doubtful: flow !== 'none', target: token });
    return;
  }
  if (code.find(actions, (i) => code.is(i, 'insert')) === undefined) return;
  if (flow === 'none') return reading.fault(at, { what: 'unreached', said: 'merge', doubtful: true, target: token });
  const { at: where, ...why } = reading.repeats ?? { at, what: 'repeated', said: '' };
  reading.fault(where, { ...why, doubtful: true });
}
