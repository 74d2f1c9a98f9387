import { createConnection, type Connection, type ConnectionOptions, type RowDataPacket } from 'mysql2/promise';
import { dropSnapshot } from '../../../../src/activities/drop-snapshot.ts';
import type { Engine } from '../../../../src/activities/engine.ts';
import { takeSnapshot, type SnapshotOutcome } from '../../../../src/activities/take-snapshot.ts';
import { hashOf } from '../../../../src/control/batch.ts';
import { migrate } from '../../../../src/control/migrate.ts';
import { readSnapshots, type SnapshotRecord } from '../../../../src/control/snapshots.ts';
import type { Database } from '../../../../src/database/dialect.ts';
import { sql } from '../../../../src/database/sql.ts';
import { asActivity } from '../../../engine/activities.ts';
import type { MysqlTestServer } from '../../../mysql-on-demand.ts';
import { freshMysqlDatabase } from '../../../mysql-servers.ts';
import { openLedger } from '../../ledger-on.ts';

const VIEWS_OF_TABLES = `select table_name from information_schema.tables
  where table_schema = 'information_schema' and table_name in ('TABLES', 'COLUMNS', 'STATISTICS', 'PARTITIONS', 'KEY_COLUMN_USAGE',
    'TABLES_EXTENSIONS', 'COLUMNS_EXTENSIONS', 'ST_GEOMETRY_COLUMNS', 'GEOMETRY_COLUMNS')`;
/** Columns of these that say how many rows a table has, or when. */
const OF_ROWS =
  /^(TABLE_ROWS|AVG_ROW_LENGTH|(MAX_)?(DATA|INDEX)_LENGTH|DATA_FREE|AUTO_INCREMENT|\w+_TIME|CHECKSUM|CARDINALITY)$/;

/** A fresh database with control tables, batches that take snapshots of its tables, and as many connections as a test asks for. */
export class Scene {
  private readonly connections: Connection[] = [];
  private readonly others: Database[] = [];
  private batches = 0;

  private constructor(
    readonly name: string,
    private readonly url: string,
    readonly database: Database,
    /** Of a user who may do everything. */
    public client: Connection,
  ) {}

  static async open(server: MysqlTestServer): Promise<Scene> {
    const { name, url } = await freshMysqlDatabase(server);
    const database = openLedger(url, `${name}_waybill`);
    await migrate(database, 'tests');
    const scene = new Scene(name, url, database, undefined as never);
    scene.client = await scene.connect();
    return scene;
  }

  /** The same database over connections that do not stand yet: they have what the server sets by now. */
  again(): Database {
    const database = openLedger(this.url, `${this.name}_waybill`);
    this.others.push(database);
    return database;
  }

  async connect(options: ConnectionOptions = {}): Promise<Connection> {
    const connection = await createConnection({
      ...options,
      uri: this.url,
      supportBigNumbers: true,
      bigNumberStrings: true,
    });
    connection.on('error', () => undefined);
    this.connections.push(connection);
    return connection;
  }

  async say(...statements: string[]): Promise<void> {
    for (const statement of statements) await this.client.query(statement);
  }

  async rows<Row = Record<string, unknown>>(statement: string): Promise<Row[]> {
    return (await this.client.query<RowDataPacket[]>(statement))[0] as Row[];
  }

  /** The first column of all rows, in their order. */
  async values(statement: string): Promise<string[]> {
    return (await this.rows(statement)).map((row) => String(Object.values(row)[0]));
  }

  /** A running batch whose inputs are these. */
  async batch(...inputs: string[]): Promise<string> {
    const batchId = String((this.batches += 1));
    const definition = JSON.stringify({ inputs: inputs.map((table) => ({ table, external: true })), outputs: [] });
    await this.database.query(sql`
      insert into ${this.database.ledger('batch')}
        (batch_id, load_name, kind, state, definition_hash, definition, params, invisible, first_run_id, deadline_at)
      values (${batchId}, ${`core.l${batchId}`}, 'core', 'running', ${hashOf(definition)}, ${definition}, '{}', '[]',
              ${`run-${batchId}`}, ${this.database.dialect.words.secondsFromNow(3600)})`);
    return batchId;
  }

