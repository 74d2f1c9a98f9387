/** MySQL and MariaDB for the cases: connections, a bare loop, and the flights in a warehouse. */
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { to as copyTo } from 'pg-copy-streams';
import type { MysqlFlavour } from '../src/dev/mysql-binaries.ts';
import type { MysqlServer } from '../src/dev/mysql-server.ts';
import { fillFlights, read, VALUES_IN_UTC } from './flights.ts';
import { freshDatabase, type Servers } from './servers.ts';

const FLAVOUR: Record<'mysql' | 'mariadb', MysqlFlavour> = { mysql: 'MySQL', mariadb: 'MariaDB' };
/** A schema is a database of the whole server here: one case at a time has these. */
const WAREHOUSE = ['waybill', 'bare', 'acq', 'core', 'services'];
const SOURCE = ['public'];

/** As the example's source has it; with utf8mb4 whatever the server's default is. */
const FLIGHT = `create table public.flight (
  flight_id bigint not null auto_increment primary key, date datetime(6) not null, delay int not null, distance int not null,
  origin varchar(10) not null, destination varchar(10) not null, recorded_at timestamp(6) not null default current_timestamp(6)
) character set utf8mb4 collate utf8mb4_bin`;

export class MysqlBench {
  private constructor(
    readonly server: MysqlServer,
    private readonly databases: readonly string[],
    private readonly connection: Connection,
  ) {}

  static async warehouse(servers: Servers, name: keyof typeof FLAVOUR): Promise<MysqlBench> {
    const bench = await MysqlBench.open(await servers.mysql(FLAVOUR[name]), WAREHOUSE);
    await bench.say('create database waybill; create database bare');
    return bench;
  }

  /** Beside a warehouse on the same server, if need be. */
  static async source(servers: Servers, name: keyof typeof FLAVOUR): Promise<MysqlBench> {
    const bench = await MysqlBench.open(await servers.mysql(FLAVOUR[name]), SOURCE);
    await bench.say('create database public');
    return bench;
  }

  private static async open(server: MysqlServer, databases: readonly string[]): Promise<MysqlBench> {
    const bench = new MysqlBench(server, databases, await connect(server));
    await bench.clear();
    return bench;
  }

  /** As a project names it. */
  get url(): string {
    return this.server.url(this.databases[0]);
  }

  async say(statements: string): Promise<void> {
    await this.connection.query(statements);
  }

  async row<Row>(query: string): Promise<Row> {
    const [rows] = await this.connection.query<RowDataPacket[]>(query);
    return rows[0] as Row;
  }

  /** Rows and a sum over all values of the columns: a row that is lost, doubled or changed changes it. */
  async checksum(table: string, columns: string): Promise<string> {
    const { n, sum } = await this.row<{ n: number; sum: string }>(
      `select count(*) as n, sum(crc32(concat_ws('|', ${columns}))) as sum from ${table}`,
    );
    return `${n} rows, sum ${sum}`;
  }

  /** Runs the statements, each a transaction of its own, over so many connections: a load with nothing around it. */
  async loop(statements: readonly string[], lanes: number): Promise<void> {
    const connections: Connection[] = [];
    try {
      for (let lane = 0; lane < lanes; lane += 1) connections.push(await connect(this.server));
      let next = 0;
      await Promise.all(
        connections.map(async (connection) => {
          while (next < statements.length) await connection.query(statements[next++]!);
        }),
      );
    } finally {
      await Promise.all(connections.map((connection) => connection.end()));
    }
  }

  /** The tables of the example's warehouse, and the same once more in `bare`, for the reference. */
  async makeWarehouse(): Promise<void> {
    await this.say(await read('schema/warehouse.mysql.sql'));
    await this.say(`
      create table bare.landed like acq.flight; create table bare.landed_airport like acq.airport;
      create table bare.flight like core.flight; create table bare.airport like core.airport`);
  }

  /** Fills `bare.landed` and `bare.landed_airport`: what every round's landing tables are made of. */
  async fillLanded(servers: Servers, rows: number): Promise<void> {
    await this.makeWarehouse();
    await this.fill(servers, rows, {
      'bare.landed': `select ${VALUES_IN_UTC}, 1, flight_id from flight order by flight_id`,
      'bare.landed_airport': `select iata, name, city, state, country, latitude, longitude, updated_at at time zone 'UTC', 1,
        row_number() over () from airport`,
    });
  }

  /** Makes and fills `public.flight`. */
  async fillFlights(servers: Servers, rows: number): Promise<void> {
    await this.say(FLIGHT);
    await this.fill(servers, rows, {
      'public.flight': `select ${VALUES_IN_UTC} from flight order by flight_id`,
    });
  }

  /** Fills tables, the first one with flights, with what queries find in a PostgreSQL that has so many flights. */
  private async fill(servers: Servers, rows: number, queries: Record<string, string>): Promise<void> {
    const flights = await freshDatabase(servers);
    try {
      await fillFlights(flights, rows);
      for (const [table, query] of Object.entries(queries)) {
        await this.copy(flights.client.query(copyTo(`copy (${query}) to stdout`)), table);
      }
    } finally {
      await flights.drop();
    }
    const tables = Object.keys(queries);
    const { n } = await this.row<{ n: number }>(`select count(*) as n from ${tables[0]}`);
    if (Number(n) !== rows) throw new Error(`${n} flights arrived, not ${rows}`);
    await this.say(`analyze table ${tables.join(', ')}`);
  }

  /** COPY's text is what LOAD DATA reads. */
  private async copy(rows: NodeJS.ReadableStream, table: string): Promise<void> {
    await this.connection.query({
      sql: `load data local infile 'rows' into table ${table} character set utf8mb4`,
      infileStreamFactory: () => rows as never,
    });
  }

  async close(): Promise<void> {
    await this.clear();
    await this.connection.end();
  }

  private async clear(): Promise<void> {
    await this.say(this.databases.map((name) => `drop database if exists ${name}`).join(';'));
  }
}

function connect(server: MysqlServer): Promise<Connection> {
  return createConnection({
    uri: server.url().replace(/^mariadb:/, 'mysql:'),
    multipleStatements: true,
    flags: ['LOCAL_FILES'],
    supportBigNumbers: true,
    timezone: 'Z',
  }).then(async (connection) => {
    // As Waybill has it: InnoDB then locks nothing that an INSERT … SELECT only reads.
    await connection.query(`set session transaction isolation level read committed; set time_zone = '+00:00'`);
    await connection
      .query('set session cte_max_recursion_depth = 10000000')
      .catch(() => connection.query('set session max_recursive_iterations = 10000000'));
    return connection;
  });
}

/** Conditions that cut a table along a key that counts from 1. */
export function keyRanges(key: string, rows: number, all: number): string[] {
  const ranges: string[] = [];
  for (let from = 1; from <= all; from += rows) ranges.push(`${key} >= ${from} and ${key} < ${from + rows}`);
  return ranges;
}
