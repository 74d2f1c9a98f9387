import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LandingDefinition, LoadDefinition } from '../../src/config/definition.ts';
import { landingColumns } from '../../src/copy/landing-columns.ts';
import { SourceError } from '../../src/copy/copy-rows.ts';
import { planLanding } from '../../src/copy/plan-landing.ts';
import { Ends, isMysql, pairs, type AnyServer } from './ends.ts';

interface Case {
  type: string;
  into: string;
  /** Values as SQL writes them. */
  kept: string[];
  invalid: string[];
}

const FROM_POSTGRES: Case[] = [
  {
    type: 'double precision',
    into: 'double',
    kept: ['1.5', '-1.7976931348623157e308'],
    invalid: ["'NaN'", "'-Infinity'"],
  },
  { type: 'real', into: 'float', kept: ['1.5'], invalid: ["'NaN'", "'Infinity'"] },
  {
    type: 'numeric',
    into: 'decimal(20,4)',
    kept: ['1.5', '-9999999999999999.9999'],
    invalid: ["'NaN'", "'Infinity'", '1e16', '0.00001'],
  },
  {
    type: 'numeric(20,0)',
    into: 'int',
    kept: ['2147483647', '-2147483648'],
    invalid: ['2147483648', '-2147483649', "'NaN'"],
  },
  { type: 'numeric(20,0)', into: 'bigint', kept: ['9223372036854775807'], invalid: ['9223372036854775808', "'NaN'"] },
  { type: 'numeric(3,0)', into: 'smallint unsigned', kept: ['0', '999'], invalid: ['-1', "'NaN'"] },
  { type: 'numeric(3,0)', into: 'int', kept: ['-999'], invalid: ["'NaN'"] },
  { type: 'bigint', into: 'smallint unsigned', kept: ['0', '65535'], invalid: ['-1', '65536'] },
  { type: 'integer', into: 'decimal(5,2)', kept: ['999', '-999'], invalid: ['1000', '-1000'] },
  {
    type: 'date',
    into: 'date',
    kept: ["'0001-01-01'", "'9999-12-31'"],
    invalid: ["'infinity'", "'0044-03-15 BC'", "'10000-01-01'"],
  },
  {
    type: 'timestamp',
    into: 'datetime(6)',
    kept: ["'9999-12-31 23:59:59'"],
    invalid: ["'-infinity'", "'12345-01-01'"],
  },
  {
    type: 'timestamptz',
    into: 'datetime(6)',
    kept: ["'0001-01-01 00:00:00+00'", "'9999-12-31 23:59:59.999999+00'"],
    invalid: ["'0001-12-31 23:59:59+00 BC'", "'10000-01-01 00:00:00+00'", "'-infinity'"],
  },
  {
    type: 'timestamptz',
    into: 'timestamp(6)',
    kept: ["'1970-01-01 00:00:01+00'", "'2038-01-19 03:14:07+00'"],
    invalid: ["'1969-12-31 23:59:59+00'", "'2038-01-19 03:14:08+00'", "'infinity'"],
  },
];

const FROM_MYSQL: Case[] = [
  {
    type: 'date',
    into: 'date',
    kept: ["'2026-02-28'", "'0001-01-01'"],
    invalid: ["'0000-00-00'", "'2026-00-10'", "'2026-02-31'", "'0000-05-01'"],
  },
  {
    type: 'datetime',
    into: 'timestamp(0)',
    kept: ["'9999-12-31 23:59:59'"],
    invalid: ["'0000-00-00 00:00:00'", "'2026-01-00 10:00:00'"],
  },
  { type: 'time(6)', into: 'time', kept: ["'00:00:00'", "'23:59:59.999999'"], invalid: ["'-00:00:01'", "'838:59:59'"] },
  { type: 'bigint unsigned', into: 'bigint', kept: ['9223372036854775807'], invalid: ['9223372036854775808'] },
  { type: 'int', into: 'smallint', kept: ['-32768', '32767'], invalid: ['-32769', '32768'] },
  { type: 'tinyint(1)', into: 'boolean', kept: ['0', '1'], invalid: ['2', '-1'] },
  {
    type: 'decimal(20,0)',
    into: 'integer',
    kept: ['2147483647', '-2147483648'],
    invalid: ['2147483648', '-2147483649'],
  },
  { type: 'decimal(12,2)', into: 'numeric(4,2)', kept: ['99.99'], invalid: ['100.00'] },
  { type: 'varchar(20)', into: 'text', kept: ["'plain'"], invalid: ["concat('a', char(0), 'b')"] },
];

