/** Both ends of an acquisition: where flights are, and where they go; and how each server's own client copies them. */
import type { ServerName } from './benchmark.ts';
import { fillFlights, makeWarehouse, settle, VALUES, VALUES_IN_UTC } from './flights.ts';
import { MysqlBench } from './mysql.ts';
import { checksum, freshDatabase, type BenchDatabase, type Servers } from './servers.ts';
import { mysqlCommand, psqlCommand } from './tools.ts';

interface End {
  /** As a project names it. */
  url: string;
  /** The process of its server. */
  server: { pid: number };
  /** Rows and a sum over all values of the columns; only sums of one family can be compared. */
  checksum(table: string, columns: string): Promise<string>;
  close(): Promise<void>;
}

export interface Source extends End {
  /** Makes and fills `public.flight`. */
  fill(rows: number): Promise<void>;
  /** A command of the shell that prints all flights, each with the batch 1 behind it. Throws `SkippedError` without the client. */
  print(to: ServerName): Promise<string>;
}

export interface Warehouse extends End {
  /** Makes the example's tables, and `bare.landed` like `acq.flight`. */
  make(): Promise<void>;
  /** Runs a statement that is the same on all servers. */
  say(statement: string): Promise<void>;
  /** Nothing is left to be written when a run begins. */
  settle(): Promise<void>;
  /** A command of the shell that reads into `bare.landed` what the source's prints. Throws `SkippedError` without the client. */
  read(from: ServerName): Promise<string>;
}

/** Both ends, for as long as `work` takes. */
export async function withEnds<T>(
  servers: Servers,
  [from, to]: readonly [ServerName, ServerName],
  work: (source: Source, warehouse: Warehouse) => Promise<T>,
): Promise<T> {
  const source = await (from === 'postgres' ? postgresSource(servers) : mysqlSource(servers, from));
  try {
    const warehouse = await (to === 'postgres' ? postgresWarehouse(servers) : mysqlWarehouse(servers, to));
    try {
      return await work(source, warehouse);
    } finally {
      await warehouse.close();
    }
  } finally {
    await source.close();
  }
}

const postgresEnd = ({ postgres }: Servers, database: BenchDatabase): End => ({
  url: database.url,
  server: postgres,
  checksum: (table, columns) => checksum(database.client, table, columns),
  close: () => database.drop(),
});

const mysqlEnd = (bench: MysqlBench): End => ({
  url: bench.url,
  server: bench.server,
  checksum: (table, columns) => bench.checksum(table, columns),
  close: () => bench.close(),
});

async function postgresSource(servers: Servers): Promise<Source> {
  const database = await freshDatabase(servers);
  return {
    ...postgresEnd(servers, database),
    fill: (rows) => fillFlights(database, rows),
    print: async (to) => {
      const psql = await psqlCommand();
      const flights =
        to === 'postgres'
          ? `copy (select ${VALUES}, 1::bigint from public.flight) to stdout (format binary)`
          : `copy (select ${VALUES_IN_UTC}, 1 from public.flight) to stdout`;
      return psql(database.url, flights);
    },
  };
}

async function mysqlSource(servers: Servers, name: 'mysql' | 'mariadb'): Promise<Source> {
  const bench = await MysqlBench.source(servers, name);
  return {
    ...mysqlEnd(bench),
    fill: (rows) => bench.fillFlights(servers, rows),
    print: async () => (await mysqlCommand())(bench.url, `select ${VALUES}, 1 from public.flight`),
  };
}

async function postgresWarehouse(servers: Servers): Promise<Warehouse> {
  const database = await freshDatabase(servers);
  return {
    ...postgresEnd(servers, database),
    make: () => makeWarehouse(database),
    say: async (statement) => void (await database.client.query(statement)),
    settle: () => settle(database.client),
    read: async (from) => {
      // Batch mode of mysql escapes as COPY does, but for the null.
      const format = from === 'postgres' ? 'format binary' : `null 'NULL'`;
      return (await psqlCommand())(database.url, `copy bare.landed (${VALUES}, batch_id) from stdin (${format})`);
    },
  };
}

async function mysqlWarehouse(servers: Servers, name: 'mysql' | 'mariadb'): Promise<Warehouse> {
  const bench = await MysqlBench.warehouse(servers, name);
  return {
    ...mysqlEnd(bench),
    make: () => bench.makeWarehouse(),
    say: (statement) => bench.say(statement),
    settle: () => Promise.resolve(), // the page cleaners write all the time; there is no word for a checkpoint
    read: async () =>
      // A null of mysql's batch mode would be read as a word; no column of a flight is ever null.
      (await mysqlCommand())(
        bench.url,
        `load data local infile '/dev/stdin' into table bare.landed character set utf8mb4 (${VALUES}, batch_id)`,
      ),
  };
}
