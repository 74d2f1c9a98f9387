import { StatementMaker, TARGET, type Items, type Table } from './cut-statements.ts';

const PLAIN = ['join', 'join', 'join', 'left join', 'left join', 'right join', 'full join'];

/** What PostgreSQL has of its own: merge, `distinct on`, grouping sets, `filter`, writes in `with`, samples, locks. */
export class PostgresStatements extends StatementMaker {
  protected readonly joins = PLAIN;
  protected readonly setOperators = ['union', 'union all', 'union all', 'intersect', 'except', 'intersect all'];
  protected readonly hasLateral = true;

  protected writes(): (() => string)[] {
    const joined = (word: string): string => {
      const { text, tables } = this.from([], 1);
      const condition = this.condition([...TARGET, ...tables], [], 1);
      return `${word} ${text} where ${this.equality(this.column(TARGET), this.column(tables))} and ${condition}`;
    };
    const upsert = `on conflict (coalesce(id, -1), coalesce(k, -1)) do update set`;
    return [
      () => `${this.with()}update t set x = 1 where ${this.condition(TARGET, [], 2)}`,
      () => `${this.with()}update t set x = 1 ${joined('from')}`,
      () =>
        `${this.with()}update t set x = coalesce(t.x, 0) + s.n from ${this.counted()} s where ${this.column(TARGET)} = s.p`,
      () => `${this.with()}delete from t where ${this.condition(TARGET, [], 2)}`,
      () => `${this.with()}delete from t ${joined('using')}`,
      () => `${this.with()}insert into u (id, k) ${this.rows(2, [], 1, 'rows')} on conflict do nothing`,
      () =>
        `${this.with()}insert into u (id, x) select s.p, s.n from ${this.counted()} s ${upsert} x = coalesce(u.x, 0) + excluded.x`,
      () =>
        `${this.with()}insert into u (id, k) select distinct s.* from (${this.rows(2, [], 1, 'rows')}) s ${upsert} x = 1`,
      () => this.moved(),
      () => this.merge(),
    ];
  }

  /** How many rows there are of each value. */
  private counted(): string {
    return `(select s.p, count(*) as n from (${this.rows(1, [], 1, 'rows')}) s group by s.p)`;
  }

  private moved(): string {
    const gone = this.oneOf([
      () => `delete from t where ${this.condition(TARGET, [], 2)} returning t.id, t.k`,
      () => `update t set x = 2 where ${this.condition(TARGET, [], 2)} returning id, k`,
    ])();
    return `with g as (${gone}) insert into u (id, k) select id, k from g on conflict do nothing`;
  }

  private merge(): string {
    const source = `select distinct s.p from (${this.rows(1, [], 1, 'rows')}) s (p) where s.p is not null`;
    const what = this.oneOf(['update set x = 1', 'update set x = coalesce(t.x, 0) + 1', 'delete', 'do nothing']);
    const matched = `when matched ${this.oneOf(['and t.k > 1 ', ''])}then ${what}`;
    const missed = this.chance(0.5) ? ' when not matched then insert (id, x) values (s.p, 2)' : '';
    return `${this.with()}merge into t using (${source}) s on t.id = s.p ${matched}${missed}`;
  }

  protected override equality(one: string, other: string): string {
    if (this.chance(0.7)) return `${one} = ${other}`;
    return this.oneOf([
      `${one} is not distinct from ${other}`,
      `${one}::text = ${other}::text`,
      `${one} = ${other}::numeric`,
      `cast(${one} as bigint) = ${other}`,
      `${one} = abs(${other})`,
      `${one} = coalesce(${other}, 0)`,
      `${one} = any (array[${other}, 1])`,
      `${one} in (${other}, 2)`,
      `(${one} = ${other}) is true`,
      `(${one} = ${other}) is not null`,
      `${one} = ${other} collate "C"`,
    ]);
  }

  protected override select(items: Items, from: string, tables: Table[], condition: () => string): string {
    const column = (): string => this.column(tables);
    const [one, other] = [column(), column()];
    const by = (list: string): string =>
      `select ${items((i) => (i === 0 ? one : 'count(*)'))} from ${from} group by ${list}`;
    return this.oneOf([
      () => `select distinct on (${one}) ${items(() => '1')} from ${from}`,
      () => `select distinct on (${one}, ${other}) ${items(() => one)} from ${from}`,
      () => by(`grouping sets ((${one}), (${one}, ${other}))`),
      () => by(`rollup (${one})`),
      () => by(`cube (${one}, ${other})`),
      () => by(`grouping sets ((${one}, ${other}))`),
      () =>
        `select ${items((i) => (i === 0 ? one : `count(*) filter (where ${condition()})`))} from ${from} group by ${one}`,
      () =>
        `select ${items((i) => (i === 0 ? one : `percentile_disc(0.5) within group (order by ${other})`))} from ${from} group by 1`,
      () => `select ${items(() => `count(*) filter (where ${condition()}) over (partition by ${one})`)} from ${from}`,
      () => `select ${items(() => other)} from ${from} for update skip locked`,
      () => `select ${items((i) => (i === 0 ? other : `generate_series(1, ${one})`))} from ${from}`,
      () => `select ${items((i) => (i === 0 ? `row_number() over (partition by ${one})` : one))} from ${from}`,
      () => `select ${items((i) => (i === 0 ? one : `any_value(${other})`))} from ${from} group by ${one}, ${other}`,
    ])();
  }

  protected override values(width: number): string {
    return width === 1 ? 'values (1)' : 'values (1, 2)';
  }

  protected override table(text: string): string {
    return text.startsWith('{{') || !this.chance(0.05) ? text : `${text} tablesample bernoulli (100)`;
  }
}
