/** Statements over a cut as nobody would write them, but as somebody might: of each place where rows may come from, be chosen, and be put together. */

/** Numbers from 0 to 1 that a seed says (mulberry32). */
export type Random = () => number;

export function randomOf(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Every table has these; `o` is the one that is cut, `t` and `u` are written to. */
export const COLUMNS = ['id', 'k', 'v'];

export interface Table {
  alias: string;
  columns: string[];
}

export interface From {
  text: string;
  tables: Table[];
}

/** What is read beside the cut; by a write, what is written to, too. */
const READ = ['{{ o | all }}', 'c', 'd'];

/** What stands in an exists, an `in` or beside a value is no table of the query. */
export type Place = 'rows' | 'scalar' | 'exists' | 'in';

/** One statement, in which `{{ o }}` stands once or not at all: what all servers take. What one has of its own, its maker adds. */
export abstract class StatementMaker {
  private aliases = 0;
  private isCutLeft = true;
  private withs: Table[] = [];
  private others = READ;

  constructor(private readonly random: Random) {}

  query(): string {
    this.begin();
    return `${this.with()}${this.rows(2, [], 2, 'rows')}`;
  }

  /** A write to `t`, or to `u`, whose rows are unique. */
  write(): string {
    this.begin();
    this.others = [...READ, 't', 'u'];
    return this.chance(0.2) ? this.known() : this.oneOf(this.writes())();
  }

  /** Rows of which `t` has some already, or has none, by what they are given or by something else. */
  private known(): string {
    const { text, tables } = this.from([], 1);
    const given = [this.column(tables), this.column(tables)];
    const other = this.chance(0.7) ? this.oneOf(given) : this.column(tables);
    const more = this.chance(0.3) ? ` and ${this.condition(tables, [], 1)}` : '';
    const asked = this.equality(this.column(KNOWN), other);
    return this.oneOf([
      () =>
        `insert into t (id, k) select ${given.join(', ')} from ${text} where ${this.oneOf(['', 'not '])}exists (select 1 from t y where ${asked}${more})`,
      () =>
        `insert into t (id, k) select ${given.join(', ')} from ${text} left join t y on ${asked} where y.id is null${more}`,
      () =>
        `insert into t (id, k, x) select ${given.join(', ')}, (select max(y.k) from t y where ${asked}) from ${text}`,
    ])();
  }

  protected abstract writes(): (() => string)[];
  protected abstract readonly joins: readonly string[];
  protected abstract readonly setOperators: readonly string[];
  /** Whether `lateral` may stand before a subquery. */
  protected abstract readonly hasLateral: boolean;
  /** Whether a window function may be what `exists`, `in`, `any` and `all` ask for: whether the server then answers as it should. */
  protected readonly asksForWindows: boolean = true;
  /** More forms of a condition that says that both are equal, or seems to. */
  protected abstract equality(one: string, other: string): string;
  /** More forms of a select, beside those of all servers. `isReadOnce`: not anew for each row of a query around. */
  protected abstract select(
    items: Items,
    from: string,
    tables: Table[],
    condition: () => string,
    isReadOnce: boolean,
  ): string;
  /** Rows without tables. */
  protected abstract values(width: number): string;
  /** What stands around a table, `sampled`. */
  protected table(text: string): string {
    return text;
  }

  private begin(): void {
    this.aliases = 0;
    this.isCutLeft = true;
    this.withs = [];
    this.others = READ;
  }

  protected with(): string {
    const texts: string[] = [];
    let isRecursive = false;
    for (let left = this.oneOf([0, 0, 0, 1, 1, 2]); left > 0; left--) {
      const alias = `w${this.withs.length}`;
      let rows = this.rows(2, [], 1, 'rows');
      if (this.chance(0.15)) {
        isRecursive = true;
        rows = `${this.plainSelect(2, [], 1)} ${this.recursion(alias)}`;
      }
      texts.push(`${alias} (p, q) as (${rows})`);
      this.withs.push({ alias, columns: ['p', 'q'] });
    }
    return texts.length === 0 ? '' : `with ${isRecursive ? 'recursive ' : ''}${texts.join(', ')} `;
  }

  /** It ends, for its first column grows. */
  private recursion(self: string): string {
    const { text, tables } = this.from([], 0);
    const itself = [{ alias: self, columns: ['p', 'q'] }];
    const next = this.column(tables);
    const [one, other] = [this.column(this.chance(0.5) ? itself : tables), this.column(itself)];
    const list = this.chance(0.2) ? `${next}, ${self}.p` : `${next}, ${one}`;
    return `union all select ${list} from ${text}, ${self} where ${self}.p < ${next} and ${this.equality(other, this.column(tables))}`;
  }

  protected rows(width: number, outer: Table[], depth: number, place: Place): string {
    let text = this.plainSelect(width, outer, depth, place);
    if (this.chance(0.13)) {
      const arm = this.chance(0.1) ? this.values(width) : this.plainSelect(width, outer, depth, place);
      text = `${text} ${this.oneOf(this.setOperators)} ${arm}`;
    }
    return place === 'scalar' ? `select max(s.p) from (${text}) s` : text;
  }

  private plainSelect(width: number, outer: Table[], depth: number, place: Place = 'rows'): string {
    const { text: from, tables } = this.from(outer, depth);
    const where = this.chance(0.5) ? ` where ${this.condition(tables, outer, depth)}` : '';
    const items: Items = (item) =>
      Array.from({ length: width }, (_, i) => `${item(i)} as ${i === 0 ? 'p' : 'q'}`).join(', ');
    const column = (): string => this.column(tables);
    const of = this.random();
    if (of < 0.56) {
      const distinct = this.chance(0.12) ? 'distinct ' : '';
      return `select ${distinct}${items(() => this.expression(tables, outer, depth))} from ${from}${where}`;
    }
    if (of < 0.8) {
      const by = [...new Set(this.oneOf([[column()], [column()], [column(), column()]]))];
      const counts = (): string => this.oneOf(['count(*)', `count(${column()})`, `max(${column()})`]);
      const having = this.chance(0.2) ? ' having count(*) > 1' : '';
      const list = items(() => (this.chance(0.6) ? this.oneOf(by) : counts()));
      return `select ${list} from ${from}${where} group by ${by.join(', ')}${having}`;
    }
    if (of < 0.83) return `select ${items(() => `max(${column()})`)} from ${from}${where}`;
    if (of < 0.9 && (place === 'rows' || place === 'scalar' || this.asksForWindows)) {
      const parts = `partition by ${column()}${this.chance(0.3) ? `, ${column()}` : ''}`;
      const asked = this.oneOf(['count(*)', `max(${column()})`]);
      const [over, window] = this.oneOf<[string, string]>([
        [`${asked} over (${parts})`, ''],
        [`rank() over (${parts} order by ${column()})`, ''],
        [`${asked} over w`, ` window w as (${parts})`],
      ]);
      return `select ${items((i) => (i === 0 ? over : column()))} from ${from}${where}${window}`;
    }
    if (of >= 0.9 && of < 0.92)
      return `select ${items(column)} from ${from}${where} order by ${width === 1 ? '1' : '1, 2'} limit ${width}`;
    const deeper = (): string => this.condition(tables, outer, depth - 1);
    return this.select(items, `${from}${where}`, tables, deeper, place === 'rows' && outer.length === 0);
  }

  protected from(outer: Table[], depth: number): From {
    let { text, tables } = this.item(outer, depth);
    for (let joins = this.oneOf([0, 0, 1, 1, 2]); joins > 0; joins--) {
      const other = this.item([...tables, ...outer], depth);
      text = this.join({ text, tables }, other, outer, depth);
      tables = [...tables, ...other.tables];
    }
    return { text, tables };
  }

  private join(one: From, other: From, outer: Table[], depth: number): string {
    const of = this.random();
    if (of < 0.15) return `${one.text}, ${other.text}`;
    if (of < 0.22) return `${one.text} cross join ${other.text}`;
    const kind = this.oneOf(this.joins);
    const isShared = (column: string): boolean =>
      one.tables.filter(({ columns }) => columns.includes(column)).length === 1;
    const shared = other.tables.length === 1 ? other.tables[0]!.columns.filter(isShared) : [];
    if (kind.endsWith(' join') && shared.length > 0 && this.chance(0.15))
      return `${one.text} ${kind} ${other.text} using (${this.oneOf(shared)})`;
    if (kind.endsWith(' join') && kind !== 'full join' && this.chance(0.04))
      return `${one.text} natural ${kind} ${other.text}`;
    const equal = this.equality(this.column(one.tables), this.column(other.tables));
    if (kind === 'full join') return `${one.text} ${kind} ${other.text} on ${equal}`;
    const both = [...one.tables, ...other.tables];
    const more = this.chance(0.25) ? ` and ${this.condition(both, outer, depth - 1)}` : '';
    return `${one.text} ${kind} ${other.text} on ${this.chance(0.75) ? `${equal}${more}` : this.condition(both, [], depth - 1)}`;
  }

  private item(outer: Table[], depth: number): From {
    const alias = `a${this.aliases++}`;
    const of = this.random();
    if (this.withs.length > 0 && of < 0.3) {
      const known = this.oneOf(this.withs);
      return { text: `${known.alias} ${alias}`, tables: [{ alias, columns: known.columns }] };
    }
    const name = this.isCutLeft && of < 0.6 ? '{{ o }}' : this.oneOf(this.others);
    const own = [{ alias, columns: name === 'u' ? ['id', 'k'] : COLUMNS }];
    if (name === '{{ o }}') this.isCutLeft = false;
    if (name === '{{ o }}' && this.chance(0.1)) {
      const where = this.chance(0.5) ? '' : ` where ${this.equality('x.k', 'x.v')}`;
      return { text: `(select ${this.oneOf(['*', 'x.*'])} from ${name} x${where}) ${alias}`, tables: own };
    }
    if (name !== '{{ o }}' && of > 0.84 && depth > 0) {
      const lateral = this.hasLateral && this.chance(0.3);
      const rows = this.rows(2, lateral ? outer : [], depth - 1, 'rows');
      return { text: `${lateral ? 'lateral ' : ''}(${rows}) ${alias}`, tables: [{ alias, columns: ['p', 'q'] }] };
    }
    return { text: this.table(`${name} ${alias}`), tables: own };
  }

  protected condition(tables: Table[], outer: Table[], depth: number): string {
    const all = [...tables, ...outer];
    const of = this.random();
    const equal = (): string => this.equality(this.column(tables), this.column(all));
    const deeper = (): string => this.condition(tables, outer, depth - 1);
    if (depth <= 0 || of < 0.4) {
      const one = this.column(all);
      return this.oneOf([
        equal,
        equal,
        equal,
        equal,
        () => this.oneOf([`${one} > 1`, `${one} is not null`, `${one} is null`, `${one} <> 2`, `${one} in (1, 2)`]),
        () => `(${this.column(tables)}, ${this.column(tables)}) = (${this.column(all)}, ${this.column(all)})`,
      ])();
    }
    if (of < 0.52) return `${deeper()} and ${deeper()}`;
    if (of < 0.57) return `(${deeper()} or ${deeper()})`;
    if (of < 0.6) return `not (${deeper()})`;
    const not = this.chance(0.25) ? 'not ' : '';
    if (of < 0.76) return `${not}exists (${this.rows(1, all, depth - 1, 'exists')})`;
    if (of < 0.8) return `(${this.column(all)}, ${this.column(all)}) ${not}in (${this.rows(2, all, depth - 1, 'in')})`;
    const asked = this.rows(1, all, depth - 1, 'in');
    if (of < 0.9) return `${this.column(all)} ${not}in (${asked})`;
    return `${this.column(all)} ${this.oneOf(['= any', '>= any', '>= all', '= some', '<> all'])} (${asked})`;
  }

  protected expression(tables: Table[], outer: Table[], depth: number): string {
    const all = this.chance(0.15) ? [...tables, ...outer] : tables;
    const of = this.random();
    if (of < 0.7 || depth <= 0) return this.column(all);
    if (of < 0.8) return `coalesce(${this.column(all)}, 0)`;
    if (of < 0.9) return `${this.column(all)} + ${this.column(all)}`;
    if (of < 0.95) return `case when ${this.condition(tables, outer, depth - 1)} then ${this.column(all)} else 0 end`;
    return `(${this.rows(1, [...tables, ...outer], depth - 1, 'scalar')})`;
  }

  protected column(tables: Table[]): string {
    const { alias, columns } = this.oneOf(tables);
    return `${alias}.${this.oneOf(columns)}`;
  }

  protected oneOf<Choice>(choices: readonly Choice[]): Choice {
    return choices[Math.floor(this.random() * choices.length)]!;
  }

  protected chance(share: number): boolean {
    return this.random() < share;
  }
}

/** A select's list, of as many items as are wanted. */
export type Items = (item: (i: number) => string) => string;

/** The target of a write, as a table of its query. */
export const TARGET: Table[] = [{ alias: 't', columns: COLUMNS }];

const KNOWN: Table[] = [{ alias: 'y', columns: ['id', 'k'] }];
