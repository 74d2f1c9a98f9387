import type { Code, Range } from './code.ts';
import { counts, equalities, tableAt } from './comparison.ts';
import { subqueries, type SubqueryUse } from './conditions.ts';
import { nameAt } from './making.ts';
import { meetsItself, together, within, type Reading } from './reading.ts';
import { renamed, UNCUT, withoutKey, type Flow, type Names, type Relation, type ScopedRelation } from './relation.ts';
import { Scope, type Equal } from './scope.ts';

/** What a query reads, joined. */
export interface From {
  flow: Flow;
  tables: ScopedRelation[];
  /** Outer joins that fill rows of the cut with NULLs; a condition behind `end` may drop those rows again. */
  padded: Padded[];
  /** The side of other outer joins that is filled with NULLs; a condition may drop those rows, too. */
  filled: Padded[];
  /** Columns that are equal in each of its rows. */
  equals: Equal[];
  /** Where rows of the cut meet others of it. */
  meets: number[];
  /** Subqueries in the conditions of joins. */
  uses: SubqueryUse[];
}

/** An outer join that fills tables with NULLs. A condition behind `end` may drop those rows again. */
interface Padded {
  at: number;
  said: string;
  aliases: string[];
  end: number;
  /** These tables, and what is equal where their columns are no NULLs. */
  tables: ScopedRelation[];
  equals: Equal[];
}

export const NOTHING: From = { flow: 'none', tables: [], padded: [], filled: [], equals: [], meets: [], uses: [] };

/** Words that stand behind a table's name and are not its alias. */
const NO_ALIAS = ['tablesample', 'partition', 'use', 'force', 'ignore', 'with', 'for', 'set', 'on', 'using'];

/** Reads a list of tables and joins; `before`: what stands before it, for `lateral`. */
export function readFrom(reading: Reading, range: Range | undefined, names: Names, before = NOTHING): From {
  if (range === undefined) return NOTHING;
  return reading.code.byComma(range).reduce((all, item) => {
    const next = new FromReader(reading, item, names, joined(before, all, item.from)).read();
    return joined(all, next, item.from);
  }, NOTHING);
}

/** All rows of one beside those of the other, as a condition may leave them. */
export function joined(one: From, other: From, at: number): From {
  const meets = one.flow !== 'none' && other.flow !== 'none' ? [at] : [];
  return {
    flow: together(one.flow, other.flow),
    tables: [...one.tables, ...other.tables],
    padded: [...one.padded, ...other.padded],
    filled: [...one.filled, ...other.filled],
    equals: [...one.equals, ...other.equals],
    meets: [...one.meets, ...other.meets, ...meets],
    uses: [...one.uses, ...other.uses],
  };
}

/** Reads one item of the list: a table, or several that are joined. */
class FromReader {
  private readonly code: Code;
  private at: number;

  constructor(
    private readonly reading: Reading,
    private readonly range: Range,
    private readonly names: Names,
    private before: From,
  ) {
    this.code = reading.code;
    this.at = range.from;
  }

  read(): From {
    let left = this.table();
    for (let join = this.join(); join !== undefined; join = this.join()) left = this.joinTo(left, join);
    return left;
  }

  /** `a join b on …`, and `a join b join c on … on …`. */
  private joinTo(left: From, join: Join): From {
    const { before } = this;
    this.before = joined(before, left, join.at);
    let right = this.table();
    for (;;) {
      if (this.code.is(this.at, 'on', 'using') || join.unconditional) break;
      const inner = this.join();
      if (inner === undefined) break;
      right = this.joinTo(right, inner);
    }
    this.before = before;
    const scope = this.scopeOf(left, right);
    const { equals, uses } = join.unconditional
      ? { equals: join.natural ? naturalEquals(this.reading, left, right, join.at) : [], uses: [] }
      : this.condition(left, right, scope);
    const both = this.combine(left, right, join, equals);
    return { ...both, uses: [...both.uses, ...(join.keeps === 'none' ? uses : uses.map(asValue))] };
  }

  private scopeOf(left: From, right: From): Scope {
    const tables = [...left.tables, ...right.tables];
    return new Scope(tables, [...left.equals, ...right.equals], this.reading.outer);
  }

