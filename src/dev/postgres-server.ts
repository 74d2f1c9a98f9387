import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { UnreachableError } from '../errors.ts';
import { freePort } from './free-port.ts';
import { postgresVersion, preparePostgres } from './postgres-binaries.ts';
import type { PostgresRelease } from './postgres-binaries.ts';
import { commandLine, isAlive, startServerProcess, stopProcess, tail } from './server-process.ts';
import type { StopSignals } from './server-process.ts';
import { enterableDirectory, identityOf, serverUser, temporaryDirectory } from './server-user.ts';
import type { ServerUser } from './server-user.ts';

const run = promisify(execFile);

export interface PostgresOptions {
  /** The server's home: data, log and password. Absent: a temporary one, removed when the server stops. */
  dataDirectory?: string;
  /** Absent: a free one, or the one that a running server of `dataDirectory` listens on. */
  port?: number;
  /** Default `embedded`: the PostgreSQL 18 that npm brought. */
  version?: PostgresRelease;
  /**
   * The data stays when the server stops, and a server that runs on `dataDirectory` already is taken over. Needs
   * `dataDirectory`. Default false.
   */
  persistent?: boolean;
  /** The server goes on when this process ends. Default: it ends with us, however we end. */
  outlivesUs?: boolean;
  /** Settings of the server, as in postgresql.conf. They win over ours (loopback only, no socket file, UTC). */
  settings?: Record<string, string>;
}

export interface PostgresServer {
  /** Connection URL of the superuser, password included; the database is `postgres` unless named. */
  url(database?: string): string;
  port: number;
  /** `18.4`. */
  version: string;
  /** Process id of the postmaster. */
  pid: number;
  /** Where data, log and password really are. */
  directory: string;
  /** It ran already, on this `dataDirectory`. */
  adopted: boolean;
  /** Ends it, waits until it is gone, removes what was temporary. */
  stop(): Promise<void>;
}

