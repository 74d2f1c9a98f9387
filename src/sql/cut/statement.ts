import { insertsOnce } from '../lint.ts';
import type { BraceUse, Statement } from '../statement.ts';
import { isCode, type Token } from '../token.ts';
import { Code, type Range } from './code.ts';
import { chosenBy, subqueries } from './conditions.ts';
import type { CutFault } from './faults.ts';
import { joined, readFrom, type From } from './from.ts';
import { checkLimit } from './groups.ts';
import { growing, guards } from './growing.ts';
import { nameAt } from './making.ts';
import { readQuery, readWith, settle, valuesOf } from './query.ts';
import type { Reading, Self } from './reading.ts';
import type { Scope } from './scope.ts';
import { cutRelation, returned, UNCUT, type Flow, type Names, type Relation } from './relation.ts';

/** What is known of a statement of a cut stage. */
export interface CutReading {
  faults: CutFault[];
  /** Where it reads the cut, or a table of the stage's own that has rows of it. */
  reads: Token[];
  /** What it gives, or puts into what it makes. */
  rows: Relation;
  inserted: Reading['inserted'];
  /** An insert changes rows that are there already, each time to something else. */
  grows: boolean;
}

/**
 * Finds what a statement does otherwise when it runs once for each chunk of `cut` than when it runs once: rows that come once per
 * chunk, and, under a key, groups and limits that reach over several chunks. (Without a key, `groupingConstructs` has those.)
 * It follows the rows through `with` names, subqueries, joins, and `own`: tables that the stage made. What functions, views and triggers do, it does not see.
 */
export function readCut(
  statement: Statement,
  cut: BraceUse | undefined,
  key: readonly string[] = [],
  own: Names = new Map(),
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
    insertsOnce: insertsOnce(statement),
    nextTable: () => tables++,
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
  return { faults: told, reads, rows, inserted: reading.inserted, grows: reading.grows === true };
}

function readStatement(reading: Reading, whole: Range, outer: Names, self?: Self): Relation {
  const { code } = reading;
  const { names, rest } = readWith(reading, whole, outer);
  if (code.is(rest.from, ...code.dialect.insertWords)) return readInsert(reading, rest, names);
  if (code.is(rest.from, 'update')) return readUpdate(reading, rest, names);
  if (code.is(rest.from, 'delete')) return readDelete(reading, rest, names);
  if (code.is(rest.from, 'merge')) return readMerge(reading, rest, names);
  // `create table … as select …`
  const begin = code.find(rest, (i) => isBegin(code, i));
  return begin === undefined ? UNCUT : readQuery(reading, { from: begin, to: rest.to }, names, 'rows', self);
}

function isBegin(code: Code, at: number): boolean {
  return code.is(at, 'select', 'with', 'values') || (code.is(at, 'table') && code.is(at - 1, 'as')) || code.isQuery(at);
}

function readInsert(reading: Reading, { from, to }: Range, names: Names): Relation {
  const { code } = reading;
  const ends = (i: number): boolean =>
    code.is(i, 'returning') || (code.is(i, 'on') && code.is(i + 1, 'conflict', 'duplicate'));
  const end = code.find({ from, to }, ends) ?? to;
  const begins = (i: number): boolean =>
    code.is(i, 'select', 'with', 'values', 'value', 'table', 'set') || code.isQuery(i);
  const begin = code.find({ from: from + 1, to: end }, begins);
  if (begin === undefined) return UNCUT;
  const relation = code.is(begin, 'set')
    ? { ...UNCUT, flow: valuesOf(reading, { from: begin, to: end }, names) }
    : readQuery(reading, { from: begin, to: end }, names, 'rows');
  const target = targetOf(code, from, 'into');
  const list = code.find({ from: target, to: begin }, (i) => code.mark(i, '('));
  const columns = list === undefined ? undefined : code.namesIn(list);
  reading.inserted.push({ name: nameAt(code, target), rows: relation, columns });
  const grows = insertGrows(code, target, begin, { from: end, to });
  if (grows) reading.grows = true;
  const rows = relation.flow;
  if (rows === 'wrong' || (reading.insertsOnce && !grows)) return returned(rows === 'repeated' ? 'part' : rows);
  if (rows === 'part') return returned('part');
  if (rows === 'none')
    reading.fault(from, { what: 'unreached', said: 'insert', doubtful: false, target: code.tokens[target]! });
  else {
    const { at, ...why } = reading.repeats ?? { at: from, what: 'repeated', said: '' };
    reading.fault(at, { ...why, doubtful: false });
  }
  return returned('wrong');
}

/** Where the table stands that a statement writes to. */
function targetOf(code: Code, verb: number, ...words: string[]): number {
  let target = verb + 1;
  while (code.is(target, ...words, ...code.dialect.writeModifiers)) target++;
  return target;
}

