import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NULL_KEYS, type ChunkRange, type Session } from '../../../src/database/dialect.ts';
import { planKeys, rangeCondition } from '../../../src/database/mysql/chunk-ranges.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { describeTable } from '../../../src/database/mysql/tables.ts';
import { composed, part, raw, sql, type SqlPart } from '../../../src/database/sql.ts';
import { mysqlSql } from '../../../src/sql/mysql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';
import { cutByKey, lax } from './cut-by-key.ts';

describeOn(await mysqlServers(), 'ranges by key on $name', (server) => {
  let database: MysqlDatabase;
  let tables = 0;

  beforeAll(async () => {
    const { url } = await freshMysqlDatabase(server);
    database = new MysqlDatabase({ name: 'w', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
  });
  afterAll(() => database.close());

  /** A new table, cut by these columns. */
  async function cut(
    definition: string,
    rows: string,
    key: string[],
    size: number,
    where?: { condition: SqlPart; window: boolean },
  ): Promise<{ range: ChunkRange; rows: number[] }[]> {
    const table = `k${(tables += 1)}`;
    await database.query({ strings: [`create table ${table} (n int, ${definition})`], values: [] });
    await database.query({ strings: [lax(server.flavour, `insert into ${table} ${rows}`)], values: [] });
    return cutByKey(database, table, key, size, where);
  }
  /** `n` rows, each with what `expression` makes of its number `i`, from 1. */
  const numbers = (n: number, expression: string): string =>
    `with recursive s as (select 1 as i union all select i + 1 from s where i < ${n}) select i, ${expression} from s`;
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
  const all = (read: { rows: number[] }[]): number[] => read.flatMap(({ rows }) => rows).sort((a, b) => a - b);

  test.each([
    ['a bigint beyond what a float holds', 'k bigint primary key', '9223372036854775000 + i'],
    ['negative numbers with gaps', 'k int primary key', '-1000000 + i * i * 7'],
    ['unsigned numbers above the signed ones', 'k bigint unsigned primary key', '18446744073709551000 + i'],
    ['decimals', 'k decimal(30, 10) primary key', '1234567890123456789.0000000001 * i'],
    ['dates', 'k date primary key', "date '1999-12-31' + interval i day"],
    ['microseconds', 'k datetime(6) primary key', "timestamp '2024-03-31 01:30:00' + interval i microsecond"],
    ['timestamps', 'k timestamp(3) primary key', "timestamp '2024-03-31 01:30:00' + interval i * 1000 microsecond"],
    ['times', 'k time primary key', 'sec_to_time(i * 61 - 3600)'],
    ['doubles', 'k double primary key', 'i / 7'],
    ['floats', 'k float primary key', 'i / 7'],
    ['texts', 'k varchar(40) collate utf8mb4_bin primary key', "concat('it''s ', hex(i * 7919), ' \\\\ é🙂')"],
    ['texts of another character set', 'k varchar(40) character set latin1 primary key', "concat('é', i)"],
    ['binary numbers, as uuids are kept', 'k binary(16) primary key', 'unhex(left(sha2(i, 256), 32))'],
  ])('take every row once: %s', async (_, definition, expression) => {
    const read = await cut(definition, numbers(50, expression), ['k'], 7);
    expect(all(read)).toEqual(upTo(50));
    expect(read.map(({ rows }) => rows.length)).toEqual([7, 7, 7, 7, 7, 7, 7, 1]);
    expect(read[0]!.range.from).toBe(null);
    expect(read.at(-1)!.range.to).toBe(null);
  });

  if (server.flavour === 'MariaDB')
    test('take every row once where an index has them in another order than they are compared', async () => {
      const values = "elt(1 + i % 8, 'a', concat('a', char(9)), concat('a', char(0)), 'b', char(0), 'A', '', 'ab')";
      for (const size of [1, 3]) {
        const read = await cut('k char(20) collate utf8mb4_nopad_bin, key (k)', numbers(40, values), ['k'], size);
        expect(all(read)).toEqual(upTo(40));
      }
    });

  test.each([
    ['date', ''],
    ['date', ', key (t, k)'],
    ['datetime(3)', ''],
    ['datetime(3)', ', key (t, k)'],
    ['timestamp', ', key (t, k)'],
  ])('take every row once where days are not of the calendar: %s%s', async (type, index) => {
    const days = type === 'timestamp' ? "'0000-00-00'" : "'0000-00-00', '2026-00-10', '2026-02-30'";
    const days6 = `i % 5, elt(1 + i % 7, '2026-02-28', ${days}, '2026-03-01', '2025-12-31', '2026-01-01', '2027-01-01')`;
    for (const [nullable, size] of [
      ['not null', 1],
      ['not null', 4],
      ['null', 3],
    ] as const) {
      const definition = `t int not null, k ${type} ${nullable}${index}`;
      for (const key of [['t', 'k'], ['k']]) {
        expect(all(await cut(definition, numbers(60, days6), key, size))).toEqual(upTo(60));
      }
    }
  });

  test('find no row without a key where 0000-00-00 may not be NULL, and those that are NULL beside it', async () => {
    const expression = "elt(1 + i % 3, '0000-00-00', '2026-01-01', null)";
    const some = await cut('k date', numbers(9, expression), ['k'], 2);
    expect(some.at(-1)).toEqual({ range: { from: NULL_KEYS, to: NULL_KEYS }, rows: [2, 5, 8] });
    const none = await cut('k date not null', numbers(9, "if(i % 3 = 0, '0000-00-00', '2026-01-01')"), ['k'], 2);
    expect(none.map(({ range }) => range.from)).not.toContain(NULL_KEYS);
  });

  test('go by the order of an enum, not by its texts', async () => {
    const read = await cut("k enum('z', 'm', 'a'), key (k)", numbers(30, 'elt(1 + i % 3, "z", "m", "a")'), ['k'], 10);
    expect(all(read)).toEqual(upTo(30));
    expect(read).toHaveLength(3);
  });

  test.each([2, 3, 5, 100])('go over keys of several columns, %i rows at a time', async (size) => {
    const read = await cut(
      'a int, b varchar(9), c bigint, primary key (a, b, c)',
      numbers(40, "i % 3, concat('x', i % 4), 9007199254740992 + i"),
      ['a', 'b', 'c'],
      size,
    );
    expect(all(read)).toEqual(upTo(40));
    expect(Math.max(...read.map(({ rows }) => rows.length))).toBe(Math.min(size, 40));
  });

  test('go by the columns of the table, whatever they are called', async () => {
    const read = await cut(
      'k1 int, k0 varchar(9), primary key (k1, k0)',
      numbers(40, "i % 5, concat('x', i)"),
      ['k1', 'k0'],
      7,
    );
    expect(read.map(({ rows }) => rows.length)).toEqual([7, 7, 7, 7, 7, 5]);
  });

  test.each([
    ['text collate utf8mb4_general_ci', "concat(repeat('x', 600), lpad(100 - i, 4, '0'))"],
    ['text collate utf8mb4_bin', "concat(repeat('x', 600), lpad(100 - i, 4, '0'))"],
    ['text collate utf8mb4_unicode_ci', "concat(repeat('é', 2000), lpad(100 - i, 4, '0'))"],
    ['blob', "concat(repeat('x', 3000), lpad(100 - i, 4, '0'))"],
  ])('take every row once, though the keys are alike as far as a sort looks: %s', async (type, expression) => {
    const read = await cut(`k ${type}, d int`, numbers(100, `${expression}, i % 2`), ['k'], 10);
    expect(all(read)).toEqual(upTo(100));
    const twice = await cut(`k ${type}, d int`, numbers(100, `${expression}, i % 2`), ['d', 'k'], 10);
    expect(all(twice)).toEqual(upTo(100));
  });

  test('take every row once, though the text of a double is longer than the servers say', async () => {
    expect(all(await cut('k double', numbers(50, 'i * -1.1941889077411803e-152'), ['k'], 7))).toEqual(upTo(50));
  });

  test.each([
    [
      'k double, d int, key (k, d)',
      "elt(1 + i % 3, '2.2250738585072014e-308', '-1.1941889077411803e-152', '-1.7976931348623157e308')",
    ],
    ['k float, d int, key (k, d)', "elt(1 + i % 2, '-1.1754943508222875e-38', '-3.4028234663852886e38')"],
    ['k float, d int', "elt(1 + i % 3, '-1.1754943508222875e-38', '0.1', null)"],
  ])('keep every digit of a number that others of its key stand beside: %s', async (definition, expression) => {
    const read = await cut(definition, numbers(60, `${expression}, i`), ['k', 'd'], 4);
    expect(all(read)).toEqual(upTo(60));
    expect(Math.max(...read.map(({ rows }) => rows.length))).toBeLessThanOrEqual(20); // those without a number
    expect(read.length).toBeGreaterThan(10);
  });

  test('leave out a bound that the ledger does not hold', async () => {
    const expression = "concat(lpad(i, 3, '0'), repeat('x', if(i % 5 = 0, 70000, 1)))";
    const read = await cut('k longtext collate utf8mb4_general_ci', numbers(20, expression), ['k'], 4);
    expect(all(read)).toEqual(upTo(20));
    expect(read.map(({ rows }) => rows.length)).toEqual([8, 4, 4, 4]);
  });

  test('are found without an index, too, in one pass over the table', async () => {
    const expression = "elt(1 + i % 6, 'ab', 'AB', 'Ab', 'b', 'B', null), i % 7";
    const read = await cut('k varchar(9) collate utf8mb4_general_ci, d int', numbers(84, expression), ['k', 'd'], 3);
    expect(all(read)).toEqual(upTo(84));
    expect(read.map(({ rows }) => rows.length)).toEqual([6, 6, 6, 6, 6, 6, 6, 4, 4, 4, 4, 4, 4, 4, 14]);
    expect(read.at(-1)!.range.from).toBe(NULL_KEYS);
  });

  test('never part the rows of one key, however many, and give those without a key a range of their own', async () => {
    const read = await cut('k int, key (k)', numbers(60, 'case when i <= 40 then 5 when i <= 50 then i end'), ['k'], 4);
    expect(all(read)).toEqual(upTo(60));
    const whole = read.find(({ rows }) => rows.includes(1))!.rows;
    expect(whole).toEqual(upTo(40));
    expect(read.at(-1)).toEqual({
      range: { from: NULL_KEYS, to: NULL_KEYS },
      rows: [51, 52, 53, 54, 55, 56, 57, 58, 59, 60],
    });
  });

  test('take for one key what the collation takes for one', async () => {
    const expression = "elt(1 + i % 6, 'ab', 'AB', 'Ab', 'b', 'B', 'c')";
    const read = await cut('k varchar(9) collate utf8mb4_general_ci, key (k)', numbers(36, expression), ['k'], 4);
    expect(all(read)).toEqual(upTo(36));
    expect(read.map(({ rows }) => rows.length)).toEqual([18, 12, 6]);
  });

  test.each([false, true])('keep to a condition, about the key alone: %s', async (window) => {
    const where = { condition: part`n > ${'10'} and n < ${'31'}`, window };
    const read = await cut('k int primary key', numbers(50, '100 - i'), ['k'], 8, where);
    // the outer ranges are open: whoever cuts by them keeps to the condition as well
    expect(read).toHaveLength(3);
    expect(read[1]!.rows).toEqual([15, 16, 17, 18, 19, 20, 21, 22]);
  });

  test('are none for an empty table, one for one row', async () => {
    expect(await cut('k int primary key', 'select 1, 1 from dual where false', ['k'], 5)).toEqual([]);
    expect(await cut('k int primary key', 'select 1, 1', ['k'], 5)).toEqual([
      { range: { from: null, to: null }, rows: [1] },
    ]);
  });

  test.each([
    // Bytes of greek, and on MariaDB of ascii, have no character; cp932 has two forms of some, ucs2 has halves of a pair of surrogates.
    ['greek', 'char(65 + i % 60, 164, 163 + i % 7, 191 + i % 64)', true],
    ['cp932', "unhex(elt(1 + i % 9, '8790', '81e0', '879a', '8345', '4142', 'fa5b', '81e6', '5c', '9000'))", true],
    ['armscii8', 'char(160 + i % 95, 32 + i % 90)', true],
    ['tis620', 'char(160 + i % 95, 48 + i % 10)', true],
    ['ucs2', "unhex(elt(1 + i % 6, '0041', 'd800', 'd801', 'dc00', 'fffd', 'e000'))", true],
    ['ascii', 'char(100 + i % 150)', server.flavour === 'MariaDB'],
    ['utf8mb4', "unhex(elt(1 + i % 5, '41', 'eda080', 'edbfbf', 'efbfbd', 'f09f9880'))", server.flavour === 'MariaDB'],
    ['utf8mb4', "elt(1 + i % 5, '', concat(char(0), 'a'), 'a', concat(char(0), hex('a')), char(0))", true],
  ])('take every row once, whatever the bytes of its key are: %s', async (set, bytes, has) => {
    if (!has) return;
    const value = set === 'utf8mb4' && bytes.includes("'a'") ? bytes : `convert(${bytes} using ${set})`;
    for (const collation of ['', ` collate ${set}_bin`])
      for (const index of ['', ', key (k)'])
        for (const size of [1, 4]) {
          const definition = `k varchar(9) character set ${set}${collation}${index}`;
          expect(all(await cut(definition, numbers(60, value), ['k'], size))).toEqual(upTo(60));
        }
  });

  test('refuse what has no order', async () => {
    await expect(cut('k point', 'select 1, point(1, 1)', ['k'], 5)).rejects.toThrow(/no key can be made of it/);
  });

  /** Entries of tables and indexes that the server looked at for this. */
  async function lookedAt(work: (session: Session) => Promise<unknown>): Promise<number> {
    const session = await database.openSession('waybill plan');
    const read = async (): Promise<number> => {
      const { rows } = await session.query<{ Value: string }>({
        strings: ["show session status like 'Handler_read%'"],
        values: [],
      });
      return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
    };
    try {
      const before = await read();
      await work(session);
      return (await read()) - before;
    } finally {
      await session.close();
    }
  }

  test('cost one look at each row, to plan and to read, though all have the first column of the key in common', async () => {
    const table = `k${(tables += 1)}`;
    for (const text of [
      `create table ${table} (a int, b int, c varchar(9), primary key (a, b, c))`,
      `insert into ${table} ${numbers(900, "i, concat('x', i)").replace('select i,', 'select 1,')}`,
      `insert into ${table} select 1, b + 900, c from ${table}`,
      `analyze table ${table}`,
    ]) {
      await database.query({ strings: [text], values: [] });
    }
    const key = (await describeTable(database, table))!.columns;
    let ranges: ChunkRange[] = [];
    const toPlan = await lookedAt(async (session) => (ranges = await planKeys(session, table, key, 100)));
    expect(ranges).toHaveLength(18);
    expect(toPlan).toBeLessThan(2 * 1_800);
    const toRead = await lookedAt(async (session) => {
      for (const range of ranges) {
        const where = composed(mysqlSql, (bind) => rangeCondition('key', range, key, bind));
        await session.query(sql`select count(*) from ${raw(table)} where ${where}`);
      }
    });
    expect(toRead).toBeLessThan(2 * 1_800);
  });

  test.each(['int', 'bigint unsigned', 'decimal(20, 2)', 'varchar(9)'])(
    'are read by the index of a key of %s',
    async (type) => {
      const values: unknown[] = [];
      const table = `k${(tables += 1)}`;
      for (const text of [
        `create table ${table} (a ${type}, b ${type}, c int, primary key (a, b))`,
        `insert into ${table} ${numbers(899, 'i, i')}`,
        `analyze table ${table}`,
      ]) {
        await database.query({ strings: [text], values: [] });
      }
      const facts = await describeTable(database, table);
      const range = { from: JSON.stringify(['300', '300']), to: JSON.stringify(['310', '310']) };
      const condition = rangeCondition('key', range, facts!.columns.slice(0, 2), (value, cast) => {
        values.push(value);
        return cast === undefined ? '?' : `cast(? as ${cast})`;
      });
      const { rows } = await database.query<{ type: string; rows: string }>({
        strings:
          `explain ${server.flavour === 'MySQL' ? 'format = traditional ' : ''}select * from ${table} where ${condition}`.split(
            '?',
          ),
        values,
      });
      expect(rows[0]).toMatchObject({ type: 'range', key: 'PRIMARY' });
      expect(Number(rows[0]!.rows)).toBeLessThan(50);
    },
  );

  describe('of a large table', () => {
    const ROWS = 2 ** 18;
    const SIZE = 5_000;
    /** Each column has an index of its own, so that it can be a key. */
    const COLUMNS = {
      'i int not null': 'i',
      'below int not null': '-i * 3',
      'ends bigint not null': 'if(i % 2 = 0, -9223372036854775808 + i, 9223372036854775807 - i)',
      'unsigned_ends bigint unsigned not null': 'if(i % 2 = 0, i, 18446744073709551615 - i)',
      'uuid binary(16) not null': 'unhex(left(sha2(i, 256), 32))',
      'few int not null': 'i div 700',
      'most int not null': `if(i < ${ROWS / 2}, 7, i)`,
      'some int': 'if(i % 4 = 0, null, i)',
      'a int not null': 'i div 6',
      'b varchar(9) not null': "concat('x', i % 6)",
      'unknown int not null': `if(i < ${ROWS / 2}, i div 6, 999999)`,
      'one int not null': '1',
    };

    async function say(...texts: string[]): Promise<void> {
      for (const text of texts) await database.query({ strings: [text], values: [] });
    }

    beforeAll(async () => {
      const names = Object.keys(COLUMNS).map((column) => column.split(' ')[0]!);
      await say('create table seq (i int primary key)');
      await say('insert into seq values (0)');
      for (let n = 1; n < ROWS; n *= 2) await say(`insert into seq select i + ${n} from seq`);
      await say(
        `create table many (${Object.keys(COLUMNS).join(', ')}, primary key (i), key (a, b), key (unknown, i), key (one, i),
          ${names
            .filter((name) => !['i', 'a', 'b', 'unknown', 'one'].includes(name))
            .map((name) => `key (${name})`)
            .join(', ')})`,
      );
      await say(`insert into many select ${Object.values(COLUMNS).join(', ')} from seq`);
      await say('analyze table many');
    });

    /** The sizes of its ranges, and how many entries of the index were looked at to find them. */
    async function sizes(
      key: string[],
      {
        table = 'many',
        size = SIZE,
        where,
      }: { table?: string; size?: number; where?: { condition: SqlPart; window: boolean } } = {},
    ) {
      const facts = (await describeTable(database, table))!;
      const columns = key.map((name) => facts.columns.find((column) => column.name === name)!);
      let ranges: ChunkRange[] = [];
      const looked = await lookedAt(async (session) => (ranges = await planKeys(session, table, columns, size, where)));
      const found: number[] = [];
      for (const range of ranges) {
        const condition = composed(mysqlSql, (bind) => rangeCondition('key', range, columns, bind));
        const { rows } = await database.query<{ n: unknown }>(
          sql`select count(*) as n from ${raw(table)} where ${condition}`,
        );
        found.push(Number(rows[0]!.n));
      }
      return { ranges, found, looked };
    }
    const sum = (found: number[]): number => found.reduce((all, one) => all + one, 0);

    test.each([[['i']], [['below']], [['ends']], [['unsigned_ends']], [['uuid']], [['few']], [['a', 'b']]])(
      'are found by what the server guesses, without a look at each key: %s',
      async (key) => {
        const { found, looked } = await sizes(key);
        expect(sum(found)).toBe(ROWS);
        expect(looked).toBeLessThan(ROWS / 8);
        expect(Math.max(...found)).toBeLessThan(2 * SIZE);
        expect(Math.min(...found.slice(0, -1))).toBeGreaterThan(SIZE / 2);
      },
    );

    test('part no key, though half of the table has it', async () => {
      const { found, looked } = await sizes(['most']);
      expect(sum(found)).toBe(ROWS);
      expect(looked).toBeLessThan(ROWS / 8);
      const [most, ...others] = found;
      expect(most).toBe(ROWS / 2);
      expect(Math.max(...others)).toBeLessThan(2 * SIZE);
    });

    test('leave those without a key to a range of their own', async () => {
      const { ranges, found } = await sizes(['some']);
      expect(sum(found)).toBe(ROWS);
      expect(ranges.at(-1)!.from).toBe(NULL_KEYS);
      expect(found.at(-1)).toBe(ROWS / 4);
    });

    test('are those of a window, where only its rows are meant', async () => {
      const condition = part`i >= ${'1000'} and i < ${'201000'}`;
      const { ranges, found, looked } = await sizes(['i'], { where: { condition, window: true } });
      expect(looked).toBeLessThan(ROWS / 8);
      expect(JSON.parse(ranges[1]!.from!)).toEqual([String(found[0])]);
      expect(Math.max(...found.slice(1, -1))).toBeLessThan(2 * SIZE);
      expect(ranges.length).toBeGreaterThan(200_000 / SIZE / 2);
      expect(Number((JSON.parse(ranges.at(-1)!.from!) as string[])[0])).toBeLessThan(201_000);
    });

    test.each([[['one', 'i']], [['unknown', 'i']]])(
      'are walked to where the first column of the key alone parts too little: %s',
      async (key) => {
        const { found, looked } = await sizes(key);
        expect(found.slice(0, -1).every((size) => size === SIZE)).toBe(true);
        expect(looked).toBeGreaterThan(ROWS);
      },
    );

    test('are walked to where few rows are meant', async () => {
      const few = await sizes(['i'], { where: { condition: part`i < ${'30000'}`, window: true } });
      expect(few.found.slice(0, -1)).toEqual([SIZE, SIZE, SIZE, SIZE, SIZE]);
    });

    test('have about as many rows where the table has partitions, by another column', async () => {
      const each = ROWS / 16;
      const partitions = Array.from({ length: 16 }, (_, p) => `partition p${p} values less than (${(p + 1) * each})`);
      await say(
        `create table parted (i int, d int, primary key (i, d)) partition by range (d) (${partitions.join(', ')})`,
        'insert into parted select i, i from seq',
        'analyze table parted',
      );
      for (const key of [['i'], ['i', 'd']]) {
        const { found } = await sizes(key, { table: 'parted' });
        expect(sum(found)).toBe(ROWS);
        expect(Math.max(...found)).toBeLessThan(2 * SIZE);
      }
    });

    test('have about as many rows where its statistics are of a time when it was small', async () => {
      const then = 6_500;
      const grown = 4 * ROWS;
      await say(
        'create table grown (i int primary key) stats_persistent = 1, stats_auto_recalc = 0',
        `insert into grown select i from seq where i < ${then}`,
        'analyze table grown',
        `insert into grown select i from seq where i >= ${then}`,
        `insert into grown select i + ${ROWS} from grown`,
        `insert into grown select i + ${2 * ROWS} from grown`,
        'flush tables grown', // as after a restart, it knows no more than was written down of it
      );
      const { found } = await sizes(['i'], { table: 'grown', size: 7_000 });
      expect(sum(found)).toBe(grown);
      expect(Math.max(...found)).toBeLessThan(2 * 7_000);
    });
  });
});
