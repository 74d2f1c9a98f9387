import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync } from 'node:fs';
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/dev/free-port.ts';
import { embeddedDirectory, preparePostgres } from '../../src/dev/postgres-binaries.ts';
import { startPostgres, stopPostgres } from '../../src/dev/postgres-server.ts';
import type { PostgresServer } from '../../src/dev/postgres-server.ts';
import { isAlive } from '../../src/dev/server-process.ts';
import { serverUser } from '../../src/dev/server-user.ts';
import { oneOf } from '../seed.ts';
import { compiledCli, freshDatabase, servers } from '../servers.ts';

/** Compiled, as an installed Waybill has it. */
const MODULE = join(compiledCli(), '../../dev/postgres-server.js');

async function ask<T>(url: string, sql: string): Promise<T[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end();
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return once(socket, 'connect').then(
    () => {
      socket.destroy();
      return true;
    },
    () => false,
  );
}

/** Resolves once the process, its port and its directory are gone. */
async function gone(server: { pid: number; port: number; directory: string }): Promise<void> {
  await expect
    .poll(
      async () => ({
        alive: isAlive(server.pid),
        listens: await listens(server.port),
        directory: existsSync(server.directory),
      }),
      { timeout: 15_000 },
    )
    .toEqual({ alive: false, listens: false, directory: false });
}

describe('a temporary PostgreSQL', () => {
  it('starts, answers on loopback and to its password only, and leaves neither process, port nor file when it stops', async () => {
    const server = await startPostgres({ settings: { work_mem: '12MB' } });
    const [row] = await ask<Record<string, string>>(
      server.url(),
      `select current_setting('listen_addresses') as addresses, current_setting('work_mem') as memory,
              current_setting('fsync') as fsync, current_setting('server_version') as version`,
    );
    expect(row).toEqual({ addresses: '127.0.0.1', memory: '12MB', fsync: 'on', version: server.version });
    expect(server.version).toMatch(/^18\./);
    const url = new URL(server.url());
    url.password = 'guessed';
    await expect(ask(url.href, 'select 1')).rejects.toThrow(/password authentication failed/);
    await server.stop();
    await gone(server);
    await server.stop(); // harmless
  });

  it('starts three times at once without a collision; where a port is given and taken, says what it needs', async () => {
    const started = await Promise.all([1, 2, 3].map(() => startPostgres()));
    expect(new Set(started.map(({ port }) => port)).size).toBe(3);
    await expect(startPostgres({ port: started[0]!.port })).rejects.toThrow(/did not start[^]*in use/);
    await Promise.all(started.map((server) => server.stop()));
    await Promise.all(started.map(gone));
  });

  const ENDINGS = [
    ...oneOf(['SIGINT', 'SIGTERM'], 'asked to end'),
    ...oneOf(['SIGKILL', 'a normal exit'], 'not asked to end'),
  ];

  it.each(ENDINGS)('goes when its parent ends by %s', async (ending) => {
    const script = `
      import { startPostgres } from ${JSON.stringify(MODULE)};
      const server = await startPostgres();
      console.log(JSON.stringify({ pid: server.pid, port: server.port, directory: server.directory }));
      ${ending === 'a normal exit' ? '' : 'setInterval(() => undefined, 1000);'}`;
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const server = JSON.parse(line.toString()) as { pid: number; port: number; directory: string };
    if (ending !== 'a normal exit') parent.kill(ending as NodeJS.Signals);
    await once(parent, 'exit');
    await gone(server);
  });
});

