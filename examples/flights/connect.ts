import { Client } from 'pg';
import { UnreachableError } from '../../src/errors.ts';

/** Connects, or says which database could not be had, and why. Credentials are not said. */
export async function connected<T>(url: string, connect: () => Promise<T>): Promise<T> {
  try {
    return await connect();
  } catch (error) {
    const { host, pathname } = URL.canParse(url) ? new URL(url) : { host: url.replace(/.*@/, ''), pathname: '' };
    // Where it tried several addresses, the error itself has no words.
    const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [error as Error];
    throw new UnreachableError(`cannot connect to the database ${host}${pathname}: ${first!.message}`, {
      next: 'start that server, or correct the URL',
      cause: error,
    });
  }
}

/** Connects, does, disconnects. A transaction that `body` leaves open ends with the connection. */
export async function withClient<T>(url: string, body: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  // The query that was running fails, too, and is awaited; without a listener, Node would end the process besides.
  client.on('error', () => undefined);
  await connected(url, () => client.connect());
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}