/** Within the family, where nothing is refused beforehand but what would be changed without a word. */
const POSTGRES_ALONE: Case[] = [
  { type: 'numeric(20,0)', into: 'integer', kept: ['2147483647'], invalid: ['2147483648', "'NaN'"] },
  { type: 'numeric', into: 'bigint', kept: ['-9223372036854775808'], invalid: ['1.5', '1e19', "'NaN'", "'Infinity'"] },
  { type: 'numeric(3,0)', into: 'integer', kept: ['-999'], invalid: ["'NaN'"] },
  { type: 'numeric(3,-2)', into: 'smallint', kept: ['32700', '-32700'], invalid: ['32800', '-32800'] },
];

/** Numbers that MySQL's JSON would round; a JSON of MariaDB is a text. */
const JSONS: Case[] = [
  {
    type: 'jsonb',
    into: 'json',
    kept: [`'[0.1, 18446744073709551615, "0.12345678901234567890"]'`, `'[1.7976931348623157e308, 5e-324, 0.00]'`],
    invalid: [
      `'[0.12345678901234567890]'`,
      `'{"a": {"b": 12345678901234567890123}}'`,
      `'[1e400]'`,
      `'[-1.7976931348623158e308]'`,
      `'[4e-324]'`,
      `'[1e-400]'`,
    ],
  },
];
const OWN_JSONS: Case[] = [
  {
    type: 'json',
    into: 'json',
    kept: [`json_object('price', cast('1.50' as decimal(10,2)), 'text', '0.12345678901234567890')`],
    invalid: [
      `json_object('price', cast('0.12345678901234567890' as decimal(30,20)))`,
      `json_array(json_array(cast('12345678901234567890123' as decimal(30,0))))`,
    ],
  },
];

const casesOf = (from: AnyServer, into: AnyServer): Case[] => {
  const intoMysql = isMysql(into) && into.flavour === 'MySQL';
  if (!isMysql(from) && !isMysql(into)) return POSTGRES_ALONE;
  if (!isMysql(from)) return [...FROM_POSTGRES, ...(intoMysql ? JSONS : [])];
  if (!isMysql(into)) return FROM_MYSQL;
  const numbers = { type: 'bigint unsigned', into: 'bigint', kept: ['1'], invalid: ['9223372036854775808'] };
  if (into.flavour === 'MariaDB')
    return [numbers, { type: 'int', into: 'smallint', kept: ['32767'], invalid: ['32768'] }];
  // MariaDB takes dates with zeros, which MySQL refuses.
  const dates = { type: 'date', into: 'date', kept: ["'2026-02-28'"], invalid: ["'0000-00-00'", "'2026-00-10'"] };
  return [dates, numbers, ...(from.flavour === 'MySQL' ? OWN_JSONS : [])];
};

/** A database of PostgreSQL has a zone of its own, in which its sessions are: one further east, one further west. */
const zonesOf = (from: AnyServer): string[] => (isMysql(from) ? ['UTC'] : ['Europe/Berlin', 'America/New_York']);

const ways = (await pairs()).flatMap((way) => zonesOf(way.from).map((zone) => ({ ...way, zone })));

