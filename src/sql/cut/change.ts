import type { Code, Range } from './code.ts';
import { chosenBy, subqueries } from './conditions.ts';
import { joined, readFrom, type From } from './from.ts';
import { checkLimit } from './groups.ts';
import { asksFor, assignedColumns, growing, guards } from './growing.ts';
import { settle } from './query.ts';
import type { Reading } from './reading.ts';
import { returned, UNCUT, type Flow, type Names, type Relation, type ScopedRelation, type Taking } from './relation.ts';
import type { Scope } from './scope.ts';
import { writeTables, type TableUse } from './shared.ts';
import { targetOf } from './target.ts';

/** Rows that an update or a delete changes, as its joins and its condition choose them. */
interface Changed {
  changed: From;
  where: Range | undefined;
  /** What the joins alone come to. */
  joined: Flow;
  flow: Flow;
  scope: Scope;
}

export function readUpdate(reading: Reading, range: Range, names: Names): Relation {
  const clauses = reading.code.clauses(range, ['update', 'set', 'from', 'where', 'order', 'limit', 'returning']);
  const rows = readChanged(reading, range, clauses, ['update', 'from'], names);
  const { flow, scope } = rows;
  const set = clauses.get('set');
  // Values that come from the cut are right where it chooses the rows, and, as far as anybody can tell, only there.
  const isRead = set !== undefined && (flow === 'none' || reading.key.length > 0);
  const values = set === undefined ? [] : subqueries(reading, set, names, 'value', scope);
  const valued = isRead ? chosenBy(reading, flow, values, scope) : flow;
  const assigned = set === undefined ? [] : assignedColumns(reading.code, set);
  const targets = updated(reading.code, rows, assigned);
  writeTables(reading, targets, scope, changesBy(rows, clauses), (name) =>
    assigned.every(({ column }) => column !== name),
  );
  if (set !== undefined) checkGrowth(reading, range, set, { ...rows, flow: valued });
  const limited = checkLimit(reading, clauses, valued, 'rows');
  // A condition that asks for what is assigned chooses other rows the next time.
  const asked = [rows.where, clauses.get('order')].some((one) => one && asksFor(reading.code, one, assigned));
  const taking = { at: range.from, said: 'update' as const, doubtful: true };
  const taken = asked ? takenFrom(reading, targets, limited, taking) : undefined;
  checkNumber(reading, clauses, taken, targetOf(reading.code, range.from));
  return returned(limited, taken);
}

export function readDelete(reading: Reading, range: Range, names: Names): Relation {
  const clauses = reading.code.clauses(range, ['from', 'using', 'where', 'order', 'limit', 'returning']);
  const rows = readChanged(reading, range, clauses, ['from', 'using'], names);
  const { flow, scope, changed } = rows;
  const listed = { from: targetOf(reading.code, range.from), to: clauses.get('')!.to };
  const named = reading.code.byComma(listed).map(({ from }) => reading.code.chain(from).at(-1));
  const deleted = named.length > 0 ? named : changed.tables.map(({ alias }) => alias);
  const targets = scope.tables.filter(({ alias }) => deleted.includes(alias));
  writeTables(reading, targets, scope, changesBy(rows, clauses));
  // What is deleted by one chunk is there for no other.
  const limited = checkLimit(reading, clauses, flow, 'rows');
  const taken = takenFrom(reading, targets, limited, { at: range.from, said: 'delete', doubtful: false });
  checkNumber(reading, clauses, taken, targetOf(reading.code, range.from, 'from'));
  return returned(limited === 'repeated' ? 'part' : limited, taken);
}

/**
 * What the first chunk leaves nothing of, unless the stage makes the table: then each chunk has its own. It may have, too, where the stage
 * has put rows there before.
 */
function takenFrom(
  { isFilled }: Reading,
  targets: readonly ScopedRelation[],
  flow: Flow,
  taking: Taking,
): Taking | undefined {
  const tables = targets.flatMap(({ at }) => at ?? []);
  if (flow !== 'none' || tables.length === 0) return undefined;
  return { ...taking, doubtful: taking.doubtful || tables.every(isFilled) };
}

