/** A server of one test's own, which can be stopped and started under a load. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMysql } from '../../src/dev/mysql-server.ts';
import { startPostgres, type PostgresServer } from '../../src/dev/postgres-server.ts';
import { stopProcess } from '../../src/dev/server-process.ts';
import type { TestServer } from '../servers.ts';

export interface OwnServer extends TestServer {
  /** The same port and the same data as before; returns when it takes connections. */
  start(): Promise<void>;
  /** As a crash of it: no checkpoint, nobody is told, the next start recovers. */
  stopAtOnce(): Promise<void>;
  remove(): Promise<void>;
}

type Settings = Record<string, string>;

/** Of the same kind and version as `like`. What it has committed survives every stop: only a crash of the machine would lose that. */
export const startOwnServer = (like: TestServer, settings: Settings = {}): Promise<OwnServer> =>
  like.url.startsWith('postgres') ? ownPostgres(like, settings) : ownMysql(like, settings);

async function ownPostgres({ name }: TestServer, settings: Settings): Promise<OwnServer> {
  const parent = await mkdtemp(join(tmpdir(), 'waybill-own-server-'));
  const launch = (port?: number): Promise<PostgresServer> =>
    startPostgres({
      dataDirectory: join(parent, 'server'),
      persistent: true,
      version: name === 'PostgreSQL 15' ? '15' : 'embedded',
      settings: { fsync: 'off', wal_level: 'minimal', max_wal_senders: '0', deadlock_timeout: '500ms', ...settings },
      ...(port === undefined ? {} : { port }),
    });
  let server = await launch();
  // As `pg_ctl stop -m immediate`.
  const stopAtOnce = (): Promise<void> => stopProcess(server.pid, [{ signal: 'SIGQUIT', waitMs: 10_000 }]);
  return {
    name,
    url: server.url(),
    stopAtOnce,
    start: async () => {
      server = await launch(server.port);
    },
    remove: async () => {
      await stopAtOnce();
      await rm(server.directory, { recursive: true, force: true, maxRetries: 5 });
      await rm(parent, { recursive: true, force: true });
    },
  };
}

async function ownMysql({ name }: TestServer, settings: Settings): Promise<OwnServer> {
  const server = await startMysql({
    flavour: name.startsWith('MySQL') ? 'MySQL' : 'MariaDB',
    settings: {
      'innodb-flush-log-at-trx-commit': '2', // in the hands of the operating system
      'innodb-doublewrite': 'ON', // a kill may leave half a page
      'innodb-buffer-pool-size': '32M',
      ...settings,
    },
  });
  return {
    name,
    url: server.url(),
    stopAtOnce: () => server.kill(),
    start: () => server.startAgain(),
    remove: () => server.stop(),
  };
}
