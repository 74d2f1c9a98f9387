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
    taken: { '1.5': '1.50', '1.500': '1.50', '-2.5e-1': '-0.25', '12e3': '12000.00' },
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
  {
    type: 'uuid',
    taken: { '00112233-4455-6677-8899-aabbccddeeff': '00112233-4455-6677-8899-aabbccddeeff' },
    refused: [],
    only: 'MariaDB',
  },
];
const POSTGRES: Case[] = [
  { type: 'numeric(10,2)', taken: { '1.500': '1.50', '12e3': '12000.00', NaN: 'NaN' }, refused: ['1.239', '1e-3'] },
  { type: 'numeric(10,-2)', taken: { 300: '300' }, refused: ['150'] },
  { type: 'numeric', taken: { '1.239': '1.239' }, refused: [] },
];

describe.each(await families())('values of files, in $name', { timeout: 120_000 }, (server: AnyServer) => {
  let ends: Ends;
  let folder: string;
  const cases = isMysql(server) ? MYSQL.filter(({ only = server.flavour }) => only === server.flavour) : POSTGRES;
  const facts: TableFacts[] = [];
  beforeAll(async () => {
    ends = await Ends.create(server);
    folder = await mkdtemp(join(tmpdir(), 'waybill-forms-'));
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
