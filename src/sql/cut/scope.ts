import type { Code, Range } from './code.ts';
import { hasCollation, namedTables, wholeName } from './equalities.ts';
import type { KeyColumn, ScopedRelation } from './relation.ts';

/** Two columns that are equal in each row, as `Scope.column` names them. */
export type Equal = [string, string];

/**
 * The tables of one query, and which of their columns are equal in each of its rows. A column is `3.id`, by the number of its table,
 * and `3#0` stands for the first column of the chunk's key in the rows of that table.
 */
export class Scope {
  private readonly parents = new Map<string, string>();
  /** Rows that a subquery over the cut has chosen are rows of the cut, too: by these numbers. */
  private readonly chosen: number[] = [];
  private readonly weak: Equal[] = [];
  /** What is equal but where an outer join fills one side with NULLs. */
  private readonly filled: { join: string; equals: Equal[] }[] = [];

  constructor(
    readonly tables: readonly ScopedRelation[],
    equals: readonly Equal[] = [],
    readonly outer?: Scope,
  ) {
    for (const [one, other] of equals) this.equate(one, other);
  }

  /** The column that a name stands for; undefined: there are several. What no table is known to have begins with `?`. */
  column(name: string[]): string | undefined {
    const [column, alias] = [...name].reverse() as [string, string | undefined];
    if (alias === undefined) {
      const [only, ...others] = this.tables;
      const table =
        this.tables.find(({ relation }) => typeof relation.column(column) === 'number') ??
        // Of an update or a delete of one table, say. In a subquery it may be one of a query around.
        (others.length === 0 && this.outer === undefined ? only : undefined);
      return `${table?.id ?? '?'}.${column}`;
    }
    const [table, ...more] = this.tables.filter((one) => one.alias === alias);
    if (more.length > 0) return undefined;
    if (table !== undefined) return `${table.id}.${column}`;
    return this.outer === undefined ? `?${alias}.${column}` : this.outer.column([alias, column]);
  }

  equate(one: string | undefined, other: string | undefined): void {
    if (one !== undefined && other !== undefined) this.parents.set(this.root(one), this.root(other));
  }

  /**
   * The column that an expression is. What is made of one table's columns counts as another one of that table, unless it says how it is
   * compared: that is seldom how the key is.
   */
  columnAt(code: Code, at: Range): string | undefined {
    const name = wholeName(code, at);
    if (name.length > 0) return this.column(name);
    if (hasCollation(code, at)) return undefined;
    const [alias, ...more] = new Set(namedTables(code, at));
    return alias === undefined || more.length > 0 ? undefined : this.column([alias, `=${at.from}`]);
  }

  /** As `equate`, but where this outer join fills one side with NULLs. `dropped`: a condition seems to drop those rows again. */
  equateFilled(join: string, equals: Equal[], dropped: boolean): void {
    this.filled.push({ join, equals });
    if (dropped) this.weak.push(...equals);
  }

  /** The outer join but for which a name would be that column of the chunk's key. */
  filling(name: string[], key: number): string | undefined {
    const column = this.column(name);
    if (column === undefined) return undefined;
    return this.filled.find(({ equals }) => this.with(equals).keysOf(column).has(key))?.join;
  }

  /** Whether a column is that one of the chunk's key, here or in a query around. */
  holds(column: string, key: number): boolean {
    return this.keysOf(column).has(key) || (!this.isOwn(column) && this.outer?.holds(column, key) === true);
  }

  /** Which column of the chunk's key a name is. */
  keyColumn(name: string[]): KeyColumn {
    const column = this.column(name);
    if (column === undefined) return 'other';
    const [key] = this.keysOf(column);
    if (key !== undefined) return key;
    const alias = name.at(-2);
    const isUnknown = this.tables.some(
      (table) => (alias === undefined || table.alias === alias) && table.relation.column(name.at(-1)!) === 'unknown',
    );
    return isUnknown || (this.weak.length > 0 && this.mayBeKey(column)) ? 'unknown' : 'other';
  }

  /** Whether all rows of the cut that meet here have the same key. */
  meetByKey(keys: number): boolean {
    const ids = this.tables.flatMap(({ id, relation, padded }) => (padded || relation.flow === 'none' ? [] : [id]));
    return ids.every((id) => this.shareKey(id, ids[0]!, keys));
  }