  private combine(left: From, right: From, join: Join, equals: Equal[]): From {
    const { keeps, at, said } = join;
    const both = joined(left, right, at);
    if (keeps === 'none') return { ...both, equals: [...both.equals, ...equals] };
    const pads = (kept: From, filled: From): boolean => kept.flow === 'none' && filled.flow !== 'none';
    const [l, r] = [keeps === 'left' || keeps === 'full', keeps === 'right' || keeps === 'full'];
    const lost = l && pads(left, right) ? right : r && pads(right, left) ? left : undefined;
    if (left.flow !== 'none' && right.flow !== 'none') this.meet(left, right, keeps, at, equals);
    const fill = ({ tables }: From, isFilled: boolean): ScopedRelation[] =>
      isFilled ? tables.map((table) => ({ ...table, relation: withoutKey(table.relation), padded: true })) : tables;
    const filled = [...(r ? left.tables : []), ...(l ? right.tables : [])];
    const aliases = (lost?.tables ?? filled).flatMap(({ alias, relation }) =>
      alias !== undefined && (lost === undefined || relation.flow !== 'none') ? [alias] : [],
    );
    const all = [...both.equals, ...equals];
    const one = { at, said, aliases: keeps === 'full' ? [] : aliases, end: this.at, tables: filled, equals: all };
    return {
      ...both,
      tables: [...fill(left, r), ...fill(right, l)],
      equals: [...(r ? [] : left.equals), ...(l ? [] : right.equals)],
      uses: [...(r ? left.uses.map(asValue) : left.uses), ...(l ? right.uses.map(asValue) : right.uses)],
      meets: [...left.meets, ...right.meets],
      padded: lost === undefined ? both.padded : [...both.padded, one],
      filled: lost === undefined ? [...both.filled, one] : both.filled,
    };
  }

  /** A row that finds none of its chunk would find none anywhere, where its condition asks for the same key. */
  private meet(left: From, right: From, keeps: Join['keeps'], at: number, equals: Equal[]): void {
    const keys = this.reading.key.length;
    const scope = this.scopeOf(left, right);
    for (const [one, other] of equals) scope.equate(one, other);
    const cut = ({ tables }: From): number[] =>
      tables.flatMap(({ id, relation, padded }) => (relation.flow === 'none' || padded ? [] : [id]));
    const [kept, filled] = keeps === 'right' ? [cut(right), cut(left)] : [cut(left), cut(right)];
    const shares = (one: number, others: number[]): boolean =>
      others.every((other) => scope.shareKey(one, other, keys));
    const all = keeps === 'full' ? [...kept, ...filled] : filled;
    if (!kept.some((one) => shares(one, all))) meetsItself(this.reading, at);
  }

  private join(): Join | undefined {
    const at = this.at;
    let i = at;
    const natural = this.code.is(i, 'natural');
    if (natural) i++;
    const side = this.code.is(i, 'left', 'right', 'full')
      ? (this.code.tokens[i]!.keyword as 'left' | 'right' | 'full')
      : 'none';
    const cross = this.code.is(i, 'cross');
    if (side !== 'none' || this.code.is(i, 'inner', 'cross')) i++;
    if (this.code.is(i, 'outer')) i++;
    if (i >= this.range.to || !this.code.is(i, 'join', 'straight_join')) return undefined;
    this.at = i + 1;
    return { keeps: side, at, said: `${side} join`, unconditional: natural || cross, natural };
  }

  private condition(left: From, right: From, scope: Scope): Pick<From, 'equals' | 'uses'> {
    const { code, reading } = this;
    if (!code.is(this.at, 'on', 'using') || this.at >= this.range.to) return { equals: [], uses: [] };
    const from = this.at + 1;
    const isList = code.is(this.at, 'using');
    this.at = this.boundary(from);
    if (isList) {
      const same = equalsOf(left, right, () => code.namesIn(from));
      const list = code.inside(from);
      return { equals: same.filter((equal) => counts(reading, equal, [list, list])), uses: [] };
    }
    const range = { from, to: this.at };
    const equals = equalities(reading, scope, range);
    for (const [one, other] of equals) scope.equate(one, other);
    return { equals, uses: subqueries(reading, range, this.names, 'condition', scope) };
  }

  /** Where what begins at `from` ends: before a join or a condition. */
  private boundary(from: number): number {
    const { code } = this;
    const ends = (i: number): boolean => {
      if (i === from || code.mark(i - 1, '.')) return false;
      if (code.is(i, 'left', 'right', 'full')) return code.is(i + 1, 'join', 'outer');
      if (code.is(i, 'natural')) return code.is(i + 1, 'join', 'inner', 'left', 'right', 'full');
      if (code.is(i, 'cross', 'inner')) return code.is(i + 1, 'join');
      if (code.is(i, 'using')) return code.mark(i + 1, '(');
      return code.is(i, 'join', 'straight_join', 'on');
    };
    return code.find({ from, to: this.range.to }, ends) ?? this.range.to;
  }

