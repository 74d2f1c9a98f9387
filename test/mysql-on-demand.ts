import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import type { TestProject } from 'vitest/node';
import { findMysql, type MysqlFlavour } from '../src/dev/mysql-binaries.ts';
import { startMysql, type MysqlServer } from '../src/dev/mysql-server.ts';
import { WaybillError } from '../src/errors.ts';
import type { MissingServer } from './global-setup.ts';

/** A real MySQL or MariaDB that the tests run against. */
export interface MysqlTestServer {
  /** As it stands in the titles of tests, and in the count at the end: `MySQL 9.7`. */
  name: string;
  flavour: MysqlFlavour;
  /** Of a user who may do everything; no database. */
  url: string;
  /** Why a test can start none of this flavour for itself; undefined: it can. */
  noOwn?: string;
}

/** What the servers of the family said when a test file asked for them. */
export interface MysqlAnswer {
  servers: MysqlTestServer[];
  missing: MissingServer[];
}

/** Servers of one's own, instead of those that we start. */
const URLS: Record<MysqlFlavour, string> = { MySQL: 'WAYBILL_TEST_MYSQL_URL', MariaDB: 'WAYBILL_TEST_MARIADB_URL' };

/** Files are read from anywhere: the lexer's tests ask whether LOAD DATA commits. */
const SETTINGS = { 'max-connections': '200', 'innodb-buffer-pool-size': '256M', 'secure-file-priv': '' };

/**
 * Starts MySQL and MariaDB when the first test file asks, over a port of its own: a run whose files ask for neither does not
 * pay for them. Once for the whole run; they end with it, even when it is killed.
 */
export async function offerMysql(project: TestProject): Promise<{ stop(): Promise<void> }> {
  const started: MysqlServer[] = [];
  let answer: Promise<MysqlAnswer> | undefined;
  const start = async (): Promise<MysqlAnswer> => {
    const found = await Promise.all((['MySQL', 'MariaDB'] as const).map((flavour) => find(flavour, started)));
    const servers = found.filter((one): one is MysqlTestServer => 'url' in one);
    const missing = found.filter((one): one is MissingServer => 'reason' in one);
    for (const { name, noOwn } of servers) {
      if (noOwn !== undefined) missing.push({ name: `a ${name} of the test's own`, reason: noOwn });
    }
    // The reporter reads these when the run is over.
    project.provide('mysqlServers', servers);
    project.provide('missingMysqlServers', missing);
    return { servers, missing };
  };
  const offer = createServer((request, response) => {
    request.resume();
    void (answer ??= start()).then(
      (value) => response.end(JSON.stringify(value)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  offer.listen(0, '127.0.0.1');
  await once(offer, 'listening');
  offer.unref();
  project.provide('mysqlServers', []);
  project.provide('missingMysqlServers', []);
  project.provide('mysqlOnDemand', `http://127.0.0.1:${(offer.address() as AddressInfo).port}/`);
  return {
    stop: async () => {
      offer.close();
      await answer?.catch(() => undefined);
      await Promise.all(started.map((server) => server.stop()));
    },
  };
}

async function find(flavour: MysqlFlavour, started: MysqlServer[]): Promise<MysqlTestServer | MissingServer> {
  const given = process.env[URLS[flavour]];
  if (given) return { name: `${flavour} ${await versionAt(given)}`, flavour, url: given, ...(await whyNoOwn(flavour)) };
  try {
    const server = await startMysql({ flavour, settings: SETTINGS, onProgress: (message) => console.log(message) });
    started.push(server);
    return { name: `${flavour} ${short(server.version)}`, flavour, url: server.url() };
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    return { name: flavour, reason: `${said(error)} (in ${URLS[flavour]})` };
  }
}

/** A URL gives one server, and some tests need others, with settings of their own. */
async function whyNoOwn(flavour: MysqlFlavour): Promise<{ noOwn?: string }> {
  try {
    await findMysql(flavour);
    return {};
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    return { noOwn: said(error) };
  }
}

const said = ({ message, next }: WaybillError): string => (next === undefined ? message : `${message}. ${next}`);

async function versionAt(url: string): Promise<string> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>('select version() as version');
    return short(String(rows[0]?.['version']));
  } finally {
    await connection.end();
  }
}

const short = (version: string): string => /^\d+\.\d+/.exec(version)?.[0] ?? version;
