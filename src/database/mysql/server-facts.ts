import type { Connection, RowDataPacket } from 'mysql2/promise';
import { ConfigurationError } from '../../errors.ts';
import { FLAVOURS, type FlavourFacts } from './flavour-facts.ts';

/** What one server of the family is, asked once for each `Database`, and by that what it does and does not. */
export interface ServerFacts extends FlavourFacts {
  /** For messages: nothing else goes by a name, or by a version. */
  flavour: keyof typeof FLAVOURS;
  /** `9.7.4`, for messages. */
  version: string;
  /** Which notes it gives can be chosen: MariaDB since some release of each of its series (10.6.16, 10.11.6, …), so this one is asked. */
  choosesNotes: boolean;
}

/**
 * The oldest releases on which everything holds: RENAME under LOCK TABLES came with MySQL 8.0.13, and a CHECK that is kept with
 * 8.0.16; SKIP LOCKED and JSON_TABLE with MariaDB 10.6.
 */
const OLDEST: Record<ServerFacts['flavour'], string> = { MySQL: '8.0.16', MariaDB: '10.6' };

/**
 * What a server is by its own `version()`, whatever the URL called it. Throws `ConfigurationError` for one that is too old.
 * (`5.5.5-` stands before the version of a MariaDB that is asked over replication's protocol, or through some proxies.)
 */
export function factsByVersion(text: string): Omit<ServerFacts, 'choosesNotes'> {
  const flavour = text.includes('MariaDB') ? 'MariaDB' : 'MySQL';
  const version = /\d+\.\d+\.\d+/.exec(text.replace(/^5\.5\.5-(?=1\d\.)/, ''))?.[0] ?? text;
  if (isBefore(version, OLDEST[flavour])) {
    throw new ConfigurationError(`the server is ${flavour} ${version}, which is too old`, {
      next: `use ${flavour} ${OLDEST[flavour]} or later`,
    });
  }
  return { flavour, version, ...FLAVOURS[flavour]((release) => !isBefore(version, release)) };
}

function isBefore(version: string, other: string): boolean {
  const [parts, others] = [version, other].map((one) => one.split('.').map(Number)) as [number[], number[]];
  const i = others.findIndex((part, at) => part !== parts[at]);
  return i >= 0 && !(parts[i]! > others[i]!);
}

/** Asks the server what it is. Throws `ConfigurationError` for servers on which a batch would not be safe. */
export async function factsOf(connection: Connection): Promise<ServerFacts> {
  const [[row]] = await connection.query<RowDataPacket[]>('select version() as version');
  const facts = factsByVersion(String(row!['version']));
  const [variables] = await connection.query<RowDataPacket[]>(
    "show global variables where variable_name in ('wsrep_on', 'group_replication_single_primary_mode', 'group_replication_group_name', 'note_verbosity')",
  );
  const values = new Map(variables.map((variable) => [String(variable['Variable_name']), String(variable['Value'])]));
  const refused = clusterRefusal(values);
  if (refused !== undefined) throw new ConfigurationError(refused.message, { next: refused.next });
  return { ...facts, choosesNotes: values.has('note_verbosity') };
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
