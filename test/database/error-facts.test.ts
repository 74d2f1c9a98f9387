/** Errors of one server, in an activity whose own database is of the other family (`errorFacts`). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/database/dialect.ts';
import { errorFacts } from '../../src/database/error-facts.ts';
import { withSession } from '../../src/database/transaction.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../mysql-servers.ts';
import { freshDatabase, servers } from '../servers.ts';
import { openLedger } from './ledger-on.ts';

/** Stands in rows only. */
const SECRET = 'mary@example.org';

describeOn(await mysqlServers(), 'errors of PostgreSQL and $name', (server) => {
  let postgres: Database;
  let mysql: Database;
  beforeAll(async () => {
    postgres = openLedger((await freshDatabase(servers[0]!)).url, 'waybill');
    mysql = openLedger((await freshMysqlDatabase(server)).url, 'waybill');
  });
  afterAll(() => Promise.all([postgres.close(), mysql.close()]));

  const errorOf = async (database: Database, text: string): Promise<unknown> =>
    withSession(database, 'waybill errors', (session) => session.query({ strings: [text], values: [] })).then(
      () => undefined,
      (error: unknown) => error,
    );

  test.each<[string, string, string]>([
    ['a connection that was ended', 'select pg_terminate_backend(pg_backend_pid())', 'kill connection_id()'],
    [
      'a value that is none',
      `select '${SECRET}'::int`,
      `create temporary table t as select cast('${SECRET}' as date) as d`,
    ],
  ])('%s', async (_, ofPostgres, ofMysql) => {
    for (const [text, own, other] of [
      [ofPostgres, postgres, mysql],
      [ofMysql, mysql, postgres],
    ] as const) {
      const error = await errorOf(own, text);
      const facts = own.dialect.classify(error);
      expect(facts.kind !== 'permanent' || facts.code !== undefined).toBe(true);
      expect(errorFacts(error, other)).toEqual(facts);
      expect(facts.safeMessage).not.toContain(SECRET);
    }
  });
});
