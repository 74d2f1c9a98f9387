import type { Connection, RowDataPacket } from 'mysql2/promise';
import { ConfigurationError } from '../../errors.ts';

/** What one server of the family is, asked once for each `Database`. */
export interface ServerFacts {
  flavour: 'MySQL' | 'MariaDB';
  /** `9.7.4`. */
  version: string;
}

/** The oldest releases with SKIP LOCKED and all else that is needed. */
const OLDEST: Record<ServerFacts['flavour'], [number, number]> = { MySQL: [8, 0], MariaDB: [10, 6] };

/**
 * Asks the server what it is, whatever the URL called it. Throws `ConfigurationError` for servers on which a batch would not
 * be safe.
 */
export async function factsOf(connection: Connection): Promise<ServerFacts> {
  const [[row]] = await connection.query<RowDataPacket[]>('select version() as version');
  const text = String(row!['version']);
  const flavour = text.includes('MariaDB') ? 'MariaDB' : 'MySQL';
  const version = /\d+\.\d+\.\d+/.exec(text.replace(/^5\.5\.5-(?=1\d\.)/, ''))?.[0] ?? text;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = OLDEST[flavour];
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    throw new ConfigurationError(`the server is ${flavour} ${version}, which is too old`, {
      next: `use ${flavour} ${leastMajor}.${leastMinor} or later`,
    });
  }
  const [variables] = await connection.query<RowDataPacket[]>(
    "show global variables where variable_name in ('wsrep_on', 'group_replication_single_primary_mode', 'group_replication_group_name')",
  );
  const refused = clusterRefusal(
    new Map(variables.map((variable) => [String(variable['Variable_name']), String(variable['Value'])])),
  );
  if (refused !== undefined) throw new ConfigurationError(refused.message, { next: refused.next });
  return { flavour, version };
}

/**
 * Clusters in which several servers take writes: a lock on one of them holds nobody back on another, so the gate of a batch
 * would stand open. One that has a single writer is a server like any other.
 */
export function clusterRefusal(variables: ReadonlyMap<string, string>): { message: string; next: string } | undefined {
  const next = 'give the URL of a server that alone takes writes (asynchronous replicas of it do no harm)';
  if (variables.get('wsrep_on') === 'ON') {
    return { message: 'the server is part of a Galera cluster, whose servers do not share locks', next };
  }
  const inGroup = (variables.get('group_replication_group_name') ?? '') !== '';
  if (inGroup && variables.get('group_replication_single_primary_mode') === 'OFF') {
    return { message: 'the server is part of a multi-primary group, whose servers do not share locks', next };
  }
  return undefined;
}
