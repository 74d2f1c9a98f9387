import { afterAll, beforeAll, expect, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { mysqlDialect } from '../../../src/database/mysql/dialect.ts';
import { composed, raw, sql } from '../../../src/database/sql.ts';
import { mysqlSql } from '../../../src/sql/mysql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';

describeOn(await mysqlServers(), 'rows of some batches on $name', (server) => {
  let database: MysqlDatabase;
  const FAR = 9223372036854774000n; // beyond what a float holds

  beforeAll(async () => {
    const { url } = await freshMysqlDatabase(server);
    database = new MysqlDatabase({ name: 'w', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
    for (const text of [
      'create table t (n int primary key auto_increment, batch_id bigint, x int, key (batch_id))',
      `insert into t (batch_id, x) with recursive s as (select 0 as i union all select i + 1 from s where i < 899)
         select ${FAR} + i div 30, i from s`, // thirty batches
      ...Array.from({ length: 4 }, () => 'insert into t (batch_id, x) select batch_id, x from t'),
      'insert into t (batch_id, x) values (null, 0)',
      'analyze table t',
    ]) {
      await database.query({ strings: [text], values: [] });
    }
  });
  afterAll(() => database.close());

  const of = (ids: bigint[]) => composed(mysqlSql, (bind) => mysqlDialect.inBatches('batch_id', ids.map(String), bind));
  const count = async (ids: bigint[], not = false): Promise<number> => {
    const { rows } = await database.query<{ n: string }>(
      sql`select count(*) as n from t where ${raw(not ? 'not' : '')} ${of(ids)}`,
    );
    return Number(rows[0]!.n);
  };

  test('are those of the set, and of no other; of none where the set is empty', async () => {
    expect(await count([FAR + 3n])).toBe(480);
    expect(await count([FAR + 29n, FAR, FAR + 7n])).toBe(3 * 480);
    expect(await count([FAR + 29n, FAR, FAR + 7n], true)).toBe(27 * 480);
    expect(await count([1n, 2n])).toBe(0);
    expect(await count([])).toBe(0);
  });

  test('need as many bound values however many batches there are', async () => {
    const many = Array.from({ length: 70_000 }, (_, i) => FAR - BigInt(i));
    expect(of(many).values).toHaveLength(of([FAR]).values.length);
    expect(await count(many)).toBe(480);
  });

  test.each([
    ['in a query', sql`select * from t where ${of([FAR + 3n])}`],
    ['in braces', sql`select x.n from (select * from t where ${of([FAR + 3n, FAR + 5n])}) x where x.x > 10`],
    ['in an insert', sql`insert into t (x) select x.n from (select * from t where ${of([FAR + 3n])}) x`],
  ])('are found by an index, %s', async (_, { strings, values }) => {
    const explain = `explain ${server.flavour === 'MySQL' ? 'format = traditional ' : ''}`;
    const { rows } = await database.query<{ table: string; key: string; rows: string }>({
      strings: [`${explain}${strings[0]!}`, ...strings.slice(1)],
      values,
    });
    expect(rows.find(({ key }) => key === 'batch_id')).toBeDefined();
    expect(Number(rows.find(({ key }) => key === 'batch_id')!.rows)).toBeLessThan(2_000);
  });
});
