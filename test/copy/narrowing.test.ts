import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyRows } from '../../src/copy/copy-rows.ts';
import { fittingColumns, landingColumn, underDomain } from '../../src/copy/landing-columns.ts';
import type { ColumnFacts, Session } from '../../src/database/dialect.ts';
import { mysqlDialect } from '../../src/database/mysql/dialect.ts';
import { agreesInBinary } from '../../src/database/postgres/copy.ts';
import { shapeOf } from '../../src/database/postgres/values.ts';
import { lostBetween } from '../../src/database/value-shape.ts';
import { narrowing } from '../../src/database/postgres/narrowing.ts';
import { inTurns } from '../every-server.ts';
import { servers } from '../servers.ts';
import { Ends } from './ends.ts';

/** Types, each with values that a narrower one would have to change. */
const SAMPLES: Record<string, string[]> = {
  smallint: ['-32768', '7'],
  integer: ['2147483647', '16777217'],
  bigint: ['9223372036854775807', '9007199254740993'],
  real: ['0.1', '3.4e38', '1e-40'],
  'double precision': ['0.1', '1.2345678901234567', '5e-324', '1e300'],
  numeric: ['0.1', '12345678901234567890.123456789012345678'],
  'numeric(12,4)': ['0.1234', '-12345678.9999'],
  'numeric(10,2)': ['0.12', '-12345678.99'],
  'numeric(8)': ['3', '-12345678'],
  text: [
    'plain',
    'end  ',
    '7',
    '1.239',
    '0.12345678901234567',
    '2026-03-29 12:34:56.7891234+02',
    String.raw`a\\b`,
    'long'.repeat(20),
    '{1.239}',
    '{"b": 1.50}',
  ],
  'character varying(5)': ['five5', 'end  '],
  'character(5)': ['five5', 'ab'],
  name: ['plain', '1.239'],
  '"char"': ['x'],
  bytea: [String.raw`\x00ff`],
  money: ['$1.50'],
  boolean: ['true'],
  date: ['2026-03-29', '0044-03-15 BC'],
  'timestamp without time zone': ['2026-03-29 01:30:00.123456'],
  'timestamp(3) without time zone': ['2026-03-29 01:30:00.123'],
  'timestamp with time zone': ['2026-03-29 01:30:00.123456+02'],
  'timestamp(0) with time zone': ['2026-03-29 01:30:01+02'],
  'time without time zone': ['23:59:59.999999'],
  'time(0) without time zone': ['23:59:59'],
  'time with time zone': ['23:59:59.999999+03'],
  interval: ['1 day 00:00:01.123456'],
  'interval(2)': ['1 day 00:00:01.12'],
  'interval year to month': ['1 year 2 mons'],
  'interval hour': ['3 days 04:00:00'],
  'interval day to second(2)': ['3 days 04:05:06.12'],
  'numeric(5,-2)': ['12300'],
  'bit(8)': ['00000101'],
  'bit varying': ['101', '00000101'],
  uuid: ['00112233-4455-6677-8899-aabbccddeeff', '11111111-1111-1111-1111-111111111111'],
  json: ['{"b": 1.50,  "a":[]}', '7', '1.239', '[]', '{}', '7     '],
  jsonb: ['{"b": 1.50, "a":[]}', '7', '1.239', '[]', '{}'],
  xml: ['<a> </a>', 'end    '],
  oid: ['7', '4294967295'],
  inet: ['10.0.0.1', '10.0.0.0/8', '::7'],
  cidr: ['10.0.0.0/8'],
  macaddr: ['08:00:2b:01:02:03'],
  macaddr8: ['08:00:2b:01:02:03:04:05'],
  point: ['(1.5,0.12345678901234567)'],
  tsvector: ['end:3 plain:1'],
  int4range: ['[1,5)'],
  numrange: ['[1.239,)'],
  tsrange: ['["2026-03-29 01:30:00.123456",)'],
  daterange: ['[2026-03-29,2026-03-31)'],
  'integer[]': ['{7,NULL}', '{}'],
  'numeric[]': ['{1.239}'],
  'numeric(10,2)[]': ['{{1.23,4.5}}'],
  'real[]': ['{0.1}'],
  'double precision[]': ['{1.2345678901234567}'],
  'text[]': ['{"end     ","NULL",NULL}', '{1.239}', '{2026-03-29}'],
  'character varying(3)[]': ['{"a  ",abc}'],
  'character(5)[]': ['{ab}'],
  'date[]': ['{2026-03-29}'],
  'timestamp without time zone[]': ['{"2026-03-29 01:30:00.123456"}'],
  'timestamp with time zone[]': ['{"2026-03-29 01:30:00.123456+02"}'],
  'jsonb[]': ['{7,"{\\"a\\": 1.239}"}'],
  citext: ['end      ', '7', '1.239', '2026-03-29 12:34:56', '{1.239}'],
  'citext[]': ['{"end     ",Abc}'],
  mood: ['sad', '7', 'end    '],
  other_mood: ['sad'],
  'mood[]': ['{sad,7}'],
  code: ['end    ', '1.239', '7'],
  short: ['a  ', '7'],
  amount: ['0.12', '7'],
  amounts: ['{0.12,7}'],
  'amount[]': ['{0.12,7}'],
  place: ['(7,1.239)'],
  prices: ['[1.239,2)'],
};
const OWN_TYPES = `
  create extension citext;
  create type mood as enum ('sad', '7', 'end    ');
  create type other_mood as enum ('sad', 'glad');
  create domain code as text;
  create domain short as varchar(3);
  create domain amount as numeric(10,2);
  create domain amounts as numeric(10,2)[];
  create type place as (n int, price numeric);
  create type prices as range (subtype = numeric)`;

