/** How tables are cut: by key into chunks, by pages into the transactions of a roll back. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PostgresDatabase } from '../../../src/database/postgres/database.ts';
import { NULL_KEYS, type ColumnFacts, type Session } from '../../../src/database/dialect.ts';
import { part, raw, sql } from '../../../src/database/sql.ts';
import { freshDatabase, servers, type FreshDatabase } from '../../servers.ts';

describe.each(servers)('on $name', (server) => {
  let fresh: FreshDatabase;
  let database: PostgresDatabase;
  let session: Session;
  beforeEach(async () => {
    fresh = await freshDatabase(server);
    const at = { name: 'warehouse', url: fresh.url, scheme: 'postgres', maxConnections: 4, controlSchema: 'waybill' };
    database = new PostgresDatabase(at as ConstructorParameters<typeof PostgresDatabase>[0]);
    session = await database.openSession('test');
  });
  afterEach(async () => {
    await session.close();
    await database.close();
    await fresh.drop();
  });

  const run = (text: string) => session.query<{ n: string }>(sql`${raw(text)}`);

  /** Rows of each range that the table `t` is cut into; each row is in exactly one of them, or this throws. */
  async function cut(names: string[], rows: number, where?: string): Promise<number[]> {
    const { dialect } = database;
    const facts = await dialect.describeTable(database, 't');
    const key = names.map((name) => facts!.columns.find((column) => column.name === name)) as ColumnFacts[];
    const condition = where === undefined ? undefined : { condition: part`${raw(where)}`, window: true };
    const ranges = await dialect.planKeys(session, 't', key, rows, condition);
    const counts: number[] = [];
    for (const range of ranges) {
      const values: unknown[] = [];
      const text = dialect.rangeCondition('key', range, key, (value, cast) => {
        const placeholder = dialect.sql.placeholder(values.push(value));
        return cast === undefined ? placeholder : dialect.sql.cast(placeholder, cast);
      });
      const mark = `update t set seen = seen + 1 where (${text}) and (${where ?? 'true'})`;
      await session.begin();
      counts.push((await session.run({ text: mark, values })).rowCount);
      await session.commit();
      if (range.from === NULL_KEYS) expect(range).toBe(ranges.at(-1));
    }
    const { rows: wrong } = await run(`select count(*) as n from t where (seen = 1) <> (${where ?? 'true'})`);
    expect(wrong).toEqual([{ n: '0' }]);
    return counts;
  }

  /** The scans of the index while a plan was made. */
  async function scans(index: string): Promise<number> {
    await run('select pg_stat_force_next_flush()').catch(() => undefined);
    const { rows } = await run(`select idx_scan as n from pg_stat_all_indexes where indexrelname = '${index}'`);
    return Number(rows[0]!.n);
  }

  test('a key with an index is walked, n rows at a time', async () => {
    await run('create table t (id bigint primary key, seen int not null default 0)');
    await run('insert into t select g * 3 from generate_series(1, 1050) g');
    const before = await scans('t_pkey');
    const ranges = await database.dialect.planKeys(session, 't', await keyOf(), 100);
    expect(ranges).toHaveLength(11);
    expect((await scans('t_pkey')) - before).toBeGreaterThanOrEqual(11);
    expect(await cut(['id'], 100)).toEqual([100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 50]);
  });

  const keyOf = async (): Promise<ColumnFacts[]> =>
    (await database.dialect.describeTable(database, 't'))!.columns.slice(0, 1);

  describe('a table of some megabytes, once analysed', () => {
    const WIDE = 'create table t (id bigint, pad text, seen int not null default 0) with (fillfactor = 10)';
    const fill = async (id: string): Promise<void> => {
      await run(WIDE);
      await run(`insert into t select ${id}, repeat('x', 80) from generate_series(1, 30000) g`);
      await run('create index on t (id)');
      await run('vacuum (analyze) t'); // so that a walk would be along the index
    };

    test('is cut by a sample of its pages, without a walk over its keys', async () => {
      await fill('case when g % 100 = 0 then null else (g * 7919) % 30011 end');
      const before = await scans('t_id_idx');
      const ranges = await database.dialect.planKeys(session, 't', await keyOf(), 2000);
      expect(ranges.length).toBeGreaterThanOrEqual(10);
      // A walk begins one for each range; the planner looks for the ends of the index, and we for NULLs.
      expect((await scans('t_id_idx')) - before).toBeLessThan(ranges.length - 1);
      const counts = await cut(['id'], 2000);
      expect(counts.at(-1)).toBe(300); // NULLs are a range of their own
      expect(Math.max(...counts)).toBeLessThan(8000);
    });

    test('is walked where so little of it is meant that a sample has next to nothing of that', async () => {
      await fill('g');
      expect(await cut(['id'], 2000, 'id > 26500')).toEqual([2000, 1500]);
      await run('update t set seen = 0');
      expect(await cut(['id'], 2000, 'id > 30000')).toEqual([]);
    });

    test('is walked where a sample would be a large part of it', async () => {
      await fill('g');
      expect(await cut(['id'], 1000)).toEqual(new Array(30).fill(1000));
    });
  });

  test('a bound that a ledger on MySQL could not hold is left out', async () => {
    await run('create table t (id text collate "C", seen int not null default 0)');
    await run(`insert into t select lpad(g::text, 3, '0') || repeat('x', case when g % 5 = 0 then 70000 else 1 end)
               from generate_series(1, 20) g`);
    expect(await cut(['id'], 4)).toEqual([8, 4, 4, 4]);
  });

  test('a window of such a key is cut alone, whatever stands below and above it', async () => {
    await run('create table t (id bigint primary key, seen int not null default 0)');
    await run('insert into t select generate_series(1, 1000)');
    expect(await cut(['id'], 100, 'id >= 401 and id < 651')).toEqual([100, 100, 50]);
    await run('update t set seen = 0');
    expect(await cut(['id'], 100, 'id >= 2000')).toEqual([]);
  });

  test.each([
    ['an index', 'create index on t (a, b)'],
    ['an index in another order', 'create index on t (a desc, b)'],
    ['an index on some rows', 'create index on t (a, b) where a < 10'],
    ['an index of another collation', 'create index on t (a, b collate "C")'],
    ['no index', ''],
  ])('a key of two columns with repetitions and NULLs, and %s', async (_what, index) => {
    await run('create table t (a int, b text collate "und-x-icu", seen int not null default 0)');
    await run(`insert into t select g % 20, case g % 7 when 0 then null when 1 then 'É' else 'e' || g % 5 end
               from generate_series(1, 2000) g`);
    await run('insert into t select null, null from generate_series(1, 5)');
    if (index !== '') await run(index);
    const counts = await cut(['a', 'b'], 100);
    expect(counts.length).toBeGreaterThan(10);
    expect(Math.max(...counts.slice(0, -1))).toBeLessThan(200);
    expect(counts.at(-1)).toBe(290); // NULLs are a range of their own
  });

  describe('a key whose type has its operators in a schema that is not on search_path', () => {
    // What is found there by name is the comparison of texts, by another order: `B` before `a`.
    const fill = async (columns: string, values: string): Promise<void> => {
      await run('create schema ext; create extension citext schema ext');
      await run('create domain code as ext.citext collate "C"');
      await run(`create table t (${columns}, seen int not null default 0)`);
      await run(`insert into t select ${values}, 0 from generate_series(1, 26) g`);
    };
    const LETTER = '(case g % 2 when 0 then upper(chr(96 + g)) else chr(96 + g) end)';

    test.each([
      ['of it', 'id ext.citext collate "C"', LETTER, ['id']],
      ['of it, with an index', 'id ext.citext collate "C" primary key', LETTER, ['id']],
      ['of a domain over it', 'id code primary key', LETTER, ['id']],
      ['of two such', 'a code, b code', `'x', ${LETTER}`, ['a', 'b']],
      ['of it and another', 'a int, b code, primary key (a, b)', `g % 3, ${LETTER}`, ['a', 'b']],
      ['of it between others', 'a int, b code, c date', `1, ${LETTER}, date '2026-01-01' + g`, ['a', 'b', 'c']],
    ])('has each row in one range, and as many in each as wanted: %s', async (_what, columns, values, names) => {
      await fill(columns, values);
      expect(await cut(names, 1)).toEqual(new Array(26).fill(1));
      await run('update t set seen = 0');
      expect(await cut(names, 5)).toEqual([5, 5, 5, 5, 5, 1]);
    });

    test('where ranges have the same value in front, an index leads to their rows alone', async () => {
      await fill('a int, b code, primary key (a, b)', `1, ${LETTER}`);
      const { columns } = (await database.dialect.describeTable(database, 't'))!;
      const range = { from: '["1","d"]', to: '["1","g"]' };
      const bind = (value: unknown, cast?: string): string => `'${String(value)}'::${cast}`;
      const condition = database.dialect.rangeCondition('key', range, columns.slice(0, 2), bind);
      await run('set enable_seqscan = off; set enable_bitmapscan = off');
      const { rows } = await session.query<{ 'QUERY PLAN': string }>(
        sql`explain (costs off) select * from t where ${raw(condition)}`,
      );
      expect(rows.map((row) => row['QUERY PLAN'].trim())).toContainEqual(
        expect.stringMatching(/^Index Cond: .*a = 1.* OPERATOR\(ext\.>=\).* OPERATOR\(ext\.<\)/),
      );
    });
  });

  test('a key that has most rows to itself takes them all, and no more', async () => {
    await run('create table t (k int, seen int not null default 0)');
    await run(
      'insert into t select case when g between 101 and 900 then 101 else g end from generate_series(1, 1000) g',
    );
    await run('create index on t (k)');
    const counts = await cut(['k'], 50);
    expect(counts.filter((n) => n > 100)).toHaveLength(1);
    expect(Math.max(...counts)).toBeLessThan(850);
  });

  /** Deletes batch 7 out of `t` as a roll back does; the rows of each transaction. */
  async function deleted(rowsPerTransaction: number): Promise<number[]> {
    const groups = await database.dialect.planDeletion(session, 't', '7', rowsPerTransaction);
    const counts: number[] = [];
    for (const group of groups) {
      counts.push(await database.dialect.deleteRange(session, group, '7'));
    }
    return counts;
  }

  test('a roll back takes the rows of its batch, in transactions of bounded size, wherever they lie', async () => {
    await run('create table t (id bigint, batch_id bigint, filler text) with (fillfactor = 10)');
    // A dense stretch, one row in a thousand over the rest, and pages at the end that hold nothing of the batch.
    await run(`insert into t select g, case when g <= 20000 or g % 1000 = 0 then 7 else 6 end, repeat('x', 40)
               from generate_series(1, 60000) g`);
    await run('create index on t (batch_id)');
    const counts = await deleted(5_000);
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(20_040);
    expect(counts.length).toBeGreaterThanOrEqual(4);
    expect(Math.max(...counts)).toBeLessThanOrEqual(5_000);
    expect((await run('select count(*) as n from t where batch_id = 6')).rows).toEqual([{ n: '39960' }]);
    expect(await deleted(5_000)).toEqual([]);
  });

  test('a roll back finds rows in all partitions, and in a table without rows none', async () => {
    await run('create table t (id bigint, batch_id bigint) partition by range (id)');
    await run('create table low partition of t for values from (0) to (1000)');
    await run('create table high partition of t for values from (1000) to (9000) partition by range (id)');
    await run('create table higher partition of high for values from (1000) to (9000)');
    expect(await deleted(100)).toEqual([]);
    await run('insert into t select g, 7 from generate_series(0, 5999) g');
    expect(await deleted(1_000_000)).toEqual([1000, 5000]);
  });

  /** Deletes batch 7 out of `t` as a roll back does that goes over all of it; the rows of each transaction. */
  async function swept(expected: number, rowsPerTransaction: number): Promise<number[]> {
    const counts: number[] = [];
    for (const range of await database.dialect.planSweep(session, 't', expected, rowsPerTransaction)) {
      counts.push(await database.dialect.deleteRange(session, range, '7'));
    }
    return counts;
  }

  test('a batch that is a large part of its table is taken out in one pass over it, in transactions of bounded size', async () => {
    await run('create table t (id bigint, batch_id bigint)');
    await run('create index on t (batch_id)');
    await run('insert into t select g, 6 from generate_series(1, 20000) g');
    await run('vacuum analyze t'); // so many rows a page
    await run('insert into t select g, 7 from generate_series(1, 10000) g');
    const counts = await swept(10_000, 2_000);
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(10_000);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2_300); // pages are whole
    expect((await run('select count(*) as n from t')).rows).toEqual([{ n: '20000' }]);
  });

  test('a batch of which nothing is known, or to which an index leads as a small part of its table, is looked for first', async () => {
    await run('create table t (id bigint, batch_id bigint)');
    await run('insert into t select g, case when g <= 1000 then 7 else 6 end from generate_series(1, 20000) g');
    expect(await swept(0, 100_000)).toEqual([]);
    await run('create index on t (id)');
    await run('create index on t (batch_id) where id > 0');
    await run('create index on t (batch_id)');
    expect(await swept(1_000, 100_000)).toEqual([]);
    await run('drop index t_batch_id_idx1');
    expect(await swept(1_000, 100_000)).toEqual([1000]); // no index leads to it: all of the table has to be read anyway
  });

  test('all partitions are swept, those without rows too, and what is added to a table later', async () => {
    await run('create table t (id bigint, batch_id bigint) partition by range (id)');
    await run('create table low partition of t for values from (0) to (1000)');
    await run('create table high partition of t for values from (1000) to (90000) partition by range (id)');
    await run('create table higher partition of high for values from (1000) to (90000)');
    expect(await swept(6_000, 1_000)).toEqual([]);
    await run('insert into t select g, 7 from generate_series(0, 59999) g');
    const ranges = await database.dialect.planSweep(session, 't', 60_000, 10_000);
    expect(ranges.map(({ table, range }) => [table, range.to === null])).toEqual([
      ['only low', true],
      ...ranges.slice(2).map(() => ['only higher', false]),
      ['only higher', true],
    ]);
    await run('insert into t select g, 7 from generate_series(60000, 69999) g');
    let rows = 0;
    for (const range of ranges) rows += await database.dialect.deleteRange(session, range, '7');
    expect(rows).toBe(70_000);
  });

  test('the last pages go first where rows refer to older ones of their table, swept or looked for, in partitions too', async () => {
    const columns = '(id bigint primary key, parent bigint references t, batch_id bigint)';
    await run(`create table t ${columns} partition by range (id)`);
    await run('create table low partition of t for values from (0) to (1000) with (fillfactor = 10)');
    await run('create table high partition of t for values from (1000) to (9000) with (fillfactor = 10)');
    await run('create index on t (parent)');
    const fill = () => run('insert into t select g, nullif(g - 1, 0), 7 from generate_series(1, 5999) g');
    await fill();
    const sweep = await swept(5_999, 10_000);
    expect(sweep.length).toBeGreaterThan(2);
    expect(sweep.at(-1)).toBe(999);
    await run('truncate t');
    await fill();
    expect((await deleted(2_000)).reduce((sum, n) => sum + n, 0)).toBe(5_999);
  });

  test('a roll back reads pages of its range only, though an index on batch_id is there', async () => {
    await run('create table t (id bigint, batch_id bigint)');
    await run('create index on t (batch_id)');
    await run('insert into t select g, 7 from generate_series(1, 100000) g');
    const [group] = await database.dialect.planDeletion(session, 't', '7', 20_000);
    const { rows } = await session.query<Record<string, string>>(
      sql`explain delete from only t where batch_id + 0 = 7 and ctid >= ${`(${group!.range.from},0)`}::tid and ctid < ${`(${group!.range.to},0)`}::tid`,
    );
    expect(rows.map((row) => Object.values(row)[0]).join('\n')).toContain('Tid Range Scan');
  });
});
