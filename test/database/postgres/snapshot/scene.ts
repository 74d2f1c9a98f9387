import { Client, type ClientBase } from 'pg';
import { PostgresDatabase } from '../../../../src/database/postgres/database.ts';
import type { PostgresSession } from '../../../../src/database/postgres/session.ts';
import { lockTables } from '../../../../src/database/postgres/snapshot/lock-tables.ts';
import { snapshotGuardFunctionSql } from '../../../../src/database/postgres/snapshot/guard.ts';
import type { TableIdentity } from '../../../../src/database/postgres/snapshot/identity.ts';
import { swapTable } from '../../../../src/database/postgres/snapshot/swap.ts';
import type { TableName } from '../../../../src/database/postgres/snapshot/table-name.ts';
import { freshDatabase, type FreshDatabase, type TestServer } from '../../../servers.ts';

/** Roles are the server's, not the database's: made once, left there. */
const ROLES = ['snap_owner', 'snap_loader', 'snap_reader', 'snap_granter', 'snap_stranger'];

export const FLIGHT: TableName = { schema: 'acq', name: 'flight' };
export const SNAPSHOT: TableName = { schema: 'acq', name: 'flight_processing' };

/** A fresh database with a landing table, the guard's function, and as many connections as a test asks for. */
export class Scene {
  private readonly clients: Client[] = [];

  private constructor(
    private readonly database: FreshDatabase,
    public client: Client,
  ) {}

  static async open(server: TestServer): Promise<Scene> {
    const database = await freshDatabase(server);
    const scene = new Scene(database, undefined as never);
    scene.client = await scene.connect('loader');
    await scene.client.query(
      ROLES.map(
        (role) =>
          `do $$ begin create role ${role}; exception when duplicate_object or unique_violation then null; end $$`,
      ).join(';'),
    );
    await scene.client.query(`do $$ begin grant snap_owner to snap_loader; exception when others then null; end $$`);
    await scene.client.query('create schema acq; create schema waybill; grant usage on schema waybill to public');
    await scene.client.query('create table acq.flight (id int, v text, note text)');
    await scene.client.query(snapshotGuardFunctionSql('waybill'));
    return scene;
  }

  get url(): string {
    return this.database.url;
  }

  /** The database's, which no other test has. */
  get name(): string {
    return this.database.name;
  }

  async connect(application: string): Promise<Client> {
    const client = new Client({ connectionString: this.database.url, application_name: application });
    client.on('error', () => undefined);
    await client.connect();
    this.clients.push(client);
    return client;
  }

  /** Runs SQL in which `:db` is the database's name, for what has to be unique on the server. */
  async setUp(statements: readonly string[]): Promise<void> {
    for (const statement of statements) await this.client.query(statement.replaceAll(':db', this.database.name));
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end().catch(() => undefined)));
    await this.database.drop();
  }

  /** The swap as the engine has it, on a connection of its own, `client`. */
  async withEngine(work: (swap: () => Promise<unknown>, client: ClientBase) => Promise<void>): Promise<void> {
    const database = new PostgresDatabase({
      name: 'w',
      url: this.url,
      scheme: 'postgres',
      maxConnections: 4,
      controlSchema: 'waybill',
    });
    const session = await database.openSession('snapshot');
    const request = { batchId: 'b', tables: ['acq.flight'], waitFirst: undefined, waitMs: 2000 };
    const ledger = { prove: () => Promise.resolve(undefined), record: () => Promise.resolve() };
    try {
      await work(() => database.dialect.swap(session, database, request, ledger), (session as PostgresSession).client);
    } finally {
      await session.rollback();
      await session.close();
      await database.close();
    }
  }

  /** Lock and swap in a transaction of its own. */
  async swap(client: ClientBase = this.client): Promise<TableIdentity> {
    return inTransaction(client, async () => {
      const locked = await lockTables(client, [FLIGHT], { lockTimeoutMs: 5000 });
      if (!locked.locked) throw new Error(`not locked: ${JSON.stringify(locked)}`);
      return swapTable(client, FLIGHT, { processingName: SNAPSHOT.name, controlSchema: 'waybill' });
    });
  }
}

export async function inTransaction<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('begin isolation level read committed');
  try {
    const value = await work();
    await client.query('commit');
    return value;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** Does this once, before the first of the client's statements that is like that one. */
export function before(client: ClientBase, statement: RegExp, work: () => Promise<unknown>): void {
  const query = client.query.bind(client) as (...all: unknown[]) => Promise<unknown>;
  let done = false;
  client.query = (async (...all: unknown[]) => {
    if (!done && statement.test(String(all[0]))) {
      done = true;
      await work();
    }
    return query(...all);
  }) as unknown as Client['query'];
}
