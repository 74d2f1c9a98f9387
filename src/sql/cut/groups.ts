import { aggregateAt } from '../grouping.ts';
import type { Range } from './code.ts';
import { wholeName } from './equalities.ts';
import type { CutFault } from './faults.ts';
import type { QueryPlace, Reading } from './reading.ts';
import type { Flow, KeyColumn, Relation } from './relation.ts';
import type { Scope } from './scope.ts';
import { keyColumnOf, type SelectList } from './select-list.ts';

/** A select whose rows come from the cut. */
interface Select {
  head: Range;
  clauses: Map<string, Range>;
  list: SelectList;
  scope: Scope;
  flow: Flow;
  place: QueryPlace;
  /** All its rows of the cut have one key for each row of a query around (`linked`), which itself is of that key (`anchored`). */
  reach: 'all' | 'linked' | 'anchored';
}

/** Under a key: what puts rows together holds all columns of the key, so that they share a chunk. */
export function checkGroups(reading: Reading, select: Select): Flow {
  const { code, key } = reading;
  const { clauses, list, scope, flow, place, reach } = select;
  if (key.length === 0 || flow === 'none' || flow === 'wrong' || reach === 'anchored') return flow;
  const checks: boolean[] = [];
  const check = (at: number, said: string, columns: KeyColumn[], items: Range[]): void => {
    if (reach !== 'all') return;
    const filled = (key: number): CutFault['filled'] => filledAmong(reading, scope, items, key);
    checks.push(holdsKey(reading, at, said, columns, flow, filled));
  };
  const all = (range: Range): KeyColumn[] => columnsOf(reading, select, range);
  const group = clauses.get('group');
  const having = clauses.get('having');
  const counted = aggregateIn(reading, [select.head, having, clauses.get('order')]);
  const isOnlyAsked = place === 'exists' || place === 'in';
  if (group !== undefined) {
    const by = { from: group.from + 1, to: group.to };
    const total = placesOf(reading, [by], (i) => code.is(i, 'rollup', 'cube', 'sets'))[0];
    const isTotal = total !== undefined && !alwaysOf(reading, select, by);
    if (isTotal) checks.push(whole(reading, total, code.tokens[total]!.keyword));
    else if (total !== undefined) checks.push(true);
    else if (!(isOnlyAsked || flow === 'repeated') || having !== undefined || counted !== undefined)
      check(group.from - 1, 'group by', all(by), code.byComma(by));
  } else if (counted ?? having) {
    checks.push(whole(reading, counted ?? having!.from - 1, counted === undefined ? 'having' : 'aggregate'));
  }
  const { distinct } = list;
  const drops = distinct?.on === undefined ? !isOnlyAsked && flow === 'part' : place !== 'exists';
  if (distinct !== undefined && drops) {
    const columns = distinct.on === undefined ? givenColumns(list) : columnsOf(reading, select, distinct.on, true);
    const items = code.byComma(distinct.on ?? { from: distinct.at + 1, to: select.head.to });
    check(distinct.at, distinct.on === undefined ? 'distinct' : 'distinct on', columns, items);
  }
  for (const over of placesOf(reading, [select.head, clauses.get('order')], (i) => isWindow(reading, i))) {
    const parts = partitionOf(reading, over + 1, clauses.get('window'));
    const items = parts === undefined ? [] : code.byComma(parts);
    const columns = items.map((item) => keyColumnOf(reading, scope, item));
    check(over, 'partition by', columns, items);
  }
  const variable = placesOf(reading, [select.head, clauses.get('where')], (i) => code.mark(i, ':='))[0];
  if (variable !== undefined) reading.fault(variable, { what: 'whole', said: 'variable assignment', doubtful: true });
  return checks.includes(false) ? 'wrong' : flow;
}

/** The aggregate by which a select gives one value of all rows that it reads, whatever they are. */
export function countedWhole(reading: Reading, head: Range, clauses: Map<string, Range>): string | undefined {
  if (clauses.has('where') || clauses.has('group')) return undefined;
  const at = aggregateIn(reading, [head, clauses.get('having')]);
  return at === undefined ? undefined : reading.code.tokens[at]!.text;
}

function aggregateIn(reading: Reading, ranges: (Range | undefined)[]): number | undefined {
  const { tokens, dialect } = reading.code;
  return placesOf(reading, ranges, (i) => aggregateAt(tokens, i, dialect) !== undefined)[0];
}

/** Under a key, a limit is one of each chunk. (Without, the word alone tells.) */
export function checkLimit(reading: Reading, clauses: Map<string, Range>, flow: Flow, place: QueryPlace): Flow {
  if (reading.key.length === 0 || flow === 'none' || flow === 'wrong') return flow;
  for (const word of ['limit', 'offset', 'fetch']) {
    const clause = clauses.get(word);
    if (clause === undefined || reading.code.is(clause.from, 'all', 'null')) continue;
    if (place === 'exists' && word !== 'offset') continue;
    const doubtful = place === 'lateral';
    reading.fault(clause.from - 1, { what: 'whole', said: word, doubtful });
    return doubtful ? flow : 'wrong';
  }
  return flow;
}

/** `union`, `intersect` and `except` compare whole rows: as they stand in all arms that have rows of the cut. */
export function checkSetOperation(reading: Reading, at: number, rows: Relation): Flow {
  const { flow, keys, doubtful } = rows;
  if (reading.key.length === 0 || flow === 'wrong') return flow;
  const columns = [...keys, ...(doubtful ? (['unknown'] as const) : [])];
  return holdsKey(reading, at, reading.code.tokens[at]!.keyword, columns, flow) ? flow : 'wrong';
}

