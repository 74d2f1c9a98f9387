import { Databases } from '../database/databases.ts';
import { raw, sql } from '../database/sql.ts';

/** Creates a database on a server of ours, unless it is there from last time. */
export async function createDatabase(serverUrl: string, name: string): Promise<void> {
  const databases = new Databases({
    server: { name: 'server', url: serverUrl, scheme: 'postgres', maxConnections: 3, controlSchema: 'waybill' },
  });
  try {
    const server = databases.get('server');
    const { rows } = await server.query(sql`select 1 from pg_database where datname = ${name}`);
    if (rows.length === 0) await server.query(sql`create database ${raw(server.dialect.quoteName(name))}`);
  } finally {
    await databases.close();
  }
}
