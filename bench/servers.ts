import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { startPostgres, type PostgresServer } from '../src/dev/postgres-server.ts';
import { startTemporal, type TemporalServer } from '../src/dev/temporal-server.ts';

/** One PostgreSQL with its settings as they come (so fsync and all), and one Temporal: everything that a case needs. */
export interface Servers {
  postgres: PostgresServer;
  temporal: TemporalServer;
  stop(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const [postgres, temporal] = await Promise.all([startPostgres(), startTemporal()]);
  return {
    postgres,
    temporal,
    stop: async () => {
      await Promise.allSettled([postgres.stop(), temporal.stop()]);
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
