import type { Range } from './code.ts';
import { equalities } from './comparison.ts';
import { chosenBy, relationsOf, subqueries, type SubqueryUse } from './conditions.ts';
import { readFrom, type From } from './from.ts';
import { checkGroups, checkLimit, checkSetOperation, countedWhole } from './groups.ts';
import { meetsItself, meetsTaken, quietly, together, type QueryPlace, type Reading, type Self } from './reading.ts';
import { besides, inAll, ofColumns, renamed, UNCUT, withoutKey } from './relation.ts';
import type { Flow, Names, Relation } from './relation.ts';
import { isLinked, Scope } from './scope.ts';
import { readTables } from './shared.ts';
import { readSelectList } from './select-list.ts';

/** Clauses whose subqueries choose no rows by themselves. */
const VALUED = ['group', 'having', 'window', 'order', 'limit', 'offset', 'fetch'];
const CLAUSES = ['into', 'from', 'where', 'group', 'having', 'window', 'order', 'limit', 'offset', 'fetch', 'for'];

/** Reads what gives rows: a select, several with set operators, `with` before it or not. `self`: the `with` name that it defines. */
export function readQuery(reading: Reading, whole: Range, outer: Names, place: QueryPlace, self?: Self): Relation {
  const { code } = reading;
  const { names, rest } = readWith(reading, whole, outer);
  const operators = [...code.level(rest)].filter((i) => code.isSetOperator(i));
  if (operators.length === 0) return readArm(reading, rest, names, place);
  let from = rest.from;
  let all: Relation | undefined;
  for (const operator of [...operators, rest.to]) {
    const arm = { from, to: operator };
    const before = from - (code.is(from - 1, 'all', 'distinct') ? 2 : 1);
    all =
      all === undefined
        ? readArm(reading, arm, names, place)
        : self === undefined
          ? combined(reading, before, arm, all, readArm(reading, arm, names, place))
          : recursive(reading, before, arm, all, (itself) =>
              readArm(reading, arm, new Map(names).set(self.name, renamed(itself, self.columns)), place),
            );
    from = operator + (code.is(operator + 1, 'all', 'distinct') ? 2 : 1);
  }
  // A limit behind the last arm is one of all arms.
  const { flow, links = [] } = all!;
  const limit = code.clauses({ from: operators.at(-1)! + 1, to: rest.to }, CLAUSES);
  return { ...all!, flow: isLinked(links) ? flow : checkLimit(reading, limit, flow, place) };
}

/** `with recursive`: what an arm makes of its own rows is read until they are what they are taken for. */
function recursive(
  reading: Reading,
  operator: number,
  arm: Range,
  first: Relation,
  read: (itself: Relation) => Relation,
): Relation {
  const said = ({ flow, columns, keys, doubtful, links }: Relation): string =>
    JSON.stringify([
      flow,
      columns?.map(({ key }) => key) ?? [...keys, doubtful],
      links?.every((one) => one.length > 0),
    ]);
  let itself = first;
  for (;;) {
    const taken = itself;
    const all = quietly(reading, () => combined(reading, operator, arm, first, read(taken)));
    const next = { ...inAll(all.flow, [taken, all]), links: all.links ?? [] };
    if (said(next) === said(taken)) return combined(reading, operator, arm, first, read(taken));
    itself = next;
  }
}

/** The names that `with` defines, beside those known; `rest` is what stands behind it. */
export function readWith(reading: Reading, range: Range, outer: Names): { names: Names; rest: Range } {
  const { code } = reading;
  if (!code.is(range.from, 'with')) return { names: outer, rest: range };
  const names = new Map(outer);
  const isRecursive = code.is(range.from + 1, 'recursive');
  let at = range.from + (isRecursive ? 2 : 1);
  for (;;) {
    const name = code.name(at);
    const opens = (i: number): boolean => code.mark(i, '(') && code.is(i - 1, 'as', 'materialized');
    const open = code.find({ from: at, to: range.to }, opens);
    if (name === undefined || open === undefined) break;
    const columns = code.namesIn(at + 1);
    if (isRecursive) names.delete(name);
    const self = isRecursive ? { name, columns } : undefined;
    const relation = reading.readStatement(code.inside(open), names, self);
    names.set(name, renamed(relation, columns));
    at = (code.close(open) ?? range.to) + 1;
    if (!code.mark(at, ',')) break;
    at++;
  }
  return { names, rest: { from: at, to: range.to } };
}

