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

interface Table {
  alias: string;
  columns: string[];
}

interface From {
  text: string;
  tables: Table[];
}

type Place = 'rows' | 'scalar' | 'exists' | 'in';

/** One statement for PostgreSQL, in which `{{ o }}` stands once or not at all. */
export class StatementMaker {
  private aliases = 0;
  private isCutLeft = true;
  private withs: Table[] = [];

  constructor(private readonly random: Random) {}

  query(): string {
    this.begin();
    return `${this.with()}${this.rows(2, [], 2, 'rows')}`;
  }

  /** A write to `t`, or to `u`, whose rows are unique. */
  write(): string {
    this.begin();
    const withs = this.with();
    const t = [{ alias: 't', columns: COLUMNS }];
    const joined = (word: string): string => {
      const { text, tables } = this.from([], 1);
      const condition = this.condition([...t, ...tables], [], 1);
      return `${word} ${text} where ${this.column(t)} = ${this.column(tables)} and ${condition}`;
    };
    return `${withs}${this.oneOf([
      () => `update t set x = 1 where ${this.condition(t, [], 2)}`,
      () => `update t set x = 1 ${joined('from')}`,
      () => `delete from t where ${this.condition(t, [], 2)}`,
      () => `delete from t ${joined('using')}`,
      () => `insert into u (id, k) ${this.rows(2, [], 1, 'rows')} on conflict do nothing`,
      () => this.merge(),
    ])()}`;
  }

  private merge(): string {
    const source = `select distinct s.p from (${this.rows(1, [], 1, 'rows')}) s (p) where s.p is not null`;
    const matched = `when matched ${this.oneOf(['and t.k > 1 ', ''])}then update set x = 1`;
    const missed = this.chance(0.5) ? ' when not matched then insert (id, x) values (s.p, 2)' : '';
    return `merge into t using (${source}) s on t.id = s.p ${matched}${missed}`;
  }

  private begin(): void {
    this.aliases = 0;
    this.isCutLeft = true;
    this.withs = [];
  }

  private with(): string {
    const texts: string[] = [];
    for (let left = this.oneOf([0, 0, 0, 1, 1, 2]); left > 0; left--) {
      const alias = `w${this.withs.length}`;
      texts.push(`${alias} (p, q) as (${this.rows(2, [], 1, 'rows')})`);
      this.withs.push({ alias, columns: ['p', 'q'] });
    }
    return texts.length === 0 ? '' : `with ${texts.join(', ')} `;
  }

  private rows(width: number, outer: Table[], depth: number, place: Place): string {
    let text = this.select(width, outer, depth);
    if (this.chance(0.13)) {
      const operator = this.oneOf(['union', 'union all', 'union all', 'intersect', 'except', 'intersect all']);
      text = `${text} ${operator} ${this.select(width, outer, depth)}`;
    }
    return place === 'scalar' ? `select max(s.x) from (${text}) s (x)` : text;
  }

  private select(width: number, outer: Table[], depth: number): string {
    const { text: from, tables } = this.from(outer, depth);
    const where = this.chance(0.5) ? ` where ${this.condition(tables, outer, depth)}` : '';
    const items = (item: (i: number) => string): string => Array.from({ length: width }, (_, i) => item(i)).join(', ');
    const column = (): string => this.column(tables);
    const of = this.random();
    if (of < 0.6) {
      const distinct = this.chance(0.12) ? 'distinct ' : '';
      return `select ${distinct}${items(() => this.expression(tables, outer, depth))} from ${from}${where}`;
    }
    if (of < 0.84) {
      const by = [...new Set(this.oneOf([[column()], [column()], [column(), column()]]))];
      const counts = (): string => this.oneOf(['count(*)', `sum(${column()})`, `max(${column()})`]);
      const having = this.chance(0.2) ? ' having count(*) > 1' : '';
      const list = items(() => (this.chance(0.6) ? this.oneOf(by) : counts()));
      return `select ${list} from ${from}${where} group by ${by.join(', ')}${having}`;
    }
    if (of < 0.87) return `select ${items(() => `max(${column()})`)} from ${from}${where}`;
    if (of < 0.94) {
      const over = `count(*) over (partition by ${column()}${this.chance(0.3) ? `, ${column()}` : ''})`;
      return `select ${items((i) => (i === 0 ? over : column()))} from ${from}${where}`;
    }
    if (of < 0.97) return `select distinct on (${column()}) ${items(() => '1')} from ${from}${where}`;
    return `select ${items(column)} from ${from}${where} order by ${items((i) => String(i + 1))} limit ${width}`;
  }

