import { migrate } from '../../../src/control/migrate.ts';
import type { Database } from '../../../src/database/dialect.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { sql } from '../../../src/database/sql.ts';
import type { MysqlTestServer } from '../../mysql-on-demand.ts';
import { freshMysqlDatabase } from '../../mysql-servers.ts';

/** A database whose control tables have a schema of their own on the server; without them until `migrate`. */
export async function emptyLedgerOn(server: MysqlTestServer): Promise<Database> {
  const { name, url } = await freshMysqlDatabase(server);
  return openLedger(url, `${name}_waybill`);
}

export function openLedger(url: string, controlSchema: string): Database {
  return new MysqlDatabase({
    name: 'w',
    url,
    scheme: 'mysql',
    maxConnections: 10,
    controlSchema,
  });
}

export async function ledgerOn(server: MysqlTestServer): Promise<Database> {
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
