import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../../../src/database/dialect.ts';
import { newRelationId, snapshotComment } from '../../../../src/database/mysql/snapshot/identity.ts';
import { sql } from '../../../../src/database/sql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../../mysql-servers.ts';
import { openLedger } from '../../ledger-on.ts';

describeOn(await mysqlServers(), 'which table has a name, on $name', (server) => {
  let database: Database;
  let schema: string;
  let tables = 0;

  beforeAll(async () => {
    const fresh = await freshMysqlDatabase(server);
    schema = fresh.name;
    database = openLedger(fresh.url, `${schema}_waybill`);
  });
  afterAll(() => database.close());

  const say = (text: string) => database.query({ strings: [text], values: [] });
  const identityOf = (table: string) =>
    database.transaction((session) => database.dialect.tableIdentity(session, table));
  const holds = async (table: string, identity: { relationId: string; storageId: string }): Promise<boolean> => {
    const { rows } = await database.query<{ holds: boolean }>(
      sql`select ${database.dialect.isStill(table, identity)} as holds`,
    );
    return rows[0]!.holds;
  };
  /** A snapshot as a swap leaves it. */
  async function snapshot(rows = 1): Promise<{ table: string; relationId: string }> {
    const table = `s${(tables += 1)}`;
    const relationId = newRelationId();
    await say(`create table ${table} (id int primary key) comment '${snapshotComment(relationId)}'`);
    for (let id = 1; id <= rows; id += 1) await say(`insert into ${table} values (${id})`);
    return { table, relationId };
  }

  test('a free name has none, and a table that nobody made a snapshot has one that no snapshot has', async () => {
    expect(await identityOf('nowhere')).toBeUndefined();
    await say("create table plain (id int) comment 'about waybill snapshot 12'");
    expect(await identityOf('plain')).toEqual({ relationId: '0', storageId: '0' });
    expect(await identityOf(`${schema}.plain`)).toEqual({ relationId: '0', storageId: '0' });
  });

  test('numbers fit into a bigint and differ', () => {
    const ids = Array.from({ length: 1000 }, newRelationId);
    expect(new Set(ids).size).toBe(1000);
    expect(ids.every((id) => BigInt(id) > 0n && BigInt(id) < 2n ** 62n)).toBe(true);
  });

  test('it stays through a rename, a rebuild and ANALYZE', async () => {
    const { table, relationId } = await snapshot();
    await say(`rename table ${table} to ${table}_b`);
    await say(`optimize table ${table}_b`);
    await say(`analyze table ${table}_b`);
    const identity = await identityOf(`${table}_b`);
    expect(identity).toEqual({ relationId, storageId: '1' });
    expect(await holds(`${table}_b`, identity!)).toBe(true);
    expect(await holds(`${schema}.${table}_b`, identity!)).toBe(true);
  });

  test('another table of the name is another one', async () => {
    const { table, relationId } = await snapshot();
    const identity = { relationId, storageId: '1' };
    await say(`rename table ${table} to ${table}_away`);
    await say(`create table ${table} (id int primary key)`);
    await say(`insert into ${table} values (1)`);
    expect(await identityOf(table)).toEqual({ relationId: '0', storageId: '0' });
    expect(await holds(table, identity)).toBe(false);
    await say(`alter table ${table} comment '${snapshotComment(newRelationId())}'`);
    expect(await holds(table, identity)).toBe(false);
  });

  test.each(['truncate table', 'delete from'])('one that was emptied is known by it: %s', async (how) => {
    const { table, relationId } = await snapshot(3);
    const identity = await identityOf(table);
    await say(`${how} ${table}`);
    expect(await holds(table, identity!)).toBe(false);
    expect(await identityOf(table)).toEqual({ relationId, storageId: '0' });
  });

  test('one that was empty stays so, and is known when somebody fills it', async () => {
    const { table } = await snapshot(0);
    const identity = await identityOf(table);
    expect(await holds(table, identity!)).toBe(true);
    await say(`insert into ${table} values (1)`);
    expect(await holds(table, identity!)).toBe(false);
  });

  test('one that is gone is said to be missing', async () => {
    const error = await holds('gone_processing', { relationId: '1', storageId: '1' }).catch(
      (thrown: unknown) => thrown,
    );
    expect(database.dialect.classify(error).because).toBe('missing');
  });
});
