/** A PostgreSQL of one test's own, which can be stopped and started under a load. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '../../src/dev/postgres-server.ts';
import { stopProcess } from '../../src/dev/server-process.ts';
import type { TestServer } from '../servers.ts';

/** Commits survive every stop of the server all the same: only a crash of the machine would lose what is not synced. */
const SETTINGS = { fsync: 'off', wal_level: 'minimal', max_wal_senders: '0', deadlock_timeout: '500ms' };

export class OwnServer implements TestServer {
  private constructor(
    readonly name: string,
    private readonly parent: string,
    private readonly settings: Record<string, string>,
    private server: PostgresServer,
  ) {}

  /** Of the same version as `like`. */
  static async create(like: TestServer, settings: Record<string, string> = {}): Promise<OwnServer> {
    const parent = await mkdtemp(join(tmpdir(), 'waybill-own-server-'));
    const all = { ...SETTINGS, ...settings };
    return new OwnServer(like.name, parent, all, await launch(like.name, parent, all));
  }

  get url(): string {
    return this.server.url();
  }

  /** The same port and the same data as before; returns when it takes connections. */
  async start(): Promise<void> {
    this.server = await launch(this.name, this.parent, this.settings, this.server.port);
  }

  /** As `pg_ctl stop -m immediate`: no checkpoint, nobody is told, the next start recovers. */
  async stopAtOnce(): Promise<void> {
    await stopProcess(this.server.pid, [{ signal: 'SIGQUIT', waitMs: 10_000 }]);
  }

  async remove(): Promise<void> {
    await this.stopAtOnce();
    await rm(this.server.directory, { recursive: true, force: true, maxRetries: 5 });
    await rm(this.parent, { recursive: true, force: true });
  }
}

function launch(
  name: string,
  parent: string,
  settings: Record<string, string>,
  port?: number,
): Promise<PostgresServer> {
  return startPostgres({
    dataDirectory: join(parent, 'server'),
    persistent: true,
    version: name === 'PostgreSQL 15' ? '15' : 'embedded',
    settings,
    ...(port === undefined ? {} : { port }),
  });
}