describe.each(ways)('values that $target cannot keep, from $source in $zone', { timeout: 120_000 }, (way) => {
  const { from, into, zone } = way;
  let ends: Ends;
  const cases = casesOf(from, into);
  beforeAll(async () => {
    ends = await Ends.create(from, into);
    if (!isMysql(from)) await ends.setZone('source', zone);
    const columns = cases.map(({ type }, i) => `c${i} ${type}`).join(', ');
    await ends.sql('source', `create table t (id int, ${columns})`);
    const session = await ends.source.openSession('test fill');
    if (isMysql(from)) await session.query({ strings: [`set session sql_mode = 'allow_invalid_dates'`], values: [] });
    let id = 0;
    for (const [i, { kept, invalid }] of cases.entries()) {
      for (const value of [...kept, ...invalid]) {
        await session.query({ strings: [`insert into t (id, c${i}) values (${(id += 1)}, ${value})`], values: [] });
      }
    }
    await session.close();
    await ends.sql(
      'target',
      `create table landing (id int, ${cases.map(({ into }, i) => `c${i} ${into}`).join(', ')}, batch_id bigint)`,
    );
  }, 120_000);
  afterAll(() => ends.close());

  const load = (onInvalid: LandingDefinition['onInvalid'], table = 'landing') =>
    ({
      file: 'loads/x.yaml',
      outputs: [{ table }],
      landing: { create: true, onNewColumns: 'fail', onInvalid },
    }) as unknown as LoadDefinition;

  /** Copies the rows of this condition; the texts of what arrived, in order. */
  async function copied(
    where: string,
    onInvalid: LandingDefinition['onInvalid'],
    table = 'landing',
  ): Promise<Record<string, string | null>[]> {
    const facts = (await ends.source.dialect.describeTable(ends.source, 't'))!;
    const { columns, format } = await landingColumns(ends.source, facts, ends.target, load(onInvalid, table));
    const batch = isMysql(from) ? '7' : '7::bigint'; // in binary a value is of the type of its column
    const [out, back] = [await ends.begin('source'), await ends.begin('target')];
    try {
      await ends.copy(out, back, {
        table,
        format,
        select: `select ${columns.map(({ select }) => select).join(', ')}, ${batch} from t where ${where}`,
        columns: [...columns.map((column) => column.into), { name: 'batch_id' }],
      });
      const { rows } = await back.query<Record<string, string | null>>({
        strings: [textsOf(into, table)],
        values: [],
      });
      return rows;
    } finally {
      await back.rollback();
      await back.close();
      await out.rollback();
      await out.close();
    }
  }

  const textsOf = (server: AnyServer, table: string): string => {
    const texts = cases.map((_, i) => (isMysql(server) ? `cast(c${i} as char) as c${i}` : `c${i}::text`));
    return `select ${texts.join(', ')} from ${table} order by id`;
  };

  /** Where an interval keeps every value of a `time`, none is needed, and it has another text: without zeros. */
  const exact = (row: Record<string, string | null>): Record<string, string | null> =>
    Object.fromEntries(Object.entries(row).map(([name, text]) => [name, text?.replace(/\.0+$/, '') ?? null]));

  /** How many values of each column arrived. */
  const counted = async (...asked: Parameters<typeof copied>): Promise<number[]> => {
    const rows = await copied(...asked);
    return cases.map((_, i) => rows.filter((row) => row[`c${i}`] !== null).length);
  };

  test('null: they are NULL, and all others arrive', async () => {
    expect(await counted('true', { all: 'null', columns: {} })).toEqual(cases.map(({ kept }) => kept.length));
  });

  test('fail: each is an error of its row, which a quarantine sets aside', async () => {
    let id = 0;
    for (const { type, kept, invalid } of cases) {
      id += kept.length;
      for (const value of invalid) {
        const error = await copied(`id = ${(id += 1)}`, { all: 'fail', columns: {} }).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error, `${type} ${value}`).toBeInstanceOf(Error);
        const facts = error instanceof SourceError ? error.facts : ends.target.dialect.classify(error);
        expect(facts, `${type} ${value}`).toMatchObject({ kind: 'permanent', because: 'data' });
      }
    }
  });

  test('null for one column leaves the others as they are', async () => {
    await expect(copied('true', { all: 'fail', columns: { c0: 'null' } })).rejects.toThrow();
    const first = cases[0]!.kept.length + cases[0]!.invalid.length;
    expect((await counted(`id <= ${first}`, { all: 'fail', columns: { c0: 'null' } }))[0]).toBe(cases[0]!.kept.length);
  });

  test('text: a table that is made has texts for what could be lost, and they hold every value', async () => {
    const facts = (await ends.source.dialect.describeTable(ends.source, 't'))!;
    const rule = { all: 'text', columns: {} } as const;
    const { dialect } = ends.target;
    const { statements } = planLanding({ dialect: ends.source.dialect, facts }, dialect, undefined, load(rule, 'made'));
    for (const text of statements) await ends.sql('target', text);
    const withNul = cases.findIndex(({ type }) => type === 'varchar(20)'); // no text of PostgreSQL keeps that
    const where = withNul < 0 ? 'true' : `c${withNul} is null or c${withNul} = 'plain'`;
    const arrived = await copied(where, rule, 'made');
    const session = await ends.source.openSession('test look'); // in the zone of those that copy
    const { rows } = await session.query<Record<string, string | null>>({
      strings: [textsOf(from, `t where ${where}`)],
      values: [],
    });
    await session.close();
    expect(arrived.map(exact)).toEqual(rows.map(exact));
    const values = cases.map(({ kept, invalid }, i) => (i === withNul ? 1 : kept.length + invalid.length));
    expect(arrived.length).toBe(values.reduce((sum, n) => sum + n, 0));
    await expect(copied('true', rule)).rejects.toThrow(/c0, whose rule is on_invalid: text, is no text/);
  });

  test('a rule for a column that is not there is refused', async () => {
    await expect(copied('true', { all: 'fail', columns: { c00: 'null' } })).rejects.toThrow(
      /on_invalid names c00, .* is it c0\?/,
    );
  });
});

