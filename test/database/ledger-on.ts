import { migrate } from '../../src/control/migrate.ts';
import type { Database } from '../../src/database/dialect.ts';
import { MysqlDatabase } from '../../src/database/mysql/database.ts';
import { PostgresDatabase } from '../../src/database/postgres/database.ts';
import { sql } from '../../src/database/sql.ts';
import { freshDatabase, type TestServer } from '../servers.ts';

/** A database whose control tables have a schema of their own on the server; without them until `migrate`. */
export async function emptyLedgerOn(server: TestServer): Promise<Database> {
  const { prefix, url } = await freshDatabase(server);
  return openLedger(url, `${prefix}waybill`);
}

export function openLedger(url: string, controlSchema: string): Database {
  const at = { name: 'w', url, maxConnections: 10, controlSchema };
  return url.startsWith('postgres')
    ? new PostgresDatabase({ ...at, scheme: 'postgres' })
    : new MysqlDatabase({ ...at, scheme: 'mysql' });
}

export async function ledgerOn(server: TestServer): Promise<Database> {
  const database = await emptyLedgerOn(server);
  await migrate(database, 'tests');
  return database;
}

/** A batch in the ledger, as opening it leaves it, with a stage that is not planned yet. */
export async function insertBatch(database: Database, batchId: string, load: string, state = 'running'): Promise<void> {
  await database.query(sql`
    insert into ${database.ledger('batch')}
      (batch_id, load_name, kind, state, definition_hash, definition, params, invisible, first_run_id, deadline_at)
    values (${batchId}, ${load}, 'core', ${state}, 'h', '{}', '{}', '[]', ${`run-${batchId}`},
            ${database.dialect.words.secondsFromNow(3600)})`);
  await database.query(sql`insert into ${database.ledger('stage')} (batch_id, n, name) values (${batchId}, 1, 'all')`);
}