describe.each(servers)('values on their way into another type, on $name', { timeout: 120_000 }, (server) => {
  let ends: Ends;
  /** In transactions, for the next copy. */
  let sessions: [out: Session, back: Session];
  const types = Object.keys(SAMPLES);
  const facts = new Map<string, ColumnFacts>();
  const factsOf = (type: string): ColumnFacts => facts.get(type)!;
  beforeAll(async () => {
    ends = await Ends.create(server);
    await ends.setZone('source', 'Asia/Tokyo');
    await ends.sql('source', OWN_TYPES);
    await ends.sql('target', OWN_TYPES);
    await ends.sql('target', `create table t (n int, ${types.map((type, i) => `c${i} ${type}`).join(', ')})`);
    const { columns } = (await ends.target.dialect.describeTable(ends.target, 't'))!;
    types.forEach((type, i) => facts.set(type, columns[i + 1]!));
    sessions = [await ends.begin('source'), await ends.begin('target')];
  });
  afterAll(() => ends.close());

  /** What COPY makes of these samples: `kept`, `changed`, or `refused` by the server, loudly. */
  async function copied(from: string, into: string, samples: string[]): Promise<'kept' | 'changed' | 'refused'> {
    const values = samples.map((value) => `(null::int, '${value}'::${from})`).join(', ');
    const [given, { name: column, castType }] = [factsOf(from), factsOf(into)];
    const [source, target] = sessions;
    const format = agreesInBinary([{ source: given.castType, target: castType }]) ? 'binary' : 'text';
    try {
      const { dialect } = ends.target;
      const { select } = landingColumn(dialect, dialect, given, factsOf(into), undefined);
      await copyRows(
        { dialect, session: source },
        { dialect, session: target },
        {
          select: `select n, ${select} from (values ${values}) s(n, ${given.name})`,
          table: 't',
          columns: [{ name: 'n' }, { name: column }],
          format,
        },
      );
      await target.commit();
    } catch {
      return 'refused';
    } finally {
      sessions = [await ends.again('source', source), await ends.again('target', target)];
    }
    const expected = samples.map((value) => `('${value}'::${from})`).join(', ');
    // Back in its own type, by its text or by a cast, a value that was kept is the value that it was.
    let kept = false;
    const shown = (value: string): string => (from === 'json' ? `(${value})::jsonb::text` : `(${value})::text`);
    for (const back of [`t.${column}::text::${from}`, `t.${column}::${from}`]) {
      const [found] = await ends
        .sql(
          'target',
          `select (select count(*) from (values ${expected}) e(v) where not exists
             (select 1 from t where ${shown(back)} = ${shown('e.v')})) as changed`,
        )
        .catch(() => []);
      if ((kept = found?.['changed'] === '0')) break;
    }
    await ends.sql('target', 'delete from t');
    return kept ? 'kept' : 'changed';
  }

  const turn = inTurns(import.meta.url, server, servers);
  for (const from of types) {
    turn(`${from}: what would be changed without a word is refused beforehand`, () => expectNothingChanged(from));
  }

  test('a number of MySQL is not put into a domain that would round it, whatever the domain is over', async () => {
    await ends.sql('target', 'create domain cents as numeric(10,2)');
    await ends.sql('target', 'create domain price as cents check (value >= 0)');
    await ends.sql('target', 'create table priced (v price, batch_id bigint)');
    const { target } = ends;
    const priced = (await target.dialect.describeTable(target, 'priced'))!;
    const column = { name: 'v', nullable: true, hasDefault: false, generated: false };
    const fit = (type: string) =>
      fittingColumns(
        {
          dialect: mysqlDialect,
          facts: { ...priced, table: 's', columns: [{ ...column, type, castType: 'decimal' }] },
        },
        target.dialect,
        priced,
        {
          connection: 'warehouse',
          outputs: [{ table: 'priced', rollback: 'delete', write: 'append' }],
          file: 'load.yaml',
        },
      );
    expect(fit('decimal(10,2)')).toHaveLength(1);
    expect(() => fit('decimal(12,4)')).toThrow(
      'v, decimal(12,4), would be rounded to 2 decimals in priced, where it is price',
    );
  });

  test('what two servers write in another way each, is not read as the other writes it', () => {
    const [price, prices] = ['money', 'money[]'].map((type) => ({ ...factsOf('money'), type, castType: type }));
    expect(price!.locale).toMatch(/^C/);
    const into = (column: ColumnFacts, locale: string) => narrowing(column, { ...column, locale });
    expect(into(price!, 'C.UTF-8')).toBeUndefined();
    for (const one of [price!, prices!]) {
      expect(into({ ...one, locale: 'en_IE' }, 'de_DE.utf8')).toBe(
        'is written as lc_monetary en_IE has it, and would be read as de_DE.utf8 has it',
      );
    }
  });

  async function expectNothingChanged(from: string): Promise<void> {
    const wrong: string[] = [];
    for (const into of types) {
      const said = narrowing(underDomain(factsOf(from)), underDomain(factsOf(into)));
      if (from === into && said !== undefined) wrong.push(`${from} into itself: ${said}`);
      if (said !== undefined) continue;
      const samples = SAMPLES[from]!;
      const together = await copied(from, into, samples);
      if (from === into && together !== 'kept') wrong.push(`${from} into itself: ${together}`);
      // One that is refused takes the others with it.
      const apart = together === 'refused' && samples.length > 1 ? samples.map((value) => [value]) : [];
      for (const some of [samples, ...apart]) {
        const fate = some === samples ? together : await copied(from, into, some);
        if (fate === 'changed') wrong.push(`${from} ${some.join(', ')} into ${into} is changed`);
      }
    }
    expect(wrong).toEqual([]);
  }
});

test('a time of MySQL is not put into an interval that ends with another field than the second', () => {
  const into = (type: string) => lostBetween({ kind: 'time', scale: 0 }, shapeOf({ type, castType: 'interval' }));
  expect(into('interval year')).toBe('would be cut to whole years');
  expect(into('interval day to minute')).toBe('would be cut to whole minutes');
  expect(into('interval hour to second(0)')).toBeUndefined();
});
