/** Which transactions a cursor waits for (`Dialect.openTransactions`). */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/database/dialect.ts';
import { reading } from '../../../src/database/transaction.ts';
import { freshDatabase, servers } from '../../servers.ts';
import { openLedger } from '../ledger-on.ts';

describe.each(servers)('transactions that are open on $name', (server) => {
  let database: Database;
  let url: string;
  beforeAll(async () => {
    ({ url } = await freshDatabase(server));
    database = openLedger(url, 'waybill');
  });
  afterAll(() => database.close());

  test('are those that may write, as anybody may who does not say otherwise, but for pg_dump', async () => {
    const clients = ['pg_dump', 'report', 'waybill read item'].map(
      (name) => new Client({ connectionString: url, application_name: name }),
    );
    for (const client of clients) {
      await client.connect();
      await client.query('begin isolation level repeatable read, read only');
      await client.query('select 1');
    }
    const open = await reading(database, 'waybill read test', (session) => database.dialect.openTransactions(session));
    expect(open.map(({ application }) => application)).toEqual(['report']);
    await Promise.all(clients.map((client) => client.end()));
  });
});