function holdsKey(
  { key, fault }: Reading,
  at: number,
  said: string,
  columns: KeyColumn[],
  flow: Flow,
  filledOf: (key: number) => CutFault['filled'] = () => undefined,
): boolean {
  const places = key.flatMap((_, i) => (flow === 'repeated' || !columns.includes(i) ? [i] : []));
  const [first] = places;
  if (first === undefined) return true;
  const doubtful = flow === 'repeated' || columns.includes('unknown');
  const filled = filledOf(first);
  fault(at, { what: 'grouping', said, doubtful, missing: places.map((i) => key[i]!), ...(filled && { filled }) });
  return doubtful;
}

/** Which of these would be that column of the key but for an outer join. */
function filledAmong({ code }: Reading, scope: Scope, items: Range[], key: number): CutFault['filled'] {
  for (const item of items) {
    const name = wholeName(code, item);
    const join = name.length === 0 ? undefined : scope.filling(name, key);
    if (join !== undefined) return { column: name.join('.'), join };
  }
  return undefined;
}

function whole(reading: Reading, at: number, said: string): false {
  reading.fault(at, { what: 'whole', said, doubtful: false });
  return false;
}

function givenColumns({ columns, stars }: SelectList): KeyColumn[] {
  return [
    ...columns.map(({ key }) => key),
    ...stars.flatMap((star) => [...star.keys, ...(star.doubtful ? (['unknown'] as const) : [])]),
  ];
}

/** The columns that a list groups by: by name, by a label of the select list, by its number. `labels`: these go before names. */
function columnsOf(reading: Reading, select: Select, range: Range, labels = false): KeyColumn[] {
  const { code } = reading;
  const { scope, list } = select;
  const labelled = (label: string | undefined): KeyColumn | undefined =>
    label === undefined ? undefined : list.columns.find(({ name }) => name === label)?.key;
  return code.byComma(range).flatMap((item): KeyColumn[] => {
    if (code.mark(item.from, '(') && code.close(item.from) === item.to - 1) {
      return columnsOf(reading, select, code.inside(item.from), labels);
    }
    const label = item.to - item.from === 1 ? labelled(code.name(item.from)) : undefined;
    if (labels && label !== undefined) return [label];
    const found = keyColumnOf(reading, scope, item);
    if (found !== 'other' || item.to - item.from !== 1) return [found];
    const token = code.tokens[item.from]!;
    if (token.kind === 'number')
      return [list.stars.length > 0 ? 'unknown' : (list.columns[Number(token.text) - 1]?.key ?? 'other')];
    return [label ?? 'other'];
  });
}

/** Whether each of several groupings (`rollup`, `cube`, `grouping sets`) holds the whole key: what stands beside them is in all. */
function alwaysOf(reading: Reading, select: Select, by: Range): boolean {
  const { code, key } = reading;
  const isTotal = (item: Range): boolean =>
    code.is(item.from, 'rollup', 'cube', 'grouping') || code.is(item.to - 1, 'rollup');
  const columns = code.byComma(by).flatMap((item): KeyColumn[] => {
    if (!isTotal(item)) return columnsOf(reading, select, item);
    if (!code.is(item.from, 'grouping')) return [];
    const [first = [], ...more] = code
      .byComma(code.inside(item.from + 2))
      .map((set) => (isTotal(set) ? [] : columnsOf(reading, select, set)));
    return first.filter((column) => more.every((others) => others.includes(column)));
  });
  return select.flow === 'part' && !code.is(by.to - 1, 'rollup') && key.every((_, i) => columns.includes(i));
}

/** Places in these parts, but for those in subqueries. */
function placesOf({ code }: Reading, ranges: (Range | undefined)[], wanted: (at: number) => boolean): number[] {
  const places: number[] = [];
  for (const range of ranges) {
    for (let i = range?.from ?? 0; i < (range?.to ?? 0); i++) {
      if (code.isQuery(i)) i = code.close(i) ?? i;
      else if (wanted(i)) places.push(i);
    }
  }
  return places;
}

function isWindow({ code }: Reading, at: number): boolean {
  return code.is(at, 'over') && code.mark(at - 1, ')') && (code.mark(at + 1, '(') || code.name(at + 1) !== undefined);
}

/** What stands behind `partition by`, in the window at `at` or the one that it names. */
function partitionOf(reading: Reading, at: number, windows: Range | undefined): Range | undefined {
  const { code } = reading;
  if (!code.mark(at, '(')) {
    const name = code.name(at);
    const open =
      windows && code.find(windows, (i) => code.mark(i, '(') && code.is(i - 1, 'as') && code.name(i - 2) === name);
    return open === undefined ? undefined : partitionOf(reading, open, windows);
  }
  const inside = code.inside(at);
  const by = code.find(inside, (i) => code.is(i, 'partition') && code.is(i + 1, 'by'));
  if (by === undefined) {
    const isNamed = code.name(inside.from) !== undefined && !code.is(inside.from, 'order', 'rows', 'range', 'groups');
    return isNamed && inside.from < inside.to ? partitionOf(reading, inside.from, windows) : undefined;
  }
  const ends = (i: number): boolean => code.is(i, 'order', 'rows', 'range', 'groups');
  const end = code.find({ from: by + 2, to: inside.to }, ends);
  return { from: by + 2, to: end ?? inside.to };
}
