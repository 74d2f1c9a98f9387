import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import type { MysqlFlavour } from '../src/dev/mysql-binaries.ts';
import { startMysql, type MysqlServer } from '../src/dev/mysql-server.ts';
import { startPostgres, type PostgresServer } from '../src/dev/postgres-server.ts';
import { startTemporal, type TemporalServer } from '../src/dev/temporal-server.ts';
import { UnreachableError } from '../src/errors.ts';
import { SkippedError } from './benchmark.ts';
import { say } from './report.ts';

/** One PostgreSQL with its settings as they come (so fsync and all), and one Temporal: everything that most cases need. */
export interface Servers {
  postgres: PostgresServer;
  temporal: TemporalServer;
  /** Starts one when a case asks for the first time. Throws `SkippedError` where there is none. */
  mysql(flavour: MysqlFlavour): Promise<MysqlServer>;
  stop(): Promise<void>;
}

/**
 * Each commit reaches the disk, as both servers have it by default. The default pool, 128 MB, is for small machines: PostgreSQL, too,
 * has the system's memory for what its own 128 MB do not hold. A redo log of 1 GB, or the writes of a run wait for checkpoints.
 */
const MYSQL: Record<MysqlFlavour, Record<string, string>> = {
  MySQL: { 'innodb-redo-log-capacity': '1G' },
  MariaDB: { 'innodb-log-file-size': '1G' },
};
const BOTH = {
  'innodb-buffer-pool-size': '2G',
  'innodb-flush-log-at-trx-commit': '1',
  'innodb-flush-method': 'O_DIRECT',
  'innodb-doublewrite': '1',
};

export async function startServers(): Promise<Servers> {
  const [postgres, temporal] = await Promise.all([startPostgres(), startTemporal()]);
  const started = new Map<MysqlFlavour, Promise<MysqlServer>>();
  return {
    postgres,
    temporal,
    mysql: async (flavour) => {
      const server = started.get(flavour) ?? startMysql({ flavour, settings: { ...BOTH, ...MYSQL[flavour] } });
      started.set(flavour, server);
      try {
        const { version } = await server;
        say(`${flavour} ${version}`);
        return await server;
      } catch (error) {
        if (error instanceof UnreachableError) throw new SkippedError(`${error.message} ${error.next ?? ''}`);
        throw error;
      }
    },
    stop: async () => {
      const mysql = [...started.values()].map(async (server) => (await server).stop());
      await Promise.allSettled([postgres.stop(), temporal.stop(), ...mysql]);
    },
  };
}

/** A database of a case's own, and a connection to it. */
export interface BenchDatabase {
  url: string;
  client: Client;
  drop(): Promise<void>;
}

export async function freshDatabase({ postgres }: Servers): Promise<BenchDatabase> {
  const name = `bench_${randomBytes(5).toString('hex')}`;
  await once(postgres.url(), `create database ${name}`);
  const url = postgres.url(name);
  const client = await connect(url);
  return {
    url,
    client,
    drop: async () => {
      await client.end();
      await once(postgres.url(), `drop database ${name} with (force)`);
    },
  };
}

export async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined); // the statement in flight says it
  await client.connect();
  return client;
}

async function once(url: string, statement: string): Promise<void> {
  const client = await connect(url);
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Rows and a sum over all values of the columns: a row that is lost, doubled or changed changes it. */
export async function checksum(client: Client, table: string, columns: string): Promise<string> {
  const { rows } = await client.query<{ found: string }>(
    `select count(*) || ' rows, sum ' || coalesce(sum(hash_record_extended(row(${columns}), 0)), 0) as found from ${table}`,
  );
  return rows[0]!.found;
}