const fromMysql = (await pairs()).filter(({ from, into }) => isMysql(from) && (!isMysql(into) || into === from));

describe.each(fromMysql)('bytes of $source for which there is no character, into $target', ({ from, into }) => {
  test('are an error of their row or NULL, and no question mark; where there are none, nobody looks', async () => {
    const ends = await Ends.create(from, into);
    await ends.sql(
      'source',
      `create table t (id int, g varchar(9) character set greek, s varchar(9) character set sjis, h varchar(9) character set tis620,
         e enum('a', '?', x'a4') character set greek, f set('a', x'a4') character set greek, u varchar(9) character set latin1)`,
    );
    await ends.sql(
      'source',
      `insert into t values (1, 'α?', 'ア?', _tis620 x'a1', '?', 'a', x'819d'), (2, _greek x'41a4', 'b', 'c', 'a', 'a', 'e'),
         (3, 'd', _sjis x'81ad', 'e', 'a', 'a', 'e'), (4, 'd', 'e', _tis620 x'a0', 'a', 'a', 'e'), (5, 'd', 'e', 'f', 3, 'a', 'e'),
         (6, 'd', 'e', 'f', 'a', 3, 'e')`,
    );
    const text = isMysql(into) ? 'varchar(9) character set utf8mb4' : 'text';
    const columns = ['g', 's', 'h', 'e', 'f', 'u'].map((name) => `${name} ${text}`).join(', ');
    await ends.sql('target', `create table landing (id int, ${columns}, batch_id int)`);
    const table = (await ends.source.dialect.describeTable(ends.source, 't'))!;
    const session = await ends.source.openSession('test look');
    const query = { ...table, columns: await ends.source.dialect.describeQuery(session, 'select * from t') };
    await session.close();
    const copied = async (facts: typeof table, rule: 'fail' | 'null', where: string) => {
      const landing = { create: false, onNewColumns: 'fail', onInvalid: { all: rule, columns: {} } };
      const load = { file: 'x', outputs: [{ table: 'landing' }], landing } as unknown as LoadDefinition;
      const { columns, format } = await landingColumns(ends.source, facts, ends.target, load);
      expect(columns.at(-1)!.select).not.toContain('convert');
      const [out, back] = [await ends.begin('source'), await ends.begin('target')];
      try {
        const select = `select ${columns.map(({ select }) => select).join(', ')}, 7 from t where ${where}`;
        const names = [...columns.map((column) => column.into), { name: 'batch_id' }];
        await ends.copy(out, back, { table: 'landing', format, select, columns: names });
        return (await back.query({ strings: ['select g, s, h, e, f from landing order by id'], values: [] })).rows;
      } finally {
        await back.rollback();
        await back.close();
        await out.rollback();
        await out.close();
      }
    };
    for (const facts of [table, query]) {
      expect(await copied(facts, 'fail', 'id = 1')).toEqual([{ g: 'α?', s: 'ア?', h: 'ก', e: '?', f: 'a' }]);
      for (const [id, column] of [
        [2, 'g'],
        [3, 's'],
        [4, 'h'],
        [5, 'e'],
        [6, 'f'],
      ] as const) {
        const error: unknown = await copied(facts, 'fail', `id = ${id}`).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(SourceError);
        expect((error as SourceError).facts).toMatchObject({ kind: 'permanent', because: 'data' });
        expect((error as SourceError).facts.message).toContain(
          `${column} has bytes for which its character set has no character`,
        );
      }
      expect(await copied(facts, 'null', 'id > 1')).toEqual([
        { g: null, s: 'b', h: 'c', e: 'a', f: 'a' },
        { g: 'd', s: null, h: 'e', e: 'a', f: 'a' },
        { g: 'd', s: 'e', h: null, e: 'a', f: 'a' },
        { g: 'd', s: 'e', h: 'f', e: null, f: 'a' },
        { g: 'd', s: 'e', h: 'f', e: 'a', f: null },
      ]);
    }
    await ends.close();
  });
});
