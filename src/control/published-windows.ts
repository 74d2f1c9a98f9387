/**
 * What the published windows of a load cover: their union. Their ends are texts of the source, which alone knows their order:
 * the ledger, which may be another kind of database, only tells which there are.
 */
import type { Database } from '../database/dialect.ts';
import { list, part, sql } from '../database/sql.ts';

/** Texts of a cursor in its own order, equal ones together; see `Dialect.inCursorOrder`. */
export type CursorOrder = (values: string[]) => Promise<string[][]>;

/** A stretch of the cursor that windows cover, `[from, to)`; `from` null: open below. */
export interface Stretch {
  from: string | null;
  to: string;
}

/** Of all windows ever published: where one begins as another ends, both cancel out before anything has to be compared. */
export async function readCovered(database: Database, names: string[], inOrder: CursorOrder): Promise<Stretch[]> {
  const published = part`from ${database.ledger('batch')}
    where load_name in ${list(names)} and state = 'published' and window_to is not null`;
  const { rows } = await database.query<{ edge: string | null; steps: string }>(sql`
    select edge, sum(step) as steps from (
      select window_from as edge, 1 as step ${published} union all select window_to, -1 ${published}) edges
    group by edge having sum(step) <> 0`);
  const steps = new Map(rows.map((row) => [row.edge, Number(row.steps)]));
  const values = [...steps.keys()].filter((edge): edge is string => edge !== null);
  const groups = values.length === 0 ? [] : await inOrder(values);

  const stretches: Stretch[] = [];
  let open = steps.get(null) ?? 0;
  let from: string | null = null;
  for (const group of groups) {
    const before = open;
    open += group.reduce((sum, value) => sum + steps.get(value)!, 0);
    if (before === 0 && open > 0) from = group[0]!;
    if (before > 0 && open === 0) stretches.push({ from, to: group[0]! });
  }
  return stretches;
}

/** A stretch of the cursor that no published window covers. `from` null: open below; `until` null: open above. */
export interface Gap {
  from: string | null;
  until: string | null;
}

/**
 * What is not covered, lowest first; the last one is always open above. A retracted or missing window is a gap, to be read
 * again up to where the next published one begins. `start`: what lies below is nobody's business, unless a window was published
 * there.
 */
export async function gapsBetween(
  covered: readonly Stretch[],
  start: string | null,
  inOrder: CursorOrder,
): Promise<Gap[]> {
  const lowest = covered[0];
  if (!lowest) return [{ from: start, until: null }];
  const below = lowest.from !== null && (start === null || (await isBelow(start, lowest.from, inOrder)));
  return [
    ...(below ? [{ from: start, until: lowest.from }] : []),
    ...covered.map(({ to }, i) => ({ from: to, until: covered[i + 1]?.from ?? null })),
  ];
}

/** Whether a value of the cursor comes before another. */
export async function isBelow(value: string, other: string, inOrder: CursorOrder): Promise<boolean> {
  const [first] = await inOrder([value, other]);
  return first!.length === 1 && first![0] === value;
}

/**
 * The newest batch that has read this value of the cursor, and how far all windows reach; undefined: none has. `covered` says at once
 * that there is none, as a rule.
 */
export async function windowOver(
  database: Database,
  names: string[],
  value: string,
  covered: readonly Stretch[],
  inOrder: CursorOrder,
): Promise<{ batchId: string; upTo: string } | undefined> {
  if (!(await holding(covered, value, inOrder))) return undefined;
  const { rows } = await database.query<{ batch_id: string; window_from: string | null; window_to: string }>(sql`
    select batch_id, window_from, window_to from ${database.ledger('batch')}
    where load_name in ${list(names)} and state = 'published' and window_to is not null order by batch_id desc`);
  const windows = rows.map((row) => ({ batchId: row.batch_id, from: row.window_from, to: row.window_to }));
  const found = await holding(windows, value, inOrder);
  return found && { batchId: found.batchId, upTo: covered.at(-1)!.to };
}

/** The first of these that the value lies in. */
async function holding<S extends Stretch>(
  stretches: readonly S[],
  value: string,
  inOrder: CursorOrder,
): Promise<S | undefined> {
  const ends = stretches.flatMap(({ from, to }) => (from === null ? [to] : [from, to]));
  const groups = await inOrder([...new Set([...ends, value])]);
  const rank = new Map(groups.flatMap((group, i) => group.map((text) => [text, i] as const)));
  const at = rank.get(value)!;
  return stretches.find(({ from, to }) => (from === null || rank.get(from)! <= at) && at < rank.get(to)!);
}
