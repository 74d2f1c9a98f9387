import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Session } from '../../../src/database/dialect.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { inTransaction } from '../../../src/database/transaction.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';

describeOn(await mysqlServers(), 'a roll back on $name', (server) => {
  let database: MysqlDatabase;
  let session: Session;

  beforeAll(async () => {
    const { url } = await freshMysqlDatabase(server);
    database = new MysqlDatabase({ name: 'w', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
    session = await database.openSession('waybill 7 roll back');
  });
  afterAll(async () => {
    await session.close();
    await database.close();
  });

  const say = (text: string) => session.query<Record<string, string>>({ strings: [text], values: [] });
  /** A new table with 900 rows and more, `n` from 1; every third one is another batch's. */
  async function fill(definition: string, columns: string, expressions: string): Promise<void> {
    await say('drop table if exists t');
    await say(`create table t (n int, batch_id bigint, ${definition})`);
    await say(`insert into t (n, batch_id, ${columns})
      with recursive s as (select 1 as i union all select i + 1 from s where i < 900)
      select i, if(i % 3 = 0, 6, 7), ${expressions} from s`);
    await say('analyze table t');
  }
  /** Plans and deletes until nothing is left, as a roll back does; the rows of each transaction. */
  async function deleted(rowsPerTransaction: number): Promise<number[]> {
    const counts: number[] = [];
    for (;;) {
      const groups = await database.dialect.planDeletion(session, 't', '7', rowsPerTransaction);
      if (groups.length === 0) return counts;
      for (const group of groups) {
        counts.push(await inTransaction(session, () => database.dialect.deleteRange(session, group, '7')));
      }
    }
  }
  async function looks(): Promise<number> {
    const { rows } = await say("show session status like 'Handler_read%'");
    return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
  }

  test.each([
    ['a primary key and an index', 'k bigint primary key, key (batch_id)', 'k', '-i * 7'],
    ['a primary key alone', 'k bigint unsigned primary key', 'k', '18446744073709550000 + i'],
    ['a primary key of texts', 'k varchar(20) primary key, key (batch_id)', 'k', "concat('Ä', i)"],
    [
      'a primary key that begins with one value for all',
      'k1 int, k0 int, primary key (k1, k0), key b (batch_id)',
      'k1, k0',
      '1, 1000 - i',
    ],
    ['an index that goes on behind the batch', 'k int primary key, x int, key (batch_id, x)', 'k, x', 'i, i % 5'],
    ['a primary key that begins with the batch', 'k int, primary key (batch_id, k)', 'k', 'i'],
    ['a unique key instead of a primary one', 'k int not null, unique key (k), key (batch_id)', 'k', 'i'],
  ])('takes the rows of its batch by %s, and looks at each row but once or twice', async (_, ...definition) => {
    await fill(...definition);
    // All at once: what is planned again and again walks over what was deleted before.
    expect(await database.dialect.planDeletion(session, 't', '7', 50)).toHaveLength(12);
    const before = await looks();
    const counts = await deleted(50);
    expect(counts).toEqual(Array.from({ length: 12 }, () => 50));
    // To plan, to delete, and to see that nothing is left.
    expect((await looks()) - before).toBeLessThan(3_500);
    expect((await say('select count(*) as n, min(batch_id) as b, max(batch_id) as c from t')).rows).toEqual([
      { n: '300', b: '6', c: '6' },
    ]);
  });

  test('takes rows whose unique key is NULL, too', async () => {
    await fill('k int, unique key (k)', 'k', 'if(i % 2 = 0, null, i)');
    expect((await deleted(100)).reduce((sum, n) => sum + n, 0)).toBe(600);
  });

  test('goes by an index on the batch in bounded transactions where there is no key, and in one where there is none', async () => {
    await fill('x int, key (batch_id)', 'x', 'i');
    expect(await deleted(250)).toEqual([250, 250, 100]);
    await fill('x int', 'x', 'i');
    expect(await deleted(250)).toEqual([600]);
    expect(await deleted(250)).toEqual([]);
  });

  test('takes rows that refer to others of the same table, in parts too', async () => {
    await fill(
      'k int primary key, parent int, foreign key (parent) references t (k)',
      'k, parent',
      'i, if(i < 4, null, i - 3)',
    );
    expect((await deleted(100)).reduce((sum, n) => sum + n, 0)).toBe(600);
  });

  test('takes rows out of all partitions', async () => {
    const parts = 'partition by range (k) (partition a values less than (300), partition b values less than maxvalue)';
    await say('drop table if exists t');
    await say(`create table t (n int, batch_id bigint, k int primary key) ${parts}`);
    await say(
      'insert into t select seq.i, 7, seq.i from (select 1 as i union all select 200 union all select 400) seq',
    );
    expect(await deleted(2)).toEqual([2, 1]);
  });
});
