import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ColumnFacts, Dialect, TableFacts } from '../../src/database/dialect.ts';
import { lostBetween } from '../../src/database/value-shape.ts';
import { Ends, isMysql, pairs, type AnyServer } from './ends.ts';
import { MARIADB, MYSQL, OWN_TYPES, POSTGRES, type SampleType } from './samples.ts';

/** PostgreSQL's own that no other server has. */
const OWN: SampleType[] = [
  { type: 'numeric(5,-2)', samples: [] },
  { type: 'xml', samples: [] },
];

const typesOf = (server: AnyServer): SampleType[] => {
  if (!isMysql(server)) return [...POSTGRES, ...OWN];
  return server.flavour === 'MariaDB' ? [...MYSQL, ...MARIADB] : MYSQL;
};

describe.each(await pairs())('a landing table on $target for columns of $source', { timeout: 120_000 }, (pair) => {
  const { from, into } = pair;
  let ends: Ends;
  let source: TableFacts;
  let dialects: { source: Dialect; target: Dialect };
  let types: Map<string, string | undefined>;

  beforeAll(async () => {
    ends = await Ends.create(from, into);
    dialects = { source: ends.source.dialect, target: ends.target.dialect };
    for (const text of isMysql(from) ? [] : OWN_TYPES) await ends.sql('source', text);
    const list = typesOf(from).map(({ type }, i) => `c${i} ${type}`);
    await ends.sql('source', `create table t (${list.join(', ')})${isMysql(from) ? ' character set utf8mb4' : ''}`);
    const values = typesOf(from).map(({ samples: [first] }) =>
      first === undefined ? 'null' : first.sql.replaceAll('\\', isMysql(from) ? '\\\\' : '\\'),
    );
    await ends.sql('source', `insert into t values (${values.join(', ')})`);
    source = (await dialects.source.describeTable(ends.source, 't'))!;
    types = new Map(source.columns.map((column) => [column.name, typeFor(column)]));
    const columns = [...types].flatMap(([name, type]) => (type === undefined ? [] : [{ name, type }]));
    for (const text of dialects.target.createLanding('landing', columns)) await ends.sql('target', text);
  }, 120_000);
  afterAll(() => ends.close());

  const typeFor = (column: ColumnFacts): string | undefined =>
    dialects.target.landingType(column, dialects.source.shapeOf(column), dialects.source === dialects.target);

  test('every type has one that keeps its values, but for those that none keeps', () => {
    const none = source.columns.filter(({ name }) => types.get(name) === undefined).map(({ type }) => type);
    const opaque = isMysql(from)
      ? source.columns.filter((column) => dialects.source.shapeOf(column).kind === 'opaque')
      : [];
    if (isMysql(from) === isMysql(into)) expect(none).toEqual([]);
    else if (isMysql(from)) expect(none).toEqual(opaque.map(({ type }) => type));
    else expect(none).toEqual(['money', 'time with time zone', 'numeric(40,35)']);
  });

  test('nothing would change on the way, and numbers come by themselves', async () => {
    const landing = (await dialects.target.describeTable(ends.target, 'landing'))!;
    const { nativeCopy } = dialects.target;
    const changed = source.columns.flatMap((column) => {
      const target = landing.columns.find(({ name }) => name === column.name);
      if (!target) return [];
      const lost =
        nativeCopy && dialects.source === dialects.target
          ? nativeCopy.narrowing(column, target)
          : lostBetween(dialects.source.shapeOf(column), dialects.target.shapeOf(target));
      // MySQL's JSON is not MariaDB's; text is said to be no JSON.
      return lost === undefined || (column.type === 'json' && target.type === 'json')
        ? []
        : [`${column.type}: ${lost}`];
    });
    expect(changed).toEqual([]);
    const own = landing.columns.filter(({ name }) => !types.has(name));
    expect(own.map(({ name, nullable, hasDefault }) => [name, nullable, hasDefault])).toEqual([
      ['batch_id', false, false],
      ['ngdw_id', false, true],
    ]);
    expect(landing.columns.filter(({ name, nullable }) => types.has(name) && !nullable)).toEqual([]);
    expect(landing.indexes.find(({ primary }) => primary)?.columns).toEqual(['ngdw_id']);
  });

  test('a row of values arrives', async () => {
    const landing = (await dialects.target.describeTable(ends.target, 'landing'))!;
    const filled = landing.columns.filter(({ name }) => types.has(name));
    const value = ({ name }: ColumnFacts): string => {
      const into = landing.columns.find((column) => column.name === name)!;
      const column = source.columns.find((one) => one.name === name)!;
      const native = dialects.source === dialects.target && dialects.target.nativeCopy !== undefined;
      return native
        ? dialects.source.quoteName(name)
        : dialects.source.copyOutValue(column, dialects.target.shapeOf(into));
    };
    const [out, back] = [await ends.begin('source'), await ends.begin('target')];
    const { written } = await ends.copy(out, back, {
      table: 'landing',
      select: `select ${filled.map(value).join(', ')}, 7 from t`,
      columns: [...filled.map((column) => dialects.target.copyInColumn(column)), { name: 'batch_id' }],
    });
    expect(written).toBe(1);
    await back.commit();
    const nulls = filled.map(({ name }) => `case when ${name} is null then 1 else 0 end`).join(' + ');
    const [row] = await ends.sql('target', `select ${nulls} as nulls, ngdw_id as id from landing`);
    const empty = filled.filter(
      ({ name }) => typesOf(from)[source.columns.findIndex((column) => column.name === name)]!.samples.length === 0,
    );
    expect([Number(row!['nulls']), Number(row!['id'])]).toEqual([empty.length, 1]);
  });

  test('a query of the table is described as the table is', async () => {
    const session = await ends.begin('source');
    const described = await dialects.source.describeQuery(session, 'select * from t -- all of it');
    await session.rollback();
    const shown = (column: ColumnFacts) => {
      const { kind, precision, scale, length } = dialects.source.shapeOf(column);
      // What a result of MySQL does not say (docs/configuration.md): labels, MariaDB's own types; and one of PostgreSQL: domains.
      const unsaid = isMysql(from) && ['one of a list', 'some of a list', 'uuid', 'own'].includes(kind);
      const said = unsaid || column.type === 'code' ? 'text' : kind;
      const digits = kind === 'float' ? undefined : scale; // nor that a float is rounded
      return { name: column.name, kind: said, precision, scale: digits, ...(said === 'text' ? {} : { length }) };
    };
    expect(described.map(shown)).toEqual(source.columns.map(shown));
  });
});
