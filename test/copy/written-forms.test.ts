import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileColumns } from '../../src/copy/file-columns.ts';
import { pourRows, SourceError } from '../../src/copy/copy-rows.ts';
import { CsvOut } from '../../src/copy/files/csv-file.ts';
import type { TableFacts } from '../../src/database/dialect.ts';
import { Ends, families, isMysql, type AnyServer } from './ends.ts';

interface Case {
  type: string;
  /** What a file may say, and what the server shows of it then. */
  taken: Record<string, string>;
  /** What the server would take for another value, or for NULL. */
  refused: string[];
  only?: 'MySQL' | 'MariaDB';
}

const FORMAT = { delimiter: ';', quote: '"', nullText: 'NULL' };
const MYSQL: Case[] = [
  { type: 'bit(1)', taken: { 0: '0', 1: '1' }, refused: ['true', 't', 'false', '5', '', '01', '2', "b'1'"] },
  { type: 'bit(5)', taken: { '00101': '101' }, refused: ['101', '000101', '5'] },
  {
    type: 'varbinary(9)',
    taken: { '\\x': '', '\\x6869': '6869', '\\xFF00': 'FF00' },
    refused: ['abcd', 'hello', '\\x6', '\\xhi', '6869', ''],
  },
  { type: 'binary(2)', taken: { '\\x6869': '6869' }, refused: ['\\x68', '\\x686970', 'hi'] },
  { type: 'longblob', taken: { '\\x00ff': '00FF' }, refused: ['0x00ff', 'x'] },
  {
    type: 'int',
    taken: { 5: '5', '-7': '-7', '+8': '8', ' 9': '9', '007': '7' },
    refused: ['5.7', '5.0', '1e2', '', 'five', '0x10'],
  },
  { type: 'bigint unsigned', taken: { '18446744073709551615': '18446744073709551615' }, refused: ['1.5'] },
  {
    type: 'decimal(10,2)',
    taken: {
      '1.5': '1.50',
      '1.500': '1.50',
      '-2.5e-1': '-0.25',
      '12e3': '12000.00',
      '0E-10': '0.00',
      '-0.000E-7': '0.00',
      '0.0000': '0.00',
    },
    refused: ['1.239', '125e-4', '1e-3'],
  },
  { type: 'decimal(10,0)', taken: { 5: '5', '5.0': '5' }, refused: ['5.4'] },
  { type: 'year', taken: { 1999: '1999', 2001: '2001' }, refused: ['20', '5', '0', '1999.4'] },
  {
    type: 'date',
    taken: { '2001-01-31': '2001-01-31' },
    refused: ['20-01-02', '10-11-12', '20010131', '2001/01/31', '2001-1-3', '2001-01-31 10:00:00'],
  },
  {
    type: 'time',
    taken: { '10:20:30': '10:20:30', '10:20': '10:20:00', '-838:59:59': '-838:59:59', '10:20:30.000': '10:20:30' },
    refused: ['10', '1020', '10:20:30.6', '1 10:20:30'],
  },
  { type: 'time(2)', taken: { '10:20:30.25': '10:20:30.25' }, refused: ['10:20:30.256'] },
  {
    type: 'datetime',
    taken: {
      '2001-01-31': '2001-01-31 00:00:00',
      '2001-01-31T10:20:30': '2001-01-31 10:20:30',
      '2001-01-31 10:20': '2001-01-31 10:20:00',
    },
    refused: ['2001-01-31 10:20:30.6', '01-01-31 10:20:30', '20010131102030', '2001-01-31 10-20-30'],
  },
  {
    type: 'datetime(3)',
    taken: {
      '2001-01-31 10:20:30.125': '2001-01-31 10:20:30.125',
      '2001-01-31 10:20:30.125000': '2001-01-31 10:20:30.125',
    },
    refused: ['2001-01-31 10:20:30.1256'],
  },
  {
    type: 'timestamp(6) null',
    taken: { '2001-01-31 10:20:30.123456': '2001-01-31 10:20:30.123456' },
    refused: ['2001-01-31 10:20:30.1234567'],
  },
  { type: 'timestamp null', taken: { '2001-01-31 10:20:30+02:00': '2001-01-31 08:20:30' }, refused: [], only: 'MySQL' },
  {
    type: 'json',
    taken: {
      '{"a": [18446744073709551615, -9223372036854775808, 0.1, 1.50, 1e3, "12345678901234567890.5"]}':
        '{"a": [18446744073709551615, -9223372036854775808, 0.1, 1.5, 1000.0, "12345678901234567890.5"]}',
      '"say \\"1.2345678901234567890\\""': '"say \\"1.2345678901234567890\\""',
      '1000000000000000000000': '1e21',
    },
    refused: [
      '{"a": 1.2345678901234567890}',
      '18446744073709551617',
      '[1e400]',
      '-9223372036854775809',
      '0.12345678901234567',
    ],
    only: 'MySQL',
  },
  {
    type: "enum('sad','Happy','2')",
    taken: { sad: 'sad', Happy: 'Happy', 2: '2' },
    refused: ['happy', '1', '', 'glad'],
  },
  { type: "enum('x,y','z','w')", taken: {}, refused: ['z'] },
  {
    type: "set('a','B','4')",
    taken: { '': '', a: 'a', 'a,B': 'a,B', 4: '4' },
    refused: ['1', 'A', 'a,c', '3', 'a, B'],
  },
  { type: 'char(5)', taken: { ab: 'ab', ' b': ' b', '': '' }, refused: ['ab ', ' '] },
  { type: 'varchar(5)', taken: { 'ab ': 'ab ' }, refused: [] },
  { type: 'double', taken: { '1.5e3': '1500', '.5': '0.5' }, refused: [] },
  { type: 'double(10,2)', taken: { '1.500': '1.50', '12e3': '12000.00' }, refused: ['1.239', '1e-3'] },
  { type: 'float(10,2)', taken: { '-1.5': '-1.50' }, refused: ['1.239'] },
  {
    type: 'uuid',
    taken: { '00112233-4455-6677-8899-aabbccddeeff': '00112233-4455-6677-8899-aabbccddeeff' },
    refused: [],
    only: 'MariaDB',
  },
];
const POSTGRES: Case[] = [
  {
    type: 'numeric(10,2)',
    taken: {
      '1.500': '1.50',
      '12e3': '12000.00',
      '1_000.5': '1000.50',
      NaN: 'NaN',
      '0E-10': '0.00',
      '-0.000E-7': '0.00',
    },
    refused: ['1.239', '1e-3', '1_000.239'],
  },
  { type: 'numeric(10,-2)', taken: { 300: '300', 0: '0', '0.00': '0' }, refused: ['150', '.', 'e-10'] },
  { type: 'numeric', taken: { '1.239': '1.239' }, refused: [] },
  { type: 'cents', taken: { '1.5': '1.50' }, refused: ['1.239'] },
  {
    type: 'date',
    taken: {
      '2001-01-31': '2001-01-31',
      ' 2001-1-9 ': '2001-01-09',
      '20010130': '2001-01-30',
      'Jan 29 2001': '2001-01-29',
      '28-FEB-2001': '2001-02-28',
      '0044-03-15 BC': '0044-03-15 BC',
      '12001-01-31': '12001-01-31',
      '2001-01-27 00:00:00': '2001-01-27',
      '2001-01-26T00:00:00.000': '2001-01-26',
      '-infinity': '-infinity',
    },
    refused: [
      '2001-01-31 10:20:30',
      '2001-01-31T10:20',
      '2001-01-31T00:00:01',
      '2001-01-31 24:00',
      '2001-01-31 00:00:00.5',
      '2001-01-31 10:20 PM',
      '20010131T102030',
      '2001-01-31 1020',
      '20010131 102030',
      'Jan 31 2001 10:20',
      'Jan 31 2001 1020',
      '2001-01-31 00:00:00+05',
      '2001-01-31Z',
      '2001-01-31 Europe/Berlin',
      '2001-01-31 EST',
      'J2451910.75',
      'today',
    ],
  },
  {
    type: 'timestamp',
    taken: {
      '2001-01-31': '2001-01-31 00:00:00',
      '2001-01-30T10:20:30.123456': '2001-01-30 10:20:30.123456',
      '2001-01-29 10:20:30.1234560': '2001-01-29 10:20:30.123456',
      '2001-01-28 10:20 PM': '2001-01-28 22:20:00',
      '20010127T102030.5': '2001-01-27 10:20:30.5',
      '26-JAN-2001 10:20': '2001-01-26 10:20:00',
      'Thu Jan 25 10:20:30 2001': '2001-01-25 10:20:30',
      infinity: 'infinity',
    },
    refused: [
      '2001-01-31 10:00+05',
      '2001-01-31 10:00 -5',
      '2001-01-31T10:00:00Z',
      '2001-01-31 10:00 EST',
      '2001-01-31 10:00 Europe/Berlin',
      '2001-01-31 10:00 UTC+3',
      '20010131T1020-05',
      '2001-01-31 102030-05',
      'Wed Jan 31 10:00:00 2001 CET',
      '2001-01-31 -05',
      '2001-01-31 10:20:30.1234567',
      '20010131T102030.1234567',
      'now',
    ],
  },
  {
    type: 'timestamp(3)',
    taken: { '2001-01-31 10:20:30.125000': '2001-01-31 10:20:30.125' },
    refused: ['2001-01-31 10:20:30.1256', 'Jan 31 2001 10:20:30.1256'],
  },
  {
    type: 'timestamp(0) with time zone',
    taken: {
      '2001-01-31 10:20:30 BC': '2001-01-31 10:20:30+00 BC',
      '2001-01-31 10:20:30.0-05': '2001-01-31 15:20:30+00',
    },
    refused: ['2001-01-31 10:20:30.5+05', '2001-01-31 10:20:30.5 Europe/Berlin', 'tomorrow'],
  },
  {
    type: 'timestamptz',
    taken: { '2001-01-31 10:20:30.123456 Europe/Berlin': '2001-01-31 09:20:30.123456+00' },
    refused: ['2001-01-31T10:20:30.1234567Z'],
  },
  {
    type: 'time',
    taken: { '10:20:30': '10:20:30', '10:20': '10:20:00', '102030.5': '10:20:30.5', '10:20 PM': '22:20:00' },
    refused: [
      '2001-01-31 10:20:30',
      '01/31/2001 10:20',
      '10:20+05',
      '10:20 -5',
      '10:20Z',
      '10:20 EST',
      '102030-8',
      '10:20:30.1234567',
      'now',
    ],
  },
  { type: 'time(2)', taken: { '10:20:30.250': '10:20:30.25' }, refused: ['10:20:30.256'] },
  {
    type: 'time(1) with time zone',
    taken: { '10:20:30.5+05': '10:20:30.5+05', '10:20 EDT': '10:20:00-04', '10:21 UTC+3': '10:21:00-03' },
    refused: ['10:20:30.55+05', '2001-01-31 10:20+05', '2001-01-31 10:20 Europe/Berlin'],
  },
  {
    type: 'interval',
    taken: {
      '1 year 2 mons 3 days 04:05:06.789': '1 year 2 mons 3 days 04:05:06.789',
      'P1Y2M3DT4H5M6.5S': '1 year 2 mons 3 days 04:05:06.5',
      '1.5 days': '1 day 12:00:00',
      '1.5 years': '1 year 6 mons',
      '7 milliseconds': '00:00:00.007',
      '1.0000010 sec': '00:00:01.000001',
    },
    refused: ['00:00:01.1234567', 'PT1.1234567S', '1.5 microseconds', '1.01 years', 'PT1e-7S', '0.00000000001 days'],
  },
  {
    type: 'interval(2)',
    taken: { '1 day 00:00:01.25': '1 day 00:00:01.25', '70 ms': '00:00:00.07', '0.001 hours': '00:00:03.6' },
    refused: ['00:00:01.256', '1.256 seconds', 'PT1.256S', '256 ms', '3 us', '0.0001 minutes'],
  },
  { type: 'interval second(1)', taken: { '1.5': '00:00:01.5' }, refused: ['1.25'] },
  {
    type: 'interval year',
    taken: { 5: '5 years', '3 years': '3 years', P4Y: '4 years', '00:00:00': '00:00:00' },
    refused: ['1 year 3 days', '1 year 3 mons', '1-2', '10:20:30', '1.5 years', 'P1Y2M'],
  },
  {
    type: 'interval year to month',
    taken: { '1-2': '1 year 2 mons', '1 year 3 mons': '1 year 3 mons', P1Y4M: '1 year 4 mons', 14: '1 year 2 mons' },
    refused: ['1 mon 3 days', '1 mon 00:00:01', 'P1M2D', '1.5 months', '1 mon 3'],
  },
  {
    type: 'interval hour',
    taken: { '3 days 04:00:00': '3 days 04:00:00', '1 year 2 hours': '1 year 02:00:00', '3 10:00': '3 days 10:00:00' },
    refused: ['04:05:00', '04:00:06', 'PT4H5M', '5 minutes'],
  },
  {
    type: 'interval day to minute',
    taken: { '3 days 04:05': '3 days 04:05:00', PT4H6M: '04:06:00' },
    refused: ['3 days 04:05:06', '7 seconds', '04:05:00.5'],
  },
  {
    type: 'varchar(3)',
    taken: { 'ab ': 'ab ', '😀😀😀': '😀😀😀', '': '' },
    refused: ['ab     ', 'abcd', '😀😀😀 '],
  },
  { type: 'char(3)', taken: { 'ab     ': 'ab' }, refused: [] },
  { type: 'name', taken: { é: 'é' }, refused: ['é'.repeat(32)] },
  { type: '"char"', taken: { a: 'a' }, refused: ['ab'] },
];