  /** One table with its alias, a subquery, or joins in parentheses. */
  private table(): From {
    const { code, reading, names } = this;
    const lateral = code.is(this.at, 'lateral');
    while (code.is(this.at, 'lateral', ...code.dialect.writeModifiers)) this.at++;
    const from = this.at;
    const to = this.boundary(from);
    this.at = to;
    const close = code.close(from);
    if (code.mark(from, '(') && close !== undefined && !code.isQuery(from)) {
      return readFrom(reading, code.inside(from), names, this.before);
    }
    if (code.mark(from, '(') && close !== undefined) {
      const place = lateral ? 'lateral' : 'rows';
      const outer = lateral ? this.scopeOf(this.before, NOTHING) : reading.outer;
      const relation = within(reading, outer, () => reading.readQuery(code.inside(from), names, place));
      return this.named(relation, { from: close + 1, to }, undefined);
    }
    const chain = code.chain(from, to);
    const after = chain.length === 0 ? from + 1 : from + chain.length * 2 - 1;
    if (chain.length > 0 && code.mark(after, '(')) return this.fromFunction(after, to);
    const relation = reading.relationAt(from, names);
    const isTable = relation.flow === 'none' && !names.has(nameAt(code, from));
    const own = { table: tableAt(code, from, names), ...(isTable && { at: from }) };
    return this.named(relation, { from: after, to }, chain.at(-1), own);
  }

  /** `unnest(array(select …))`. */
  private fromFunction(open: number, to: number): From {
    const before = this.scopeOf(this.before, NOTHING);
    const uses = subqueries(this.reading, this.code.inside(open), this.names, 'value', before);
    return { ...this.named(UNCUT, { from: (this.code.close(open) ?? open) + 1, to }, undefined), uses };
  }

  private named(
    relation: Relation,
    { from, to }: Range,
    ownName: string | undefined,
    { table: own, at: place }: { table?: string | undefined; at?: number } = {},
  ): From {
    const { code, reading } = this;
    const at = code.is(from, 'as') ? from + 1 : from;
    const isAlias = at < to && !code.is(at, ...NO_ALIAS);
    const alias = (isAlias ? code.name(at) : undefined) ?? ownName;
    const columns = isAlias ? code.namesIn(at + 1) : [];
    const known = renamed(relation, columns);
    const id = reading.nextTable();
    const equals = (known.links ?? []).flatMap((columns, key) =>
      columns.map((column): Equal => [column, `${id}#${key}`]),
    );
    // Other names for its columns, and nobody knows which those are.
    const table = {
      id,
      alias,
      relation: known,
      ...(own !== undefined && columns.length === 0 && { table: own }),
      ...(place !== undefined && { at: place }),
    };
    reading.tables.set(id, table);
    return { ...NOTHING, flow: relation.flow, tables: [table], equals };
  }
}

interface Join {
  /** Which side's rows all stay. */
  keeps: 'left' | 'right' | 'full' | 'none';
  at: number;
  said: string;
  unconditional: boolean;
  natural: boolean;
}

/** What does not choose rows, for those for which it does not hold come with NULLs. */
const asValue = (use: SubqueryUse): SubqueryUse => ({ ...use, how: 'value', required: false });

/** Columns of one name on both sides, but for those that an outer join fills with NULLs. */
function equalsOf(left: From, right: From, columns: (one: ScopedRelation, other: ScopedRelation) => string[]): Equal[] {
  const [ones, others] = [left, right].map(({ tables }) => tables.filter(({ padded }) => !padded)) as [
    ScopedRelation[],
    ScopedRelation[],
  ];
  return ones.flatMap((one) =>
    others.flatMap((other) =>
      columns(one, other).map((column): Equal => [`${one.id}.${column}`, `${other.id}.${column}`]),
    ),
  );
}

/** Which columns both sides have, only the server knows; but what SQL names is there. */
function naturalEquals(reading: Reading, left: From, right: From, at: number): Equal[] {
  const same = equalsOf(left, right, (one, other) => [...keyColumns(reading, one), ...keyColumns(reading, other)]);
  const natural = { from: at, to: at + 1 };
  return same.filter((equal) => counts(reading, equal, [natural, natural]));
}

/** Names under which a table has columns of the key. */
function keyColumns({ key }: Reading, { relation }: ScopedRelation): string[] {
  const names = [...(relation.columns ?? []).flatMap(({ name }) => name ?? []), ...key];
  return names.filter((name) => typeof relation.column(name) === 'number');
}
