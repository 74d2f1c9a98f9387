import type { Links } from './scope.ts';

/**
 * What becomes of a relation when the stage runs once per chunk. `none`: the same rows in each; `part`: its rows are
 * shared among the chunks; `repeated`: all of its rows come, some in several chunks; `wrong`: other rows come, and a fault says so.
 */
export type Flow = 'none' | 'part' | 'repeated' | 'wrong';

/** Which column of the chunk's key a column is, by number. `unknown`: an expression, which may well be one. */
export type KeyColumn = number | 'other' | 'unknown';

/** A table's column, as a load's file would call the table. */
export interface Source {
  table: string;
  column: string;
}

/** What a query gives, at its place. */
export interface GivenColumn {
  name: string | undefined;
  key: KeyColumn;
  sources?: Source[];
}

/** A statement that the cut does not reach gives back what it takes: all in the first chunk, and then there is nothing left. */
export interface Taking {
  at: number;
  said: 'delete' | 'update' | 'insert';
  /** It may be that it gives the same each time. */
  doubtful: boolean;
}

/** Rows that a query reads: a table, a subquery, a `with` name. */
export interface Relation {
  flow: Flow;
  /** Its rows, or some of those that it is made of, are these. */
  taken?: Taking | undefined;
  /** Columns of queries around that equal its key: it has rows of one key for each of their rows. */
  links?: Links;
  column(name: string): KeyColumn;
  /** Of subqueries and `with` names: the table's column that a column is, one of these for a bare name; none: an expression. */
  sources?: ((name: string) => Source[]) | undefined;
  /** Columns of the key that it has, and whether others of its columns may be some. */
  keys: ReadonlySet<number>;
  doubtful: boolean;
  /** In order; undefined where a `*` hides it. */
  columns?: GivenColumn[];
}

export const UNCUT: Relation = { flow: 'none', column: () => 'other', keys: new Set(), doubtful: false };

/** A relation by the name that its query gives it. */
export interface ScopedRelation {
  /** Another one for each table of a statement. */
  id: number;
  alias: string | undefined;
  relation: Relation;
  /** The table that it is, as a load's file would call it; without: a subquery, a `with` name, what the stage makes. */
  table?: string;
  /** Where its name stands, of a table that is no chunk's own. */
  at?: number;
  /** An outer join fills it with NULLs. */
  padded?: boolean;
}

/** `with` names. */
export type Names = ReadonlyMap<string, Relation>;

/** The cut itself, under a key of these columns. */
export function cutRelation(key: readonly string[]): Relation {
  const column = (name: string): KeyColumn => (key.includes(name) ? key.indexOf(name) : 'other');
  return { flow: 'part', column, keys: new Set(key.keys()), doubtful: false };
}

/** Where a column of one of the tables of a query comes from. */
export function sourcesOf({ table, relation }: ScopedRelation, column: string): Source[] {
  return table === undefined ? (relation.sources?.(column) ?? []) : [{ table, column }];
}

/** What all relations say of it, whose rows come beside each other; none, where they differ. */
function agreed([first, ...more]: Source[][]): Source[] {
  return first !== undefined && more.every((one) => JSON.stringify(one) === JSON.stringify(first)) ? first : [];
}

/** The same rows, where some come from each of these. */
export function besides(rows: Relation, arms: Relation[]): Relation {
  const columns = rows.columns?.map((column, i) => ({
    ...column,
    sources: agreed(arms.map((arm) => arm.columns?.[i]?.sources ?? [])),
  }));
  const named = (name: string): Source[] => columns?.find((column) => column.name === name)?.sources ?? [];
  return { ...rows, ...(columns && { columns }), sources: named };
}

export function ofColumns(flow: Flow, columns: NonNullable<Relation['columns']>, stars: Relation[] = []): Relation {
  const [only] = stars;
  if (stars.length === 1 && columns.length === 0) return { ...only!, flow };
  const keys = new Set(columns.flatMap(({ key }) => (typeof key === 'number' ? [key] : [])));
  for (const star of stars) star.keys.forEach((key) => keys.add(key));
  return {
    flow,
    keys,
    doubtful: columns.some(({ key }) => key === 'unknown') || stars.some(({ doubtful }) => doubtful),
    column: (name) => {
      const found = columns.find((column) => column.name === name)?.key;
      return found ?? stars.map((star) => star.column(name)).find((key) => key !== 'other') ?? 'other';
    },
    sources: (name) =>
      (
        columns.find((column) => column.name === name) ?? {
          sources: stars.flatMap((star) => star.sources?.(name) ?? []),
        }
      ).sources ?? [],
    ...(stars.length === 0 && { columns }),
  };
}

/** The relation as `alias (a, b)` names its columns. */
export function renamed(relation: Relation, names: string[]): Relation {
  if (names.length === 0) return relation;
  const columns = names.map((name, i) => ({ key: 'unknown' as const, ...relation.columns?.[i], name }));
  const { flow, links, taken } = relation;
  const known = ofColumns(flow, flow === 'none' ? columns.map((c) => ({ ...c, key: 'other' })) : columns);
  return { ...known, taken, ...(links && { links }) };
}

/** The relation where its columns are not those of the key: NULLs, or rows that others stand between. */
export function withoutKey({ flow, columns, sources, taken }: Relation): Relation {
  const names = columns?.map((column) => ({ ...column, key: 'other' as const }));
  return { ...UNCUT, flow, taken, sources, ...(names && { columns: names }) };
}

/** The columns of relations whose rows come beside each other: one of the key is one in all of them, at the same place. */
export function inAll(flow: Flow, [first, ...more]: [Relation, ...Relation[]]): Relation {
  const { columns } = first;
  if (more.every((rows) => rows.column === first.column)) {
    return more.length === 0 ? { ...first, flow } : { ...besides(first, [first, ...more]), flow };
  }
  if (columns === undefined || more.some((rows) => rows.columns?.length !== columns.length)) return returned(flow);
  const keyOf = (i: number): KeyColumn => {
    const keys = new Set([first, ...more].map((rows) => rows.columns![i]!.key));
    return keys.size === 1 ? columns[i]!.key : keys.has('other') ? 'other' : 'unknown';
  };
  const rows = ofColumns(
    flow,
    columns.map(({ name }, i) => ({ name, key: keyOf(i) })),
  );
  return besides(rows, [first, ...more]);
}

/** What a statement that writes gives back (`returning`): which columns, only the server knows. */
export function returned(flow: Flow, taken?: Taking): Relation {
  return { flow, taken, column: () => 'unknown', keys: new Set(), doubtful: true };
}
