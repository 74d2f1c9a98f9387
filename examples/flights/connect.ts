import { Client } from 'pg';
import { ConfigurationError, UnreachableError } from '../../src/errors.ts';

/** An error of either driver: of the server by SQLSTATE (`pg`) or number (`mysql2`), of the network by a code of node's. */
interface DriverError extends Error {
  code?: string;
  errno?: number;
}

const CREDENTIALS = 'check user and password in the URL';
const NO_DATABASE = 'create that database, or correct its name in the URL';
const NOT_ALLOWED = 'grant that user the rights, or correct the URL';
const NO_PLACE = 'try again when fewer are connected to that server';

/** What to do about what a server says, by SQLSTATE and by number. Of MySQL and MariaDB the number is the same. */
const ADVICE: Record<string, string | undefined> = {
  '28P01': CREDENTIALS,
  '28000': `${CREDENTIALS}, and whether the server lets that user in from here`, // pg_hba.conf
  1045: CREDENTIALS,
  1698: CREDENTIALS,
  '3D000': NO_DATABASE,
  1049: NO_DATABASE,
  1044: NOT_ALLOWED,
  1142: NOT_ALLOWED,
  1227: NOT_ALLOWED,
  '42501': NOT_ALLOWED,
  '53300': NO_PLACE,
  1040: NO_PLACE,
  1203: NO_PLACE,
};

/** Connects, or says which database could not be had, why, and what to do. Credentials are not said. */
export async function connected<T>(url: string, connect: () => Promise<T>): Promise<T> {
  try {
    return await connect();
  } catch (error) {
    // Where it tried several addresses, the error itself has no words.
    const first = (error instanceof AggregateError ? error.errors[0] : error) as DriverError;
    const { why, next } = noPassword(first) ?? {
      why: first.message,
      next: adviceOn(first) ?? (isOfServer(first) ? 'correct the URL' : 'start that server, or correct the URL'),
    };
    throw new UnreachableError(`cannot connect to the database ${placeOf(url)}: ${why}`, { next, cause: error });
  }
}

/** Does what a server may refuse, and then says which, what and why; `next`: what to do about anything but a missing right. */
export async function allowed<T>(url: string, what: string, next: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || !isOfServer(error)) throw error;
    throw new ConfigurationError(`cannot ${what} in the database ${placeOf(url)}: ${error.message}`, {
      next: adviceOn(error) ?? next,
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

/** Host, port and database, as far as they are given. */
function placeOf(url: string): string {
  const { host, pathname } = URL.canParse(url) ? new URL(url) : { host: url.replace(/.*@/, ''), pathname: '' };
  return `${host}${pathname}`.replace(/\/$/, '');
}

const adviceOn = ({ code, errno }: DriverError): string | undefined => ADVICE[errno ?? ''] ?? ADVICE[code ?? ''];

/** Not of the network, whose numbers are the operating system's: negative, and whose codes have no digit. */
const isOfServer = ({ code, errno }: DriverError): boolean =>
  (errno !== undefined && errno > 0) || /^(?=.*\d)[0-9A-Z]{5}$/.test(code ?? '');

/** `pg` is asked for a password that the URL does not have: it says so in words about its own types. */
const noPassword = ({ message }: DriverError): { why: string; next: string } | undefined =>
  message.includes('client password must be a string')
    ? { why: 'the server wants a password, and there is none', next: CREDENTIALS }
    : undefined;