/** `on conflict … do update set n = t.n + 1`, `on duplicate key update n = n + 1`. A condition may see to it that it holds once only. */
function insertGrows(code: Code, target: number, begin: number, clause: Range): boolean {
  const set = code.find(clause, (i) => code.is(i, 'update'));
  if (set === undefined || code.find(clause, (i) => code.is(i, 'where') && i > set) !== undefined) return false;
  const as = code.find({ from: target, to: begin }, (i) => code.is(i, 'as'));
  const row = as === undefined ? code.chain(target).at(-1) : code.name(as + 1);
  const from = code.is(set + 1, 'set') ? set + 2 : set + 1;
  const to = code.find({ from, to: clause.to }, (i) => code.is(i, 'returning')) ?? clause.to;
  return growing(code, { from, to }, (alias) => alias === undefined || alias === row) !== undefined;
}

function readUpdate(reading: Reading, range: Range, names: Names): Relation {
  const { code } = reading;
  const clauses = code.clauses(range, ['update', 'set', 'from', 'where', 'order', 'limit', 'returning']);
  const changed = readFrom(reading, clauses.get('update'), names);
  const others = readFrom(reading, clauses.get('from'), names, changed);
  const where = clauses.get('where');
  const from = joined(changed, others, range.from);
  const { flow: settled, scope } = settle(
    reading,
    from,
    where,
    clauses.get('from')?.to ?? clauses.get('update')?.to ?? 0,
  );
  const conditions = where === undefined ? [] : subqueries(reading, where, names, 'condition', scope);
  const flow = chosenBy(reading, settled, [...from.uses, ...conditions], scope);
  const set = clauses.get('set');
  // Values that come from the cut are right where it chooses the rows, and, as far as anybody can tell, only there.
  const isRead = set !== undefined && (flow === 'none' || reading.key.length > 0);
  const valued = isRead ? chosenBy(reading, flow, subqueries(reading, set, names, 'value', scope), scope) : flow;
  if (set !== undefined)
    checkGrowth(reading, range, { changed, from, set, where, joined: settled, flow: valued, scope });
  return returned(checkLimit(reading, clauses, valued, 'rows'));
}

interface Update {
  changed: From;
  from: From;
  set: Range;
  where: Range | undefined;
  /** What the joins alone come to. */
  joined: Flow;
  flow: Flow;
  scope: Scope;
}

/** A row that several chunks choose is changed by each, and `n = n + 1` counts that. */
function checkGrowth(reading: Reading, range: Range, update: Update): void {
  const { code } = reading;
  const { changed, from, set, where, joined, flow, scope } = update;
  const cutAliases = from.tables.flatMap(({ alias, relation }) =>
    alias !== undefined && relation.flow !== 'none' ? [alias] : [],
  );
  const isOwn = (alias: string | undefined): boolean => alias === undefined || !cutAliases.includes(alias);
  const growth = growing(code, set, isOwn);
  if (growth === undefined || flow === 'wrong' || !isOwn(growth.alias)) return;
  if (changed.tables.length === 1 && changed.flow !== 'none') return; // it changes a table of its own
  if (where !== undefined && guards(code, where, set)) return;
  // Which of several rows a joined update takes, SQL does not say either, unless it is all one.
  const isByKey = changed.tables.some(
    ({ id, alias, relation }) =>
      relation.flow === 'none' && (growth.alias ?? alias) === alias && scope.hasKey(id, reading.key.length),
  );
  if (joined !== 'none' && (growth.hasOthers || isByKey)) return;
  if (joined === 'none' && flow === 'part') return;
  const target = code.tokens[targetOf(code, range.from)];
  reading.fault(range.from, {
    what: 'again',
    said: growth.column,
    doubtful: flow !== 'none',
    ...(target && { target }),
  });
}

function readDelete(reading: Reading, range: Range, names: Names): Relation {
  const { code } = reading;
  const clauses = code.clauses(range, ['from', 'using', 'where', 'order', 'limit', 'returning']);
  const where = clauses.get('where');
  const deleted = readFrom(reading, clauses.get('from'), names);
  const from = joined(deleted, readFrom(reading, clauses.get('using'), names, deleted), range.from);
  const { flow: settled, scope } = settle(
    reading,
    from,
    where,
    clauses.get('using')?.to ?? clauses.get('from')?.to ?? 0,
  );
  const conditions = where === undefined ? [] : subqueries(reading, where, names, 'condition', scope);
  const flow = chosenBy(reading, settled, [...from.uses, ...conditions], scope);
  // What is deleted by one chunk is there for no other.
  const limited = checkLimit(reading, clauses, flow, 'rows');
  return returned(limited === 'repeated' ? 'part' : limited);
}

function readMerge(reading: Reading, range: Range, names: Names): Relation {
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
  const sets = [...code.level(actions)].filter((i) => code.is(i, 'update') && code.is(i + 1, 'set'));
  for (const set of sets) {
    const to = code.find({ from: set, to: actions.to }, (i) => code.is(i, 'when', 'returning')) ?? actions.to;
    const growth = growing(code, { from: set + 2, to }, isOwn);
    if (growth === undefined) continue;
    reading.fault(at, { what: 'again', said: growth.column, doubtful: flow !== 'none', target: token });
    return;
  }
  if (code.find(actions, (i) => code.is(i, 'insert')) === undefined) return;
  if (flow === 'none') return reading.fault(at, { what: 'unreached', said: 'merge', doubtful: true, target: token });
  const { at: where, ...why } = reading.repeats ?? { at, what: 'repeated', said: '' };
  reading.fault(where, { ...why, doubtful: true });
}
