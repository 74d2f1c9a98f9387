import { createConnection } from 'mysql2/promise';
import { connected, withClient } from '../connect.ts';

/** A database as the demo itself sees it: not by way of Waybill. */
export interface DemoDatabase {
  /** Rows of one query. Large integers and sums are text, times are dates. */
  ask<T>(sql: string): Promise<T[]>;
  /** Runs a file of SQL. */
  run(sql: string): Promise<void>;
}

/** Whether a URL leads to MySQL or MariaDB. */
export const isMysql = (url: string): boolean => /^(mysql|mariadb):/.test(url);

/** Connects, does, disconnects. */
export function withDatabase<T>(url: string, body: (database: DemoDatabase) => Promise<T>): Promise<T> {
  return isMysql(url) ? withMysql(url, body) : withPostgres(url, body);
}

function withPostgres<T>(url: string, body: (database: DemoDatabase) => Promise<T>): Promise<T> {
  return withClient(url, async (client) => {
    await client.query(`set max_parallel_workers_per_gather = 2; set work_mem = '128MB'; set datestyle = 'ISO'`);
    return body({
      ask: async <R>(sql: string) => (await client.query(sql)).rows as R[],
      run: async (sql) => void (await client.query(sql)),
    });
  });
}

async function withMysql<T>(url: string, body: (database: DemoDatabase) => Promise<T>): Promise<T> {
  const connection = await connected(url, () =>
    createConnection({
      uri: url.replace(/^mariadb:/, 'mysql:'),
      multipleStatements: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      timezone: 'Z',
    }),
  );
  connection.on('error', () => undefined); // the query that was running fails, too, and is awaited
  try {
    return await body({
      ask: async <R>(sql: string) => (await connection.query(sql))[0] as R[],
      run: async (sql) => void (await connection.query(sql)),
    });
  } finally {
    connection.destroy();
  }
}