/** The tables of a query under its condition, as far as that says what is equal, and what their rows are. `counted`: as `countedWhole` has it. */
export function settle(
  reading: Reading,
  from: From,
  where: Range | undefined,
  fromEnd: number,
  counted?: string,
): { flow: Flow; scope: Scope } {
  const { key } = reading;
  const isDoubtful = ({ end, aliases }: From['padded'][number]): boolean =>
    mayDropNulls(reading, [{ from: end, to: fromEnd }, ...(where === undefined ? [] : [where])], aliases);
  const doubtful = from.padded.filter(isDoubtful);
  const back = new Map(doubtful.flatMap(({ tables }) => tables.map((table) => [table.id, table])));
  const equals = [...from.equals, ...doubtful.flatMap((one) => one.equals)];
  const scope = new Scope(
    from.tables.map((table) => back.get(table.id) ?? table),
    equals,
    reading.outer,
  );
  for (const one of from.filled) scope.equateFilled(one.said, one.equals, isDoubtful(one));
  for (const [one, other] of where === undefined ? [] : equalities(reading, scope, where)) scope.equate(one, other);
  let { flow } = from;
  for (const one of from.padded) {
    // They are right where a condition drops those rows again.
    reading.fault(one.at, { what: 'padded', said: one.said, doubtful: doubtful.includes(one) });
    if (!doubtful.includes(one)) flow = 'wrong';
  }
  readTables(reading, from, scope, counted);
  const [meeting] = from.meets;
  if (flow !== 'wrong' && meeting !== undefined && !scope.meetByKey(key.length)) meetsItself(reading, meeting);
  return { flow, scope };
}

/** A condition names a column that is filled with NULLs, and none asks for NULL. */
function mayDropNulls({ code }: Reading, ranges: Range[], aliases: string[]): boolean {
  const named = ranges.flatMap(({ from, to }) => {
    const places = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
    return places.filter((i) => !code.mark(i - 1, '.') && aliases.includes(code.chain(i).at(-2) ?? ''));
  });
  const asksForNull = (at: number): boolean => {
    const after = at + code.chain(at).length * 2 - 1;
    return code.is(after, 'isnull') || (code.is(after, 'is') && code.is(after + 1, 'null'));
  };
  return named.length > 0 && !named.some(asksForNull);
}

/** One query between set operators. */
function readArm(reading: Reading, range: Range, names: Names, place: QueryPlace): Relation {
  const { code } = reading;
  const { from, to } = range;
  if (code.mark(from, '(')) {
    const relation = reading.readQuery(code.inside(from), names, place);
    const clauses = code.clauses({ from: (code.close(from) ?? to) + 1, to }, CLAUSES);
    return { ...relation, flow: checkLimit(reading, clauses, relation.flow, place) };
  }
  if (code.is(from, 'select')) return readSelect(reading, range, names, place);
  if (code.is(from, 'with')) return reading.readQuery(range, names, place);
  if (code.is(from, 'table')) {
    const table = readFrom(reading, { from: from + 1, to: from + 2 * code.chain(from + 1).length }, names);
    readTables(reading, table, new Scope(table.tables));
    return reading.relationAt(from + 1, names);
  }
  return { ...UNCUT, flow: valuesOf(reading, range, names) };
}

/** What stands without tables: the cut in it gives a value only. */
export function valuesOf(reading: Reading, range: Range, names: Names): Flow {
  const scope = new Scope([], [], reading.outer);
  return chosenBy(reading, 'none', subqueries(reading, range, names, 'value', scope), scope);
}