  async setState(batchId: string, state: string): Promise<void> {
    await this.database.query(
      sql`update ${this.database.ledger('batch')} set state = ${state} where batch_id = ${batchId}`,
    );
  }

  /** The activities themselves, on the given database: a stand-in may break connections. */
  take(batchId: string, database = this.database): Promise<SnapshotOutcome> {
    return asActivity(takeSnapshot(engineOn(database)), { connection: 'w', batchId });
  }

  drop(batchId: string, database = this.database): ReturnType<ReturnType<typeof dropSnapshot>> {
    return asActivity(dropSnapshot(engineOn(database, 0)), { connection: 'w', batchId });
  }

  records(batchId: string): Promise<SnapshotRecord[]> {
    return readSnapshots(this.database, this.database, batchId);
  }

  /** Publishes the batch and drops its snapshot: the way is free for the next. */
  async finish(batchId: string): Promise<void> {
    await this.setState(batchId, 'published');
    await this.drop(batchId);
  }

  /** What a table is, but for the next number of AUTO_INCREMENT; `name` stands for its own name. */
  async definition(table: string): Promise<string> {
    const [row] = await this.rows<Record<string, string>>(`show create table ${table}`);
    return row!['Create Table']!.replace(/(?<=ENGINE=InnoDB) AUTO_INCREMENT=\d+/, '');
  }

  async triggers(table: string): Promise<unknown[]> {
    return this.rows(`
      select trigger_name as name, action_timing as timing, event_manipulation as event, action_statement as body,
        definer as definer, sql_mode as mode, character_set_client as client, collation_connection as collation
      from information_schema.triggers where event_object_schema = database() and event_object_table = '${table}'
      order by action_timing, event_manipulation, action_order`);
  }

  /** What the catalog has of it, be that in its definition or not, but for what its rows and its age make of it. */
  async catalog(table: string): Promise<unknown> {
    const found: Record<string, string[]> = {};
    for (const view of await this.values(VIEWS_OF_TABLES)) {
      const name = view === 'GEOMETRY_COLUMNS' ? 'g_table' : 'table';
      const rows = await this.rows(
        `select * from information_schema.${view} where ${name}_schema = database() and ${name}_name = '${table}'`,
      );
      found[view] = rows
        .map((row) => JSON.stringify(row, (key, value: unknown) => (OF_ROWS.test(key) ? 0 : value)))
        .sort();
    }
    const [innodb] = await this.values(
      "select table_name from information_schema.tables where table_name in ('INNODB_TABLES', 'INNODB_SYS_TABLES')",
    );
    const files = `select name, flag, row_format, zip_page_size, space_type from information_schema.${innodb}
                   where substring_index(name, '#', 1) = concat(database(), '/${table}') order by name`;
    return { ...found, files: await this.rows(files) };
  }

  /** Tables that a swap made and has left. */
  async leftBehind(): Promise<string[]> {
    return this.values(
      `select table_name from information_schema.tables where table_schema = database() and table_name like 'waybill%'
       union all select concat('intent ', table_name) from ${this.name}_waybill.swap_intent`,
    );
  }

  async close(): Promise<void> {
    for (const database of [this.database, ...this.others]) await database.close();
    await this.client.query(`drop database ${this.name}_waybill`).catch(() => undefined);
    await this.client.query(`drop database ${this.name}`).catch(() => undefined);
    for (const connection of this.connections) connection.destroy();
  }
}

const engineOn = (database: Database, dropLimitMs?: number): Engine =>
  ({ databases: { get: () => database }, ...(dropLimitMs !== undefined && { dropLimitMs }) }) as unknown as Engine;
