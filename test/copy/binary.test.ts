import { afterEach, describe, expect, test } from 'vitest';
import type { LoadDefinition } from '../../src/config/definition.ts';
import { landingColumns } from '../../src/copy/landing-columns.ts';
import { servers } from '../servers.ts';
import { Ends } from './ends.ts';
import { OWN_TYPES, POSTGRES, type SampleType } from './samples.ts';

const ways = servers.flatMap((from) => servers.map((into) => ({ from, into, source: from.name, target: into.name })));
const LOAD = { file: 'x.yaml', outputs: [{ table: 'landing' }] } as unknown as LoadDefinition;

/**
 * Types that mean on another server what they mean here: not those that a database made, and not `money`, whose digits are a setting's, and not `interval`, which is infinite on some;
 * nor `oid`, which numbers what a server has, and `xml`, which says its encoding.
 */
const isPortable = ({ type }: SampleType): boolean =>
  !/^(mood|code|place|int4range|money|interval|oid|xml)$/.test(type);

describe.each(ways)('rows from $source to $target in binary', ({ from, into }) => {
  let ends: Ends;
  afterEach(() => ends.close());

  /** Tables of these columns on both sides, the first with every sample; what a copy would do. */
  async function copied(types: readonly SampleType[], landing = types.map(({ type }) => type)): Promise<string> {
    ends = await Ends.create(from, into);
    for (const text of OWN_TYPES) for (const side of ['source', 'target'] as const) await ends.sql(side, text);
    const columns = (list: readonly string[]): string => list.map((type, i) => `c${i} ${type}`).join(', ');
    await ends.sql('source', `create table t (id int, ${columns(types.map(({ type }) => type))})`);
    await ends.sql('target', `create table landing (id int, ${columns(landing)}, batch_id int)`);
    const most = Math.max(...types.map(({ samples }) => samples.length));
    for (let n = 0; n < most; n++) {
      const values = types.map(({ samples }) => samples[n]?.sql ?? 'null');
      await ends.sql('source', `insert into t values (${n}, ${values.join(', ')})`);
    }
    const facts = (await ends.source.dialect.describeTable(ends.source, 't'))!;
    const { columns: travelling, format } = await landingColumns(ends.source, facts, ends.target, LOAD);
    const [out, back] = [await ends.begin('source'), await ends.begin('target')];
    const counts = await ends.copy(out, back, {
      table: 'landing',
      format,
      select: `select ${travelling.map(({ select }) => select).join(', ')}, 7 from t`,
      columns: [...travelling.map((column) => column.into), { name: 'batch_id' }],
    });
    expect(counts).toEqual({ read: most, written: most });
    await back.commit();
    const texts = ['id', ...types.map((_, i) => `c${i}`)].map((name) => `${name}::text`).join(', ');
    const found = await ends.sql('target', `select ${texts} from landing order by id`);
    expect(found).toEqual(await ends.sql('source', `select ${texts} from t order by id`));
    return format;
  }

  test('all types that mean the same on both travel so, every value as it was', async () => {
    const portable = POSTGRES.filter(isPortable);
    expect(portable.length).toBeGreaterThan(25);
    expect(await copied(portable)).toBe('binary');
  });

  test.each(POSTGRES.filter((type) => !isPortable(type)))('not $type, whose values arrive as text', async (type) => {
    expect(await copied([type])).toBe('text');
  });

  const knowsInfinity = (name: string): boolean => Number(/\d+/.exec(name)![0]) >= 17;
  const itHas = knowsInfinity(from.name) ? test : () => undefined;
  itHas('nor an infinite interval, for which some have no value', async () => {
    const infinite = copied([
      { type: 'interval', samples: [{ sql: `'infinity'`, value: 'infinity' }] },
      { type: 'interval[]', samples: [{ sql: `'{-infinity}'`, value: '{-infinity}' }] },
    ]);
    if (knowsInfinity(into.name)) expect(await infinite).toBe('text');
    else await expect(infinite).rejects.toThrow('invalid input syntax for type interval: "infinity"');
  });

  test('nor a column that is wider on the other side', async () => {
    const integer = POSTGRES.find(({ type }) => type === 'integer')!;
    expect(await copied([integer], ['bigint'])).toBe('text');
  });
});
