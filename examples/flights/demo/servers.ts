import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startMysql, type MysqlOptions } from '../../../src/dev/mysql-server.ts';
import { startPostgres } from '../../../src/dev/postgres-server.ts';
import type { PostgresServer } from '../../../src/dev/postgres-server.ts';
import { isTemporal, startTemporal } from '../../../src/dev/temporal-server.ts';
import type { TemporalServer } from '../../../src/dev/temporal-server.ts';
import { withClient } from '../connect.ts';
import type { CleanUp } from './clean-up.ts';
import { KEPT_FOLDER } from './kept.ts';
import type { Kept } from './kept.ts';
import type { DemoOptions } from './options.ts';
import { say, sayForNow } from './terminal.ts';

/** By the word of `--warehouse`. For three million rows: most of them fit into memory. */
const MYSQL: Record<string, Pick<MysqlOptions, 'flavour' | 'settings'> | undefined> = {
  mysql: {
    flavour: 'MySQL',
    settings: { 'innodb-buffer-pool-size': '1G', 'innodb-redo-log-capacity': '2G', 'local-infile': 'ON' },
  },
  mariadb: { flavour: 'MariaDB', settings: { 'innodb-buffer-pool-size': '1G', 'innodb-log-file-size': '1G' } },
};

export interface DemoServers {
  postgres: PostgresServer;
  temporal: Pick<TemporalServer, 'address' | 'namespace' | 'uiUrl' | 'pid' | 'external' | 'stop'>;
  sourceUrl: string;
  warehouseUrl: string;
  /** What the command line and the worker need to find them. */
  environment: NodeJS.ProcessEnv;
}

/** Starts (or, with `--keep`, finds again) one PostgreSQL with two databases, and one Temporal with its Web UI. */
export async function startServers(options: DemoOptions, kept: Kept, cleanUp: CleanUp): Promise<DemoServers> {
  if (options.keep) await mkdir(KEPT_FOLDER, { recursive: true });
  const endsWithUs = async <S extends { stop(): Promise<void> }>(what: string, starting: Promise<S>): Promise<S> => {
    const server = await starting;
    if (!options.keep) await cleanUp.add(what, () => server.stop());
    return server;
  };
  const mysql = MYSQL[options.warehouse ?? ''];
  const [postgres, temporal, ours] = await Promise.all([
    endsWithUs('PostgreSQL', startOrFindPostgres(options, kept)),
    endsWithUs('Temporal', startOrFindTemporal(options, kept)),
    mysql && endsWithUs(mysql.flavour, startMysql({ ...mysql, onProgress: sayForNow })),
  ]);
  say(`PostgreSQL ${postgres.version} on port ${postgres.port}, Temporal on ${temporal.address}`);

  await createDatabase(postgres, 'source');
  if (options.warehouse === undefined) await createDatabase(postgres, 'warehouse');
  const sourceUrl = postgres.url('source');
  const warehouseUrl = ours?.url() ?? options.warehouse ?? postgres.url('warehouse');
  if (mysql && ours) say(`${mysql.flavour} ${ours.version} on port ${ours.port}`);
  return {
    ...{ postgres, temporal, sourceUrl, warehouseUrl },
    environment: {
      ...process.env,
      SOURCE_URL: sourceUrl,
      WAREHOUSE_URL: warehouseUrl,
      // A configured server may need more than its address (a namespace, keys): that is in the environment already.
      ...(temporal.external ? {} : { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace }),
    },
  };
}

async function startOrFindPostgres(options: DemoOptions, kept: Kept): Promise<PostgresServer> {
  if (!options.keep) return startPostgres();
  const home = { dataDirectory: join(KEPT_FOLDER, 'postgres'), persistent: true, outlivesUs: true };
  return onItsOldPorts(kept.postgres, (ports) => startPostgres({ ...home, ...ports }));
}

async function startOrFindTemporal(options: DemoOptions, kept: Kept): Promise<DemoServers['temporal']> {
  if (!options.keep) return startTemporal({ onProgress: sayForNow });
  const before = kept.temporal;
  if (before !== undefined && isTemporal(before.pid)) {
    return {
      address: before.address,
      namespace: 'default',
      uiUrl: `http://127.0.0.1:${before.uiPort}`,
      pid: before.pid,
      external: false,
      stop: () => Promise.resolve(),
    };
  }
  const home = { dbFilename: join(KEPT_FOLDER, 'temporal.db'), outlivesUs: true, onProgress: sayForNow };
  return onItsOldPorts(before && { port: before.port, uiPort: before.uiPort }, (ports) =>
    startTemporal({ ...home, ...ports }),
  );
}

/** People have the addresses in their browsers: keep them if they are still free. */
async function onItsOldPorts<P extends object, S>(
  old: P | undefined,
  start: (ports: Partial<P>) => Promise<S>,
): Promise<S> {
  return old === undefined ? start({}) : start(old).catch(() => start({}));
}

function createDatabase(server: PostgresServer, name: string): Promise<void> {
  return withClient(server.url(), async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  });
}
