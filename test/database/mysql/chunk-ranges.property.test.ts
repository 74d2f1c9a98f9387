/** Ranges by key leave no row out and part no key, whatever the key's type, collation and values. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import type { MysqlFlavour } from '../../../src/dev/mysql-binaries.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';
import { cutByKey, lax } from './cut-by-key.ts';

/** Tables of each type: more of them in `npm run test:all`. */
const RUNS = inject('seed').all ? 40 : 5;

type Value = string | Buffer | null;
interface KeyType {
  type: string;
  value: fc.Arbitrary<Value>;
  only?: MysqlFlavour;
}

const digits = (least: bigint, most: bigint): fc.Arbitrary<string> =>
  fc
    .oneof(fc.bigInt(least, most), fc.constantFrom(least, least + 1n, 0n, most - 1n, most))
    .filter((n) => n >= least)
    .map(String);
const two = (most: number, least = 0) => fc.integer({ min: least, max: most }).map((n) => String(n).padStart(2, '0'));
const micros = fc
  .oneof(fc.integer({ min: 0, max: 999_999 }), fc.constantFrom(0, 1, 999_999))
  .map((n) => String(n).padStart(6, '0'));
const day = (least: number, most: number) =>
  fc.tuple(fc.integer({ min: least, max: most }), two(12, 1), two(28, 1)).map((parts) => parts.join('-'));
/** Also what a session that is less strict takes for one: no month, no day, no date at all, a day too many for its month. */
const anyDay = fc.oneof(
  { weight: 4, arbitrary: day(1000, 9999) },
  fc.tuple(fc.integer({ min: 1000, max: 9999 }), two(12), two(31)).map((parts) => parts.join('-')),
  fc.constantFrom('0000-00-00', '2026-00-00', '2026-00-10', '2026-01-00', '2026-02-30'),
);
const clock = fc.tuple(two(23), two(59), two(59)).map((parts) => parts.join(':'));
const moment = (days: fc.Arbitrary<string>) =>
  fc.tuple(days, clock, micros).map(([date, time, micro]) => `${date} ${time}.${micro}`);
/** What collations take for the same, or for nothing; quotes, backslashes, letters beyond the Basic Multilingual Plane. */
const text = fc
  .array(
    fc.constantFrom(
      'a',
      'A',
      'á',
      'b',
      'ß',
      's',
      'S',
      'ae',
      'æ',
      '\u0301',
      '\u200b',
      ' ',
      '\t',
      "'",
      '"',
      '\\',
      '%',
      '_',
      '🙂',
      '𝒜',
      'ﬀ',
      'f',
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join(''));
const latin = fc
  .array(fc.constantFrom('a', 'A', 'ä', 'ae', 'ß', 'ss', ' ', '\\', "'"), { maxLength: 5 })
  .map((parts) => parts.join(''));
const bytes = (least: number, most: number) =>
  fc
    .array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 32, 255)), {
      minLength: least,
      maxLength: most,
    })
    .map((all) => Buffer.from(all));
const hex = (length: number) =>
  fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length }).map((all) => all.join(''));
const float = (most: number) => fc.double({ min: -most, max: most, noNaN: true }).map(String);
const members = ['small', 'Big', 'a', 'b', "it's", 'é'];

const TYPES: KeyType[] = [
  { type: 'tinyint', value: digits(-128n, 127n) },
  { type: 'bigint', value: digits(-(2n ** 63n), 2n ** 63n - 1n) },
  { type: 'bigint unsigned', value: digits(0n, 2n ** 64n - 1n) },
  {
    type: 'decimal(30,10)',
    value: fc
      .tuple(digits(-(10n ** 20n) + 1n, 10n ** 20n - 1n), digits(0n, 9_999_999_999n))
      .map(([whole, part]) => `${whole}.${part.padStart(10, '0')}`),
  },
  { type: 'decimal(65,0) unsigned', value: digits(0n, 10n ** 65n - 1n) },
  { type: 'double', value: float(1e300) },
  { type: 'float', value: float(1e30) },
  { type: 'date', value: anyDay },
  { type: 'datetime(6)', value: moment(anyDay) },
  { type: 'timestamp(6)', value: fc.oneof(moment(day(1971, 2037)), fc.constant('0000-00-00 00:00:00.000000')) },
  {
    type: 'time(6)',
    value: fc
      .oneof(
        fc.tuple(fc.constantFrom('', '-'), fc.integer({ min: 0, max: 837 }).map(String), two(59), two(59), micros),
        fc.tuple(fc.constant(''), two(23), two(12, 1), two(31, 1), fc.constantFrom('000000', '000001')), // like a date and an hour
      )
      .map(([sign, h, m, s, micro]) => `${sign}${h}:${m}:${s}.${micro}`),
  },
  { type: 'year', value: fc.integer({ min: 1901, max: 2155 }).map(String) },
  { type: 'bit(64)', value: bytes(8, 8) },
  {
    type: `enum(${members.map((one) => `'${one.replace("'", "''")}'`).join(', ')})`,
    value: fc.constantFrom(...members),
  },
  {
    type: `set(${members.map((one) => `'${one.replace("'", "''")}'`).join(', ')})`,
    value: fc.uniqueArray(fc.constantFrom(...members)).map((some) => some.join(',')),
  },
  { type: 'binary(16)', value: bytes(0, 16) },
  { type: 'varbinary(8)', value: bytes(0, 8) },
  { type: 'blob', value: bytes(0, 40) },
  { type: 'varchar(20) collate utf8mb4_general_ci', value: text },
  { type: 'varchar(20) collate utf8mb4_unicode_520_ci', value: text },
  { type: 'varchar(20) collate utf8mb4_bin', value: text },
  { type: 'char(20) collate utf8mb4_unicode_ci', value: text },
  { type: 'text collate utf8mb4_german2_ci', value: text },
  { type: 'varchar(20) character set latin1 collate latin1_german2_ci', value: latin },
  { type: 'varchar(20) character set utf16', value: text },
  { type: 'varchar(20) collate utf8mb4_0900_ai_ci', value: text, only: 'MySQL' },
  { type: 'varchar(20) collate utf8mb4_0900_as_cs', value: text, only: 'MySQL' },
  { type: 'varchar(20) collate utf8mb4_0900_bin', value: text, only: 'MySQL' },
  { type: 'varchar(20) collate utf8mb4_unicode_nopad_ci', value: text, only: 'MariaDB' },
  { type: 'varchar(20) character set utf8mb4 collate uca1400_as_cs', value: text, only: 'MariaDB' },
  {
    type: 'uuid',
    value: fc
      .tuple(hex(8), hex(4), fc.constantFrom('1', '4', '7'), hex(3), hex(3), hex(12))
      .map(([a, b, version, c, d, e]) => `${a}-${b}-${version}${c}-8${d}-${e}`),
    only: 'MariaDB',
  },
  {
    type: 'inet6',
    value: fc.array(hex(4), { minLength: 8, maxLength: 8 }).map((parts) => parts.join(':')),
    only: 'MariaDB',
  },
];