// Only root has another user's rights to mind; for everyone else there is nothing to test, and so nothing to skip.
if (process.getuid?.() === 0) {
  describe('PostgreSQL, started by root', () => {
    let closed: string;
    beforeAll(async () => {
      closed = await mkdtemp(join(tmpdir(), 'waybill-closed-'));
    });
    afterAll(() => rm(closed, { recursive: true }));

    it('keeps its data elsewhere when nobody else may enter the folder, and finds it again', async () => {
      const home = { dataDirectory: join(closed, 'inside'), persistent: true };
      const server = await startPostgres(home);
      await ask(server.url(), 'create table kept as select 42 as answer');
      await server.stop();
      const again = await startPostgres(home);
      expect(again.directory).toBe(server.directory);
      expect(await ask(again.url(), 'select answer from kept')).toEqual([{ answer: 42 }]);
      await again.stop();
      await rm(again.directory, { recursive: true });
    });

    it('is copied out of a folder that nobody else may enter, with the links that npm did not make', async () => {
      const native = join(closed, 'native');
      const embedded = embeddedDirectory();
      const shared = join(embedded, 'share'); // nine files of ten, and a program needs none to say its version
      await cp(embedded, native, {
        recursive: true,
        filter: (path) => path !== shared && (!/\.so(\.\d+)?$/.test(path) || !lstatSync(path).isSymbolicLink()),
      });
      const scratch = await mkdtemp(join(tmpdir(), 'waybill-scratch-'));
      await chmod(scratch, 0o711);
      const bin = await preparePostgres('embedded', serverUser(), scratch, () => native);
      expect(bin).toBe(join(scratch, 'native', 'bin'));
      const { uid, gid } = serverUser()!;
      expect(execFileSync(join(bin, 'initdb'), ['--version'], { uid, gid, encoding: 'utf8' })).toContain('18.');
      expect(lstatSync(join(scratch, 'native/lib/libpq.so.5')).isSymbolicLink()).toBe(true);
      await rm(scratch, { recursive: true });
    });
  });
}

describe('a persistent PostgreSQL', () => {
  let home: string;
  let first: PostgresServer;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'waybill-test-'));
    await chmod(home, 0o755);
    first = await startPostgres({ dataDirectory: home, persistent: true });
    await ask(first.url(), 'create table kept as select 42 as answer');
  });
  afterAll(async () => {
    await stopPostgres(home);
    await rm(home, { recursive: true });
  });

  it('is taken over while it runs', async () => {
    const again = await startPostgres({ dataDirectory: home, persistent: true });
    expect(again).toMatchObject({ adopted: true, pid: first.pid, port: first.port });
    expect(again.url()).toBe(first.url());
  });

  it('keeps its data over a stop, and its password', async () => {
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    const again = await startPostgres({ dataDirectory: home, persistent: true });
    expect(again.adopted).toBe(false);
    expect(await ask(again.url(), 'select answer from kept')).toEqual([{ answer: 42 }]);
    expect(new URL(again.url()).password).toBe(new URL(first.url()).password);
  });

  it('keeps its data over a kill', async () => {
    const running = await startPostgres({ dataDirectory: home, persistent: true });
    process.kill(running.pid, 'SIGKILL');
    while (isAlive(running.pid)) await sleep(20);
    const again = await startPostgres({ dataDirectory: home, persistent: true });
    expect(await ask(again.url(), 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('is stopped by its directory alone', async () => {
    const running = await startPostgres({ dataDirectory: home, persistent: true });
    expect(await stopPostgres(home)).toBe(true);
    expect(isAlive(running.pid)).toBe(false);
    expect(await stopPostgres(home)).toBe(false);
  });
});

describe.each(servers)('a fresh database on $name', (server) => {
  it('is empty, and gone after drop', async () => {
    const database = await freshDatabase(server);
    const [row] = await ask<{ name: string; version: string }>(
      database.url,
      `select current_database() as name, current_setting('server_version') as version`,
    );
    expect(row?.name).toBe(database.name);
    expect(`PostgreSQL ${row?.version}`).toContain(server.name);
    await database.drop();
    await expect(ask(database.url, 'select 1')).rejects.toThrow(/does not exist/);
  });
});

describe('a free port', () => {
  it('is not given twice', async () => {
    const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
    expect(new Set(ports).size).toBe(50);
    expect(
      execFileSync(
        'node',
        [
          '-e',
          `require('net').createServer().listen(${ports[0]}, '127.0.0.1', function () { console.log('bound'); this.close(); })`,
        ],
        { encoding: 'utf8' },
      ),
    ).toContain('bound');
  });
});