/** "fast": ends sessions, writes a checkpoint. Then "immediate", for a server that hangs. */
const ORDERLY: StopSignals = [
  { signal: 'SIGINT', waitMs: 20_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
];
/** "immediate": nobody will read the data again, so nothing is written. */
const AT_ONCE: StopSignals = [{ signal: 'SIGQUIT', waitMs: 10_000 }];

/** How often another port is tried when somebody took the free one before us. */
const PORT_ATTEMPTS = 5;

/**
 * Starts a real PostgreSQL that listens on 127.0.0.1 only, with a random password for its superuser `postgres`.
 *
 * Any number of them run beside each other, in one process or several. As root, the server runs as `postgres` or `nobody`.
 * Takes about 0.8 s with a new data directory and 0.1 s with an old one.
 *
 * @throws UnreachableError when this PostgreSQL is not installed, or does not start (with the end of its log).
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const persistent = options.persistent === true && options.dataDirectory !== undefined;
  const user = serverUser();
  const directory =
    options.dataDirectory === undefined
      ? await temporaryDirectory('waybill-postgres-', user)
      : await enterableDirectory(options.dataDirectory, user);
  try {
    const binaries = await preparePostgres(options.version ?? 'embedded', user, directory);
    if (persistent) {
      const running = await adopt(directory, binaries);
      if (running !== undefined) return running;
    }
    await initialise(directory, binaries, user, persistent);
    return await launch(directory, binaries, user, persistent, options);
  } catch (error) {
    if (!persistent) await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Ends the server that runs on a persistent `dataDirectory`, wherever it was started. False when none runs. */
export async function stopPostgres(dataDirectory: string): Promise<boolean> {
  const running = await runningOn(await enterableDirectory(dataDirectory, serverUser()));
  if (running === undefined) return false;
  await stopProcess(running.pid, ORDERLY);
  return true;
}

async function adopt(directory: string, binaries: string): Promise<PostgresServer | undefined> {
  const running = await runningOn(directory);
  if (running === undefined) return undefined;
  return {
    url: await urlMaker(directory, running.port),
    port: running.port,
    version: postgresVersion(binaries),
    pid: running.pid,
    directory,
    adopted: true,
    stop: () => stopProcess(running.pid, ORDERLY),
  };
}

/** Makes the data directory, unless it is there: beside its place first, so that a half-made one is never taken for whole. */
async function initialise(
  directory: string,
  binaries: string,
  user: ServerUser | undefined,
  persistent: boolean,
): Promise<void> {
  if (existsSync(join(directory, 'data'))) return;
  const data = join(directory, 'data.new');
  const passwordFile = join(directory, 'initdb-password');
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { mode: 0o700 });
  const password = randomBytes(18).toString('base64url');
  await writeFile(join(directory, 'password'), password, { mode: 0o600 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) await Promise.all([data, passwordFile].map((path) => chown(path, user.uid, user.gid)));
  try {
    await run(join(binaries, 'initdb'), initdbArguments(data, passwordFile, binaries, persistent), {
      ...identityOf(user),
      cwd: '/',
    });
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr ?? String(cause);
    throw new UnreachableError(`PostgreSQL could not make its data directory: ${said.trim()}`, { where: data, cause });
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(data, join(directory, 'data'));
}

function initdbArguments(data: string, passwordFile: string, binaries: string, persistent: boolean): string[] {
  // The same order and the same letters on every machine: 17 and later have C.UTF-8 built in, 15 takes the system's C.
  const builtIn = Number.parseInt(postgresVersion(binaries), 10) >= 17;
  const locale = builtIn ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : [];
  return [
    ...['--pgdata', data, '--username', 'postgres', '--auth', 'scram-sha-256', '--pwfile', passwordFile],
    ...['--encoding', 'UTF8', '--locale', 'C', ...locale, '--no-instructions'],
    ...(persistent ? [] : ['--no-sync']),
  ];
}

async function launch(
  directory: string,
  binaries: string,
  user: ServerUser | undefined,
  persistent: boolean,
  options: PostgresOptions,
): Promise<PostgresServer> {
  const data = join(directory, 'data');
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...options.settings,
  };
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const started = await startServerProcess({
      command: join(binaries, 'postgres'),
      args: ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
      logFile: join(directory, 'postgres.log'),
      stopSignals: persistent ? ORDERLY : AT_ONCE,
      ...identityOf(user),
      outlivesUs: options.outlivesUs,
      removeWhenOrphaned: persistent ? [] : [directory],
    });
    while (started.ending() === undefined && (await runningOn(directory))?.pid !== started.pid) await sleep(20);
    if (started.ending() === undefined) {
      return {
        url: await urlMaker(directory, port),
        port,
        version: postgresVersion(binaries),
        pid: started.pid,
        directory,
        adopted: false,
        stop: async () => {
          await started.stop();
          if (!persistent) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
        },
      };
    }
    const log = started.log();
    const portTaken = /could not bind|address already in use/i.test(log);
    if (portTaken && options.port === undefined && attempt < PORT_ATTEMPTS) continue;
    throw new UnreachableError(`PostgreSQL did not start (${String(started.ending())}):\n${tail(log)}`, {
      where: `port ${port}, ${directory}`,
      next: portTaken ? 'Give another port, or end what listens there.' : 'Read the message above.',
    });
  }
}

/** The server that runs on the directory and is ready, by what PostgreSQL itself writes into postmaster.pid. */
async function runningOn(directory: string): Promise<{ pid: number; port: number } | undefined> {
  const data = join(directory, 'data');
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  if (lines[7]?.trim() !== 'ready' || !isAlive(pid)) return undefined;
  // The file survives a crash, and its number may be anybody's by now.
  return commandLine(pid)?.includes(data) === true ? { pid, port: Number(lines[3]) } : undefined;
}

async function urlMaker(directory: string, port: number): Promise<(database?: string) => string> {
  const password = await readFile(join(directory, 'password'), 'utf8');
  return (database = 'postgres') => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
}
