/** Page ranges: exact whatever the pages look like, and planned from a few of them however many there are. */
import { chown, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { planPages, rangeCondition } from '../../../src/database/postgres/chunk-ranges.ts';
import { PostgresDatabase } from '../../../src/database/postgres/database.ts';
import type { ChunkRange, Session } from '../../../src/database/dialect.ts';
import { freshDatabase, servers, type FreshDatabase } from '../../servers.ts';

/** About 100 rows a page. */
const ROWS = (from: number, to: number) =>
  `insert into t select g, repeat('x', 40) from generate_series(${from}, ${to}) g;`;
/** Rows beyond the first `id`s, then none of those: their pages stay, empty. */
const HOLE = (from: number, to: number) => `delete from t where id between ${from} and ${to};`;

interface Pages {
  made: string;
  sql: string;
  rows: number;
  /** Chunks for 1,000 rows each. */
  chunks: (n: number) => boolean;
}

const PAGES: Pages[] = [
  { made: 'no page at all', sql: '', rows: 0, chunks: (n) => n === 0 },
  { made: 'pages without a row', sql: ROWS(1, 5000) + HOLE(1, 5000), rows: 0, chunks: (n) => n === 0 },
  { made: 'one row', sql: ROWS(1, 1), rows: 1, chunks: (n) => n === 1 },
  { made: 'as many rows as a chunk takes', sql: ROWS(1, 1000), rows: 1000, chunks: (n) => n <= 2 },
  { made: 'full pages', sql: ROWS(1, 20_000), rows: 20_000, chunks: (n) => n >= 18 && n <= 22 },
  // Eight pages of every 31 are looked at: the row is on none of them.
  { made: 'rows on the last page only', sql: ROWS(1, 100_000) + HOLE(1, 99_999), rows: 1, chunks: (n) => n <= 2 },
  { made: 'rows on the first page only', sql: ROWS(1, 20_000) + HOLE(31, 20_000), rows: 30, chunks: (n) => n <= 2 },
  { made: 'a hole in the middle', sql: ROWS(1, 30_000) + HOLE(10_001, 20_000), rows: 20_000, chunks: (n) => n >= 15 },
  {
    made: 'one row a page, and pages of a hundred',
    sql: `insert into t select g, (select string_agg(md5(g || ' ' || i), '') from generate_series(1, 230) i) from generate_series(1, 300) g; ${ROWS(301, 6300)}`,
    rows: 6300,
    chunks: (n) => n >= 4,
  },
];

describe.each(servers)('page ranges on $name', (server) => {
  let fresh: FreshDatabase;
  let client: Client;
  let database: PostgresDatabase;
  let session: Session;

  beforeEach(async () => {
    fresh = await freshDatabase(server);
    client = new Client({ connectionString: fresh.url });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('create table t (id int, pad text); alter table t alter pad set storage plain');
    const name = 'warehouse';
    database = new PostgresDatabase({
      name,
      url: fresh.url,
      scheme: 'postgres',
      maxConnections: 3,
      controlSchema: 'w',
    });
    session = await database.openSession('test');
    await session.begin({ readOnly: true });
  });
  afterEach(async () => {
    await session.rollback();
    await session.close();
    await database.close();
    await client.end();
    await fresh.drop();
  });

  const idsOf = async (range: ChunkRange): Promise<number[]> =>
    (
      await client.query<{ id: number }>(`select id from t where ${rangeCondition('pages', range, [], () => '')}`)
    ).rows.map(({ id }) => id);

  test.each(PAGES)('of $made hold every row once', async ({ sql, rows, chunks }) => {
    await client.query(sql);
    const all = (await client.query<{ id: number }>('select id from t')).rows.map(({ id }) => id);
    const ranges = await planPages(session, 'public.t', 1000);
    const found: number[] = [];
    for (const range of ranges) found.push(...(await idsOf(range)));
    expect(found.sort((a, b) => a - b)).toEqual(all.sort((a, b) => a - b));
    expect(found).toHaveLength(rows);
    expect(chunks(ranges.length), `${ranges.length} chunks`).toBe(true);
    // Half-open, one behind the other, the first from the start, the last one open.
    expect(ranges.map(({ to }) => to)).toEqual(
      [...ranges.slice(1).map(({ from }) => from), null].slice(0, ranges.length),
    );
    expect(ranges[0]?.from ?? '0').toBe('0');
  });

  test('of 100 GB are planned from a few pages, in no time', async () => {
    await client.query(ROWS(1, 30_000));
    await client.query('checkpoint');
    const pages = await assumeGigabytes(100);
    const oid = `select pg_stat_get_xact_blocks_fetched('t'::regclass) as n`;
    const start = Date.now();
    const ranges = await planPages(session, 'public.t', 50_000);
    expect(Date.now() - start).toBeLessThan(1000);
    const looked = Number((await session.run({ text: oid, values: [] }, { first: 1 })).rows[0]?.[0]);
    expect(looked).toBeGreaterThan(32);
    expect(looked).toBeLessThanOrEqual(32 * 8 + 32);
    // 13 million pages; of those that were looked at one in 32 has rows, about 100 a page.
    expect(ranges.at(-1)!.to).toBeNull();
    const steps = new Set(ranges.slice(0, -1).map(({ from, to }) => Number(to) - Number(from)));
    expect(steps.size).toBe(1);
    const [step] = [...steps];
    expect(pages).toBe(13_107_200);
    expect(Math.ceil(pages / step!)).toBe(ranges.length);
    expect(ranges.length).toBeGreaterThan(500);
    expect(ranges.length).toBeLessThan(1200);
  });

  /** Pages of zeros behind the table's own, in files that take no room: to the server they are pages without rows. */
  async function assumeGigabytes(n: number): Promise<number> {
    const { rows } = await client.query<{ file: string }>(
      `select current_setting('data_directory') || '/' || pg_relation_filepath('t') as file`,
    );
    const file = join(rows[0]!.file);
    const { uid, gid } = await stat(file);
    for (let segment = 0; segment < n; segment += 1) {
      const name = segment === 0 ? file : `${file}.${segment}`;
      const handle = await open(name, 'a');
      await handle.truncate(1024 ** 3);
      await handle.close();
      if (segment > 0) await chown(name, uid, gid);
    }
    const size = await client.query<{ pages: string }>(
      `select pg_relation_size('t') / current_setting('block_size')::int as pages`,
    );
    return Number(size.rows[0]!.pages);
  }
});