describeOn(await mysqlServers(), 'ranges by keys of any kind on $name', ({ flavour, ...server }) => {
  let database: MysqlDatabase;
  let tables = 0;
  const types = TYPES.filter(({ only }) => only === undefined || only === flavour);

  beforeAll(async () => {
    const { url } = await freshMysqlDatabase({ flavour, ...server });
    database = new MysqlDatabase({ name: 'w', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
  });
  afterAll(() => database.close());

  const say = (strings: string[], values: unknown[] = []) => database.query({ strings, values });

  /** Every row is in one range, and rows whose keys the server takes for one are in the same. */
  async function expectCut(key: readonly KeyType[], rows: Value[][], size: number, indexed: boolean): Promise<void> {
    const table = `k${(tables += 1)}`;
    const names = key.map((_, i) => `k${i}`);
    const index = indexed
      ? `, key (${names.map((name, i) => `${name}${/^(?:text|blob)/.test(key[i]!.type) ? '(40)' : ''}`).join(', ')})`
      : '';
    await say([`create table ${table} (n int, ${key.map(({ type }, i) => `k${i} ${type}`).join(', ')}${index})`]);
    const pieces = rows.flatMap((row, n) =>
      row.map((_, i) => (i > 0 ? ', ' : `${n > 0 ? '), (' : `insert into ${table} values (`}${n}, `)),
    );
    await say([lax(flavour, pieces[0]!), ...pieces.slice(1), ')'], rows.flat());
    const read = await cutByKey(database, table, names, size);
    expect(read.flatMap((range) => range.rows).sort((a, b) => a - b)).toEqual(rows.map((_, n) => n));
    const { rows: groups } = await say([
      `select /*+ set_var(sql_mode = 'ALLOW_INVALID_DATES') */ group_concat(n) as ns from ${table} where ${names.map((name) => `${name} is not null`).join(' and ')} group by ${names.join(', ')}`,
    ]);
    const rangeOf = (n: number): number => read.findIndex((range) => range.rows.includes(n));
    for (const { ns } of groups as { ns: string }[]) {
      const all = ns.split(',').map(Number);
      expect(new Set(all.map(rangeOf)).size, `the rows ${ns} have one key`).toBe(1);
    }
    await say([`drop table ${table}`]);
  }

  const some = (value: fc.Arbitrary<Value>) =>
    fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) });

  test.each(types)('of one column: $type', async ({ type, value }) => {
    const rows = fc.array(fc.tuple(some(value)), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 9 }), fc.boolean(), (all, size, indexed) =>
        expectCut([{ type, value }], all, size, indexed),
      ),
      { numRuns: RUNS },
    );
  });

  test('of times that could be read as dates', async () => {
    const times = [
      '00:00:01',
      '01:01:01',
      '12:09:01',
      '12:12:31.000001',
      '23:10:02',
      '99:09:01',
      '195:09:01',
      '837:12:31',
    ];
    await expectCut(
      [{ type: 'time(6)', value: fc.constantFrom(...times) }],
      times.map((time) => [time]),
      1,
      true,
    );
  });

  test('of several columns', async () => {
    const keys = fc.uniqueArray(fc.constantFrom(...types), { minLength: 2, maxLength: 3 });
    // Few values in each column, so that what follows them counts.
    const table = keys.chain((key) =>
      fc
        .tuple(...key.map(({ value }) => fc.array(some(value), { minLength: 1, maxLength: 4 })))
        .chain((columns) =>
          fc
            .array(fc.tuple(...columns.map((values) => fc.constantFrom(...values))), { minLength: 1, maxLength: 40 })
            .map((rows) => ({ key, rows })),
        ),
    );
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 9 }), fc.boolean(), ({ key, rows }, size, indexed) =>
        expectCut(key, rows, size, indexed),
      ),
      { numRuns: RUNS * 5 },
    );
  });
});