  private from(outer: Table[], depth: number): From {
    let { text, tables } = this.table(outer, depth);
    for (let joins = this.oneOf([0, 0, 1, 1, 2]); joins > 0; joins--) {
      const other = this.table([...tables, ...outer], depth);
      text = this.join({ text, tables }, other, outer, depth);
      tables = [...tables, ...other.tables];
    }
    return { text, tables };
  }

  private join(one: From, other: From, outer: Table[], depth: number): string {
    const of = this.random();
    if (of < 0.15) return `${one.text}, ${other.text}`;
    if (of < 0.22) return `${one.text} cross join ${other.text}`;
    const kind = this.oneOf(['join', 'join', 'join', 'left join', 'left join', 'right join', 'full join']);
    const isShared = (column: string): boolean =>
      one.tables.filter(({ columns }) => columns.includes(column)).length === 1;
    const shared = other.tables.length === 1 ? other.tables[0]!.columns.filter(isShared) : [];
    if (shared.length > 0 && this.chance(0.15))
      return `${one.text} ${kind} ${other.text} using (${this.oneOf(shared)})`;
    const equal = `${this.column(one.tables)} = ${this.column(other.tables)}`;
    if (kind === 'full join') return `${one.text} ${kind} ${other.text} on ${equal}`;
    const both = [...one.tables, ...other.tables];
    const more = this.chance(0.25) ? ` and ${this.condition(both, outer, depth - 1)}` : '';
    return `${one.text} ${kind} ${other.text} on ${this.chance(0.75) ? `${equal}${more}` : this.condition(both, [], depth - 1)}`;
  }

  private table(outer: Table[], depth: number): From {
    const alias = `a${this.aliases++}`;
    const of = this.random();
    if (this.withs.length > 0 && of < 0.3) {
      const known = this.oneOf(this.withs);
      return { text: `${known.alias} ${alias}`, tables: [{ alias, columns: known.columns }] };
    }
    if (this.isCutLeft && of < 0.6) {
      this.isCutLeft = false;
      return { text: `{{ o }} ${alias}`, tables: [{ alias, columns: COLUMNS }] };
    }
    if (of > 0.84 && depth > 0) {
      const lateral = this.chance(0.3);
      const rows = this.rows(2, lateral ? outer : [], depth - 1, 'rows');
      return {
        text: `${lateral ? 'lateral ' : ''}(${rows}) ${alias} (p, q)`,
        tables: [{ alias, columns: ['p', 'q'] }],
      };
    }
    return { text: `${this.oneOf(['{{ o | all }}', 'c', 'd'])} ${alias}`, tables: [{ alias, columns: COLUMNS }] };
  }

  private condition(tables: Table[], outer: Table[], depth: number): string {
    const all = [...tables, ...outer];
    const of = this.random();
    const equal = (): string => `${this.column(tables)} = ${this.column(all)}`;
    const deeper = (): string => this.condition(tables, outer, depth - 1);
    if (depth <= 0 || of < 0.4) {
      const one = this.column(all);
      return this.oneOf([
        equal(),
        equal(),
        equal(),
        `${one} > 1`,
        `${one} is not null`,
        `${one} is null`,
        `${one} <> 2`,
      ]);
    }
    if (of < 0.52) return `${deeper()} and ${deeper()}`;
    if (of < 0.57) return `(${deeper()} or ${deeper()})`;
    if (of < 0.6) return `not (${deeper()})`;
    const not = this.chance(0.25) ? 'not ' : '';
    if (of < 0.76) return `${not}exists (${this.rows(1, all, depth - 1, 'exists')})`;
    const asked = this.rows(1, all, depth - 1, 'in');
    if (of < 0.9) return `${this.column(all)} ${not}in (${asked})`;
    return `${this.column(all)} ${this.oneOf(['= any', '>= any', '>= all'])} (${asked})`;
  }

  private expression(tables: Table[], outer: Table[], depth: number): string {
    const all = this.chance(0.15) ? [...tables, ...outer] : tables;
    const of = this.random();
    if (of < 0.7 || depth <= 0) return this.column(all);
    if (of < 0.8) return `coalesce(${this.column(all)}, 0)`;
    if (of < 0.9) return `${this.column(all)} + ${this.column(all)}`;
    if (of < 0.95) return `case when ${this.condition(tables, outer, depth - 1)} then ${this.column(all)} else 0 end`;
    return `(${this.rows(1, [...tables, ...outer], depth - 1, 'scalar')})`;
  }

  private column(tables: Table[]): string {
    const { alias, columns } = this.oneOf(tables);
    return `${alias}.${this.oneOf(columns)}`;
  }

  private oneOf<Choice>(choices: readonly Choice[]): Choice {
    return choices[Math.floor(this.random() * choices.length)]!;
  }

  private chance(share: number): boolean {
    return this.random() < share;
  }
}