function readSelect(reading: Reading, range: Range, names: Names, place: QueryPlace): Relation {
  const { code, key } = reading;
  const clauses = code.clauses(range, CLAUSES);
  const where = clauses.get('where');
  const head = { from: range.from + 1, to: clauses.get('')!.to };
  const from = readFrom(reading, clauses.get('from'), names);
  const counted = place === 'exists' ? undefined : countedWhole(reading, head, clauses);
  const { flow: settled, scope } = settle(reading, from, where, clauses.get('from')?.to ?? 0, counted);
  const conditions = where === undefined ? [] : subqueries(reading, where, names, 'condition', scope);
  const chosen = chosenBy(reading, settled, [...from.uses, ...conditions], scope);
  const values = (part: Range | undefined): SubqueryUse[] =>
    part === undefined ? [] : subqueries(reading, part, names, 'value', scope);
  const given = place === 'exists' ? [] : values(head);
  if (place === 'exists') quietly(reading, () => values(head)); // `exists` asks for no values, but they are read
  const valued = [...given, ...VALUED.flatMap((word) => values(clauses.get(word)))];
  const flow = chosenBy(reading, chosen, valued, scope);
  const list = readSelectList(reading, head, scope);
  const links = flow === 'part' ? scope.links(key.length) : [];
  const isAnchored = links.every((columns, i) => columns.some((column) => reading.outer?.holds(column, i)));
  const reach = !isLinked(links) ? 'all' : isAnchored ? 'anchored' : 'linked';
  const grouped = checkGroups(reading, { head, clauses, list, scope, flow, place, reach });
  const limited = isLinked(links) ? grouped : checkLimit(reading, clauses, grouped, place);
  const { taken } = relationsOf(scope, [...from.uses, ...conditions, ...valued]).find((one) => one.taken) ?? {};
  const rows = { ...ofColumns(limited, list.columns, list.stars), taken };
  return limited === 'part' ? { ...rows, links } : withoutKey(rows);
}

/** `one union other`; `arm` is where the other stands. */
function combined(reading: Reading, operator: number, arm: Range, one: Relation, other: Relation): Relation {
  const { code, key } = reading;
  const said = code.tokens[operator]!.keyword;
  const isAll = code.is(operator + 1, 'all');
  const [a, b] = [one.flow, other.flow];
  if (a === 'wrong' || b === 'wrong') return { ...one, flow: 'wrong' };
  const taken = one.taken ?? other.taken;
  if (a === 'none' && b === 'none') return { ...besides(withoutKey(one), [one, other]), taken };
  let flow: Flow = a === 'none' ? b : a;
  // Without a key, operators that compare rows are known to be wrong by their word.
  const isTold = !isAll && key.length === 0;
  if (said === 'union') {
    if (a !== 'none' && b !== 'none') flow = a === 'part' && b === 'part' ? 'part' : 'repeated';
    else if (!isTold) {
      reading.repeats = { at: a === 'none' ? operator : arm.from, what: 'branch', said: isAll ? 'union all' : 'union' };
      flow = 'repeated';
    }
  } else if (a !== 'none' && b !== 'none') {
    if (key.length === 0) meetsItself(reading, operator);
    flow = together(a, b);
  } else if (said === 'except' && a === 'none') {
    if (!isTold) reading.fault(operator, { what: 'absent', said, doubtful: false });
    flow = 'wrong';
  }
  if (said !== 'union') meetsTaken(reading, flow, [one, other]);
  const [first = one, ...more] = [one, other].filter((relation) => relation.flow !== 'none');
  const rows = inAll(flow, [first, ...more]);
  const links = key.map((_, i) =>
    (first.links?.[i] ?? []).filter((column) => more.every((m) => m.links?.[i]?.includes(column))),
  );
  const compared = besides(flow === 'part' ? rows : withoutKey(rows), [one, other]);
  const named = { ...compared, links: flow === 'part' ? links : [] };
  const isCompared = said !== 'union' || (!isAll && flow === 'part');
  return { ...named, flow: isCompared ? checkSetOperation(reading, operator, named) : flow };
}