describe.each(await families())('values of files, in $name', { timeout: 120_000 }, (server: AnyServer) => {
  let ends: Ends;
  let folder: string;
  const cases = isMysql(server) ? MYSQL.filter(({ only = server.flavour }) => only === server.flavour) : POSTGRES;
  const facts: TableFacts[] = [];
  beforeAll(async () => {
    ends = await Ends.create(server);
    folder = await mkdtemp(join(tmpdir(), 'waybill-forms-'));
    if (!isMysql(server)) await ends.sql('target', 'create domain cents as numeric(10,2)');
    for (const [i, { type }] of cases.entries()) {
      await ends.sql(
        'target',
        `create table t${i} (v ${type}, batch_id bigint)${isMysql(server) ? ' character set utf8mb4' : ''}`,
      );
      facts.push((await ends.target.dialect.describeTable(ends.target, `t${i}`))!);
    }
  }, 120_000);
  afterAll(async () => {
    await ends.close();
    await rm(folder, { recursive: true });
  });

  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

  async function pour(i: number, texts: string[]): Promise<string[]> {
    const { dialect } = ends.target;
    const fit = fileColumns(['v'], facts[i]!, dialect, {});
    if ('problems' in fit) throw new Error(fit.problems.join());
    const file = join(folder, 'a.csv');
    await writeFile(file, `v\n${texts.map(quoted).join('\n')}\n`);
    const session = await ends.begin('target');
    try {
      let out: CsvOut | undefined;
      await pourRows(
        {
          open: (listener) =>
            (out = new CsvOut(
              file,
              FORMAT,
              { header: ['v'], keep: fit.keep, checks: fit.checks, end: '\t1\n' },
              listener,
            )),
          cut: () => out?.close(),
          dialect,
        },
        { dialect, session },
        { table: dialect.quoteTable(`t${i}`), columns: [...fit.columns, { name: 'batch_id' }], format: 'text' },
      );
      const { kind } = dialect.shapeOf(facts[i]!.columns[0]!);
      const shown = !isMysql(server)
        ? 'v::text'
        : kind === 'bits'
          ? 'bin(v)'
          : kind === 'bytes'
            ? 'hex(v)'
            : 'cast(v as char)';
      const { rows } = await session.query<{ v: string }>({ strings: [`select ${shown} as v from t${i}`], values: [] });
      return rows.map(({ v }) => v);
    } finally {
      await session.rollback();
      await session.close();
    }
  }

  test.each(cases.map(({ type, taken }, i) => ({ type, i, n: Object.keys(taken).length })).filter(({ n }) => n > 0))(
    '$type: what is taken is what was written',
    async ({ i }) => {
      const { taken } = cases[i]!;
      const texts = Object.keys(taken);
      expect((await pour(i, texts)).sort()).toEqual(Object.values(taken).sort());
    },
  );

  test.each(cases.flatMap(({ type, refused }, i) => refused.map((text) => ({ type, text, i }))))(
    '$type: "$text" is refused, with its line',
    async ({ i, text }) => {
      const error = await pour(i, [text]).catch((one: unknown) => one);
      expect(error).toBeInstanceOf(SourceError);
      expect((error as SourceError).cause).toMatchObject({
        line: 2,
        message: expect.stringMatching(/^v is not written as its type, /) as string,
      });
    },
  );
});
