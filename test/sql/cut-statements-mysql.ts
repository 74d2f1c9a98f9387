import { StatementMaker, TARGET, type Items, type Random, type Table } from './cut-statements.ts';

/** What MySQL and MariaDB have of their own: writes to joins, `straight_join`, `<=>`, rollup, replace, `on duplicate key`. */
export class MysqlStatements extends StatementMaker {
  protected readonly joins = ['join', 'join', 'join', 'left join', 'left join', 'right join', 'straight_join'];
  protected readonly setOperators = ['union', 'union all', 'union all', 'intersect', 'except'];
  protected readonly hasLateral: boolean;
  protected override readonly asksForWindows: boolean;

  constructor(
    random: Random,
    private readonly flavour: 'MySQL' | 'MariaDB',
  ) {
    super(random);
    this.hasLateral = flavour === 'MySQL';
    // MariaDB 10.11 makes `0 not in (select count(*) over () from …)` an `exists` of that subquery, without the comparison, where it names a
    // row of the query around: what it gives goes by the row that was asked before. An `exists` of a window over no rows may be true.
    this.asksForWindows = flavour === 'MySQL';
  }

  protected writes(): (() => string)[] {
    const first = (): string => (this.flavour === 'MySQL' ? this.with() : '');
    const rows = (): string => `${this.with()}${this.rows(2, [], 1, 'rows')}`;
    const where = (): string => `where ${this.condition(TARGET, [], 2)}`;
    return [
      () => `${first()}update t set x = 1 ${where()}`,
      () => `${first()}update ${this.joinedWithTarget('set t.x = 1')}`,
      () =>
        `${first()}update t join ${this.counted()} s on ${this.column(TARGET)} = s.p set t.x = coalesce(t.x, 0) + s.n`,
      () => `${first()}delete from t ${where()}`,
      () => `${first()}delete t from ${this.joinedWithTarget('')}`,
      () => `${first()}delete from t using ${this.joinedWithTarget('')}`,
      () => `insert ignore into u (id, k) ${rows()}`,
      () => `replace into u (id, k) ${rows()}`,
      () => `insert into u (id, k) ${rows()} on duplicate key update x = ${this.oneOf(['1', 'coalesce(u.x, 0) + 1'])}`,
      () =>
        `insert into u (id, x) select s.p, s.n from ${this.counted()} s on duplicate key update x = coalesce(u.x, 0) + s.n`,
      () => `insert ignore into u set id = 1, k = (${this.rows(1, [], 1, 'scalar')})`,
      () => `insert ignore into u (id, k) select s.* from (${rows()}) s`,
    ];
  }

  /** `t join …`, or the other way about. */
  private joinedWithTarget(set: string): string {
    const { text, tables } = this.from([], 1);
    const on = this.equality(this.column(TARGET), this.column(tables));
    const condition = (): string => this.condition([...TARGET, ...tables], [], 1);
    return this.oneOf([
      () => `t join ${text} on ${on} ${set}`,
      () => `t straight_join ${text} on ${on} ${set}`,
      () => `t left join (${text}) on ${on} ${set} where ${condition()}`,
      () => `(${text}) left join t on ${on} ${set} where ${condition()}`,
      () => `(${text}) join t on ${on} and ${condition()} ${set}`,
      () => `${text}, t ${set} where ${on} and ${condition()}`,
      () => `t natural join ${text} ${set}`,
    ])();
  }

  private counted(): string {
    return `(select s.p, count(*) as n from (${this.rows(1, [], 1, 'rows')}) s group by s.p)`;
  }

  protected override equality(one: string, other: string): string {
    if (this.chance(0.7)) return `${one} = ${other}`;
    return this.oneOf([
      `${one} <=> ${other}`,
      `cast(${one} as char) = ${other}`,
      `${one} = ${other} + 0`,
      `${one} = abs(${other})`,
      `${one} = ifnull(${other}, 0)`,
      `${one} in (${other}, 2)`,
      `(${one} = ${other}) is true`,
      `${one} = ${other} || ${one} = 1`,
      `${one} = ${other} && ${one} <> 9`,
      `not ${one} <> ${other}`,
      `! (${one} <> ${other})`,
      `${one} = ${other} xor ${one} = 1`,
      `${one} = ${other} = 1`,
      `${one} like ${other}`,
    ]);
  }

  protected override select(
    items: Items,
    from: string,
    tables: Table[],
    condition: () => string,
    isReadOnce: boolean,
  ): string {
    const [one, other] = [this.column(tables), this.column(tables)];
    const by = (list: string): string =>
      `select ${items((i) => (i === 0 ? one : 'count(*)'))} from ${from} group by ${list}`;
    return this.oneOf([
      () => by(`${one} with rollup`),
      () => by(`${one}, ${other} with rollup`),
      () => `select ${items((i) => (i === 0 ? one : `sum(${condition()})`))} from ${from} group by 1`,
      () =>
        `select ${items((i) => (i === 0 ? one : `group_concat(${other} order by ${other})`))} from ${from} group by p`,
      () => `select distinctrow ${items(() => one)} from ${from}`,
      () => `select straight_join ${items(() => one)} from ${from}`,
      () => `select sql_big_result distinct ${items(() => one)} from ${from}`,
      // Else how far it counts goes by how often it is read.
      () => `select ${items((i) => (i === 0 || !isReadOnce ? one : `@n := coalesce(@n, 0) + 1`))} from ${from}`,
      () => `select ${items(() => one)} from ${from} for update`,
      () => `select ${items(() => one)} from ${from} order by 1 limit 1, 2`,
      () => `select ${items((i) => (i === 0 ? one : `if(${condition()}, ${other}, 0)`))} from ${from}`,
    ])();
  }

  protected override values(width: number): string {
    const row = width === 1 ? '(1)' : '(1, 2)';
    return this.flavour === 'MySQL' ? `values row${row}` : `values ${row}`;
  }
}
