import { Client } from 'pg';

/** Connects, does, disconnects. A transaction that `body` leaves open ends with the connection. */
export async function withClient<T>(url: string, body: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  // The query that was running fails, too, and is awaited; without a listener, Node would end the process besides.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}
