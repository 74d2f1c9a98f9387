import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyRows } from '../../src/copy/copy-rows.ts';
import type { Session } from '../../src/database/dialect.ts';
import { agreesInBinary } from '../../src/database/postgres/copy.ts';
import { shapeOf } from '../../src/database/postgres/values.ts';
import { lostBetween, orTooLong } from '../../src/database/value-shape.ts';
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
};

const typed = (type: string): { type: string; castType: string } => ({
  type,
  castType: type === 'character(5)' ? 'bpchar' : type.replace(/\(\d+(,\d+)?\)/, '').replace(/^interval .*/, 'interval'),
});

describe.each(servers)('values on their way into another type, on $name', { timeout: 120_000 }, (server) => {
  let ends: Ends;
  /** In transactions, for the next copy. */
  let sessions: [out: Session, back: Session];
  const types = Object.keys(SAMPLES);
  const columnOf = (type: string): string => `c${types.indexOf(type)}`;
  beforeAll(async () => {
    ends = await Ends.create(server);
    await ends.setZone('source', 'Asia/Tokyo');
    await ends.sql('target', `create table t (n int, ${types.map((type) => `${columnOf(type)} ${type}`).join(', ')})`);
    sessions = [await ends.begin('source'), await ends.begin('target')];
  });
  afterAll(() => ends.close());

  /** What COPY makes of these samples: `kept`, `changed`, or `refused` by the server, loudly. */
  async function copied(from: string, into: string, samples: string[]): Promise<'kept' | 'changed' | 'refused'> {
    const values = samples.map((value) => `(null::int, '${value}'::${from})`).join(', ');
    const column = columnOf(into);
    const [source, target] = sessions;
    const format = agreesInBinary([{ source: typed(from).castType, target: typed(into).castType }]) ? 'binary' : 'text';
    try {
      const { dialect } = ends.target;
      await copyRows(
        { dialect, session: source },
        { dialect, session: target },
        {
          select: `select n, ${orTooLong('v', shapeOf(typed(from)), shapeOf(typed(into)))} from (values ${values}) s(n, v)`,
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
    for (const back of [`t.${column}::text::${from}`, `t.${column}::${from}`]) {
      const [found] = await ends
        .sql(
          'target',
          `select (select count(*) from (values ${expected}) e(v) where not exists
             (select 1 from t where (${back})::text = e.v::text)) as changed`,
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

  async function expectNothingChanged(from: string): Promise<void> {
    const wrong: string[] = [];
    for (const into of types) {
      const said = narrowing(typed(from), typed(into));
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