/** A number of rows that the cut does not choose: each chunk takes the next ones, unless a condition says which they are. */
function checkNumber(reading: Reading, clauses: Map<string, Range>, taken: Taking | undefined, target: number): void {
  const limit = clauses.get('limit');
  if (taken === undefined || limit === undefined) return;
  const place = reading.code.tokens[target];
  reading.fault(limit.from - 1, {
    what: 'limited',
    said: taken.said,
    doubtful: taken.doubtful || clauses.has('where'),
    ...(place && { target: place }),
  });
}

/** `truncate only a, b`: all rows of each. */
export function readTruncate({ code, uses }: Reading, { from, to }: Range): Relation {
  for (const table of code.byComma({ from: from + 1, to }))
    uses.writes.push({ at: targetOf(code, table.from - 1, 'table'), keyed: () => [], changes: 'all' });
  return UNCUT;
}

/** By what the rows are chosen; nothing of a statement that is wrong by itself. */
function changesBy({ flow, scope }: Changed, clauses: Map<string, Range>): Pick<TableUse, 'changes'> {
  if (flow === 'wrong') return {};
  if (flow !== 'none') return { changes: 'chosen' };
  // A join may choose them, too.
  const isAll = !clauses.has('where') && !clauses.has('limit') && scope.tables.length === 1;
  return { changes: isAll ? 'all' : 'some' };
}

/** Of several tables, those whose columns an update assigns to; all, where it does not say whose they are. */
function updated(
  { tokens }: Code,
  { changed }: Changed,
  assigned: ReturnType<typeof assignedColumns>,
): ScopedRelation[] {
  const named = assigned.map(({ alias }) => alias);
  const tables = changed.tables.filter(({ at }) => at !== undefined && tokens[at]!.kind !== 'brace');
  if (tables.length < 2 || named.includes(undefined)) return tables;
  return tables.filter(({ alias }) => named.includes(alias));
}

/** `tables`: the clauses that say what is changed, and what it is joined with. */
function readChanged(
  reading: Reading,
  range: Range,
  clauses: Map<string, Range>,
  tables: [string, string],
  names: Names,
): Changed {
  const [own, other] = tables.map((word) => clauses.get(word));
  const where = clauses.get('where');
  const changed = readFrom(reading, own, names);
  const from = joined(changed, readFrom(reading, other, names, changed), range.from);
  const settled = settle(reading, from, where, other?.to ?? own?.to ?? 0);
  const { scope } = settled;
  const conditions = where === undefined ? [] : subqueries(reading, where, names, 'condition', scope);
  const flow = chosenBy(reading, settled.flow, [...from.uses, ...conditions], scope);
  return { changed, where, joined: settled.flow, flow, scope };
}

/** A row that several chunks choose is changed by each, and `n = n + 1` counts that. */
function checkGrowth(reading: Reading, range: Range, set: Range, rows: Changed): void {
  const { code } = reading;
  const { changed, where, joined, flow, scope } = rows;
  const cutAliases = scope.tables.flatMap(({ alias, relation }) =>
    alias !== undefined && relation.flow !== 'none' ? [alias] : [],
  );
  const isOwn = (alias: string | undefined): boolean => alias === undefined || !cutAliases.includes(alias);
  const growth = growing(code, set, isOwn);
  if (growth === undefined || flow === 'wrong' || !isOwn(growth.alias)) return;
  if (changed.tables.length === 1 && changed.flow !== 'none') return; // it changes a table of its own
  if (where !== undefined && guards(code, where, set)) return;
  const [only, ...more] = changed.tables;
  const own = growth.alias ?? (more.length === 0 ? only?.alias : undefined);
  const hasOthers = growth.others.some((chain) => chain.length === 1 || chain.at(-2) !== own);
  // Which of several rows a joined update takes, SQL does not say either, unless it is all one.
  const isByKey = changed.tables.some(
    ({ id, alias, relation }) =>
      relation.flow === 'none' && (growth.alias ?? alias) === alias && scope.hasKey(id, reading.key.length),
  );
  if (joined !== 'none' && (hasOthers || isByKey)) return;
  if (joined === 'none' && flow === 'part') return;
  const target = code.tokens[targetOf(code, range.from)];
  reading.fault(range.from, {
    what: 'again',
    said: growth.column,
    doubtful: flow !== 'none',
    ...(target && { target }),
  });
}
