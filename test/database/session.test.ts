import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Session } from '../../src/database/dialect.ts';
import { everyServer } from '../every-server.ts';
import { emptyLedgerOn } from './ledger-on.ts';

/** 100 MB in 100,000 rows. */
const BIG = `with recursive n (i) as (select 1 union all select i + 1 from n where i < 500)
  select a.i, repeat('x', 1000) from n a, n b where b.i <= 200 and a.i > `;

describe.each(everyServer)("a user's statement on $name", (server) => {
  let database: Database;
  let session: Session;

  beforeAll(async () => {
    database = await emptyLedgerOn(server);
    session = await database.openSession('waybill 1 flights lane 1');
    await session.begin();
  });
  afterAll(async () => {
    session.destroy();
    await database.close();
  });

  test.each([
    ['bound', ['0']],
    ['in its text', []],
  ])('leaves no row in memory but those that are wanted, with a value %s', async (_how, values) => {
    const { dialect } = database;
    const bound = dialect.sql.cast(dialect.sql.placeholder(1), dialect.castOf('integer') ?? 'signed');
    const least = values.length > 0 ? bound : '0';
    const before = process.memoryUsage().heapUsed;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().heapUsed - before)), 5);
    const { rows, columns } = await session
      .run({ text: BIG + least, values }, { first: 2 })
      .finally(() => clearInterval(watch));
    expect(most).toBeLessThan(60_000_000);
    expect([rows.length, columns.length]).toEqual([2, 2]);
  });
});