  /** Whether rows of two tables that meet have the same key. */
  shareKey(one: number, other: number, keys: number): boolean {
    return keys > 0 && range(keys).every((key) => this.root(`${one}#${key}`) === this.root(`${other}#${key}`));
  }

  /** Takes in that rows are chosen by their key: a row of the cut stands beside each, with these columns equal to its key. */
  choose(id: number, links: Links): void {
    this.chosen.push(id);
    for (const [key, columns] of links.entries()) for (const column of columns) this.equate(column, `${id}#${key}`);
  }

  /** Per column of the chunk's key: columns of queries around that equal it. */
  links(keys: number): Links {
    return range(keys).map((key) =>
      this.equalTo(key).filter((column) => !this.isOwn(column) && !column.startsWith('?')),
    );
  }

  /** Columns of that table that are that one of the chunk's key, here or in a query around; `more`: what else is equal. */
  keyed(id: number, key: number, more: readonly Equal[] = []): string[] {
    const scope = more.length === 0 ? this : this.with(more);
    const own = [...scope.parents.keys()].filter((column) => !isKey(column) && idOf(column) === id);
    return own.filter((column) => scope.isKeyed(column, key)).map((column) => column.slice(column.indexOf('.') + 1));
  }

  /** Whether a column is that one of the chunk's key because of another that equals it, which may be of a query around. */
  private isKeyed(column: string, key: number): boolean {
    if (this.keysOf(column).has(key)) return true;
    const root = this.root(column);
    const same = [...this.parents.keys()].filter((one) => this.root(one) === root && !this.isOwn(one));
    return same.some((one) => !one.startsWith('?') && this.outer?.isKeyed(one, key) === true);
  }

  /** Whether that table's rows have the whole key in columns of their own. */
  hasKey(id: number, keys: number): boolean {
    return keys > 0 && range(keys).every((key) => this.equalTo(key).some((column) => idOf(column) === id));
  }

  private equalTo(key: number): string[] {
    return [...this.parents.keys()].filter((column) => !isKey(column) && this.keysOf(column).has(key));
  }

  private keysOf(column: string): Set<number> {
    const root = this.root(column);
    const virtual = [...this.parents.keys()].filter((one) => isKey(one) && this.root(one) === root);
    return new Set(virtual.map((one) => Number(one.split('#')[1])));
  }

  private mayBeKey(column: string): boolean {
    return this.with(this.weak).keysOf(column).size > 0;
  }

  /** It, were these equal, too. */
  private with(equals: readonly Equal[]): Scope {
    const scope = new Scope(this.tables, equals, this.outer);
    for (const [one, other] of this.parents) scope.equate(one, other);
    return scope;
  }

  private isOwn(column: string): boolean {
    const id = idOf(column);
    return this.chosen.includes(id) || this.tables.some((table) => table.id === id);
  }

  private root(column: string): string {
    const parent = this.parents.get(column);
    if (parent !== undefined) return parent === column ? column : this.root(parent);
    this.parents.set(column, column);
    if (isKey(column)) return column;
    const table = this.tables.find(({ id }) => id === idOf(column));
    const key = table?.relation.column(column.slice(column.indexOf('.') + 1));
    if (typeof key !== 'number') return column;
    const root = this.root(`${table!.id}#${key}`);
    this.parents.set(column, root);
    return root;
  }
}

/** The tables that may have a column, as `Scope.column` names it: a name without its table is of one of those of the query. */
export function tablesOf(column: string, known: ReadonlyMap<number, ScopedRelation>, scope: Scope): ScopedRelation[] {
  if (column.startsWith('?.')) return [...scope.tables];
  const table = known.get(idOf(column));
  return table === undefined ? [] : [table];
}

/** Per column of the chunk's key: columns that equal it. */
export type Links = readonly (readonly string[])[];

/** Whether they tell the whole key. */
export const isLinked = (links: Links): boolean => links.length > 0 && links.every((columns) => columns.length > 0);

const isKey = (column: string): boolean => /^\d+#/.test(column);

const idOf = (column: string): number => Number.parseInt(column, 10);

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
