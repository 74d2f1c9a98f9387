import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { UnreachableError } from '../errors.ts';
import { freePort } from './free-port.ts';
import { findMysql } from './mysql-binaries.ts';
import type { MysqlFlavour, MysqlProgram } from './mysql-binaries.ts';
import { commandLine, startServerProcess, tail } from './server-process.ts';
import type { ServerProcess, ServerProcessOptions, StopSignals } from './server-process.ts';
import { temporaryDirectory } from './server-user.ts';

const run = promisify(execFile);

export interface MysqlOptions {
  flavour: MysqlFlavour;
  /** Where its data stays when it stops. Absent: a temporary one, removed when the server stops. */
  dataDirectory?: string;
  /** System variables, as in my.cnf. They win over ours. */
  settings?: Record<string, string>;
  /** Told before a download. */
  onProgress?: (message: string) => void;
}

export interface MysqlServer {
  /** `9.7.4`. */
  version: string;
  port: number;
  /** Another one after `startAgain`. */
  readonly pid: number;
  /** Data, log and, until the server has read it, its first statements. */
  directory: string;
  /** URL of `root`, who may do everything, password included; without a database unless one is named. */
  url(database?: string): string;
  /** Ends it, waits until it is gone, removes what was temporary. */
  stop(): Promise<void>;
  /** Ends it as a crash would, and waits until it is gone. */
  kill(): Promise<void>;
  /** After `kill`: on the same port, with the same password and what the crash has left of its data. */
  startAgain(): Promise<void>;
}

/** Nobody will read the data again, so nothing is written. */
const AT_ONCE: StopSignals = [{ signal: 'SIGKILL', waitMs: 10_000 }];
const ORDERLY: StopSignals = [{ signal: 'SIGTERM', waitMs: 30_000 }];
const START_MS = 60_000;
const PORT_ATTEMPTS = 5;

/** For a server that nobody trusts with anything: a crash of the machine may lose its data. */
const THROW_AWAY = {
  'innodb-flush-method': 'nosync',
  'innodb-doublewrite': '0',
  'innodb-flush-log-at-trx-commit': '0',
};

const asArguments = (settings: Record<string, string>): string[] =>
  Object.entries(settings).map(([name, value]) => `--${name}=${value}`);

/**
 * Starts a real MySQL or MariaDB that listens on 127.0.0.1 only, with a random password, another one at each start: 8 s and 3 s on a
 * new data directory. It runs as we do, as root too. It ends with this process, however that ends.
 *
 * @throws UnreachableError when there is no such server, saying how to get it, or when it does not start.
 */
export async function startMysql(options: MysqlOptions): Promise<MysqlServer> {
  const program = await findMysql(options.flavour, options.onProgress);
  const { dataDirectory } = options;
  if (dataDirectory !== undefined) {
    await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
    refuseRunning(program, dataDirectory);
    if (!existsSync(join(dataDirectory, 'data'))) await initialise(program, dataDirectory, options.settings);
    return launch(program, dataDirectory, options);
  }
  const directory = await temporaryDirectory(`waybill-${options.flavour.toLowerCase()}-`, undefined);
  try {
    await initialise(program, directory, options.settings);
    return await launch(program, directory, options);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** A second server on the same data would wait for the first, for minutes, and then give up. */
function refuseRunning({ flavour }: MysqlProgram, directory: string): void {
  const file = join(directory, 'pid');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (pid === 0 || commandLine(pid)?.includes(directory) !== true) return;
  throw new UnreachableError(`A ${flavour} runs on this data already (process ${pid}).`, {
    where: directory,
    next: 'End what has started it, or give another folder.',
  });
}

const asUs = (): string => `--user=${userInfo().username}`;

/** What data is made for, once and for all: MySQL refuses to start on it with another value. */
const FOR_GOOD = ['lower-case-table-names'];

/** A MariaDB that starts removes all temporary tables that it finds, also those of another one that runs. */
const temporaryIn = (directory: string): string => join(directory, 'tmp');

/** Beside its place first, so that a half-made one is never taken for whole. */
async function initialise(
  program: MysqlProgram,
  directory: string,
  settings: Record<string, string> = {},
): Promise<void> {
  const half = join(directory, 'data.new');
  const data = `--datadir=${half}`;
  const [command, args] =
    program.flavour === 'MySQL'
      ? [program.command, [...program.args, '--initialize-insecure', '--innodb-redo-log-capacity=64M']]
      : ['mariadb-install-db', ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db']];
  await rm(half, { recursive: true, force: true });
  const TMPDIR = temporaryIn(directory);
  for (const folder of [half, join(directory, 'files'), TMPDIR]) await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const forGood = Object.fromEntries(Object.entries(settings).filter(([name]) => FOR_GOOD.includes(name)));
    await run(command, [...args, asUs(), data, ...asArguments({ ...THROW_AWAY, ...forGood })], {
      cwd: directory,
      env: { ...process.env, TMPDIR },
    });
  } catch (cause) {
    const { stderr, stdout } = cause as { stderr?: string; stdout?: string };
    const said = `${stdout ?? ''}${stderr ?? String(cause)}`;
    // Debian puts the program that makes the directory into one package, and another that it calls into a second one.
    if (said.includes('my_print_defaults')) {
      throw new UnreachableError(
        'MariaDB could not make its data directory: its program my_print_defaults is not installed.',
        {
          next: 'Install it (Debian, Ubuntu: apt-get install mariadb-client-core).',
          cause,
        },
      );
    }
    throw new UnreachableError(`${program.flavour} could not make its data directory: ${tail(said)}`, { cause });
  }
  await rename(half, join(directory, 'data'));
}

/**
 * Names are not looked up, so who comes over 127.0.0.1 is `root`@`127.0.0.1`; MariaDB has made that user already. The socket
 * of `localhost` stands in a directory that is ours alone.
 */
function firstStatements(password: string): string {
  return [
    "create user if not exists root@'127.0.0.1'",
    `alter user root@'127.0.0.1' identified by '${password}'`,
    "grant all privileges on *.* to root@'127.0.0.1' with grant option",
    `alter user root@localhost identified by '${password}'`,
    '',
  ].join(';\n');
}

async function launch(program: MysqlProgram, directory: string, options: MysqlOptions): Promise<MysqlServer> {
  const password = randomBytes(18).toString('hex');
  const first = join(directory, 'first.sql');
  await mkdir(temporaryIn(directory), { recursive: true, mode: 0o700 }); // data that was made before it had one
  await writeFile(first, firstStatements(password), { mode: 0o600 });
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const call = processOptions(program, directory, port, options);
    const asFirst = { ...call, args: [...call.args, `--init-file=${first}`] };
    let running: ServerProcess;
    try {
      running = await startReady(program, port, asFirst);
    } catch (error) {
      if (PORT_TAKEN.test(String((error as Error).cause)) && attempt < PORT_ATTEMPTS) continue;
      throw error;
    }
    await rm(first, { force: true });
    return {
      version: program.version,
      port,
      get pid() {
        return running.pid;
      },
      directory,
      url: (database = '') => `${program.flavour.toLowerCase()}://root:${password}@127.0.0.1:${port}/${database}`,
      stop: async () => {
        await running.stop();
        if (options.dataDirectory === undefined) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
      },
      kill: () => running.stop(),
      startAgain: async () => {
        running = await startReady(program, port, call);
      },
    };
  }
}

const PORT_TAKEN = /address already in use|can't start server: bind/i;

/** Whose log is its failure's cause. */
async function startReady(program: MysqlProgram, port: number, call: ServerProcessOptions): Promise<ServerProcess> {
  const started = await startServerProcess(call);
  if (await isReady(started, port)) return started;
  const log = started.log();
  await started.stop();
  throw new UnreachableError(`${program.flavour} did not start (${started.ending() ?? 'no answer'}):\n${tail(log)}`, {
    where: `port ${port}, ${call.cwd}`,
    next: 'Read the message above.',
    cause: log,
  });
}

function processOptions(
  program: MysqlProgram,
  directory: string,
  port: number,
  { settings, dataDirectory }: MysqlOptions,
): ServerProcessOptions {
  const keeps = dataDirectory !== undefined;
  return {
    command: program.command,
    args: [...program.args, asUs(), ...serverArguments(program, directory, port, keeps, settings)],
    logFile: join(directory, 'server.log'),
    stopSignals: keeps ? ORDERLY : AT_ONCE,
    cwd: directory,
    removeWhenOrphaned: keeps ? [] : [directory],
  };
}

function serverArguments(
  { flavour }: MysqlProgram,
  directory: string,
  port: number,
  keeps: boolean,
  settings: Record<string, string> = {},
): string[] {
  const ours: Record<string, string> = {
    datadir: join(directory, 'data'),
    tmpdir: temporaryIn(directory),
    port: String(port),
    'bind-address': '127.0.0.1',
    socket: 'socket', // in the data directory; a whole path may be too long for one
    'pid-file': join(directory, 'pid'),
    // The only place for LOAD DATA without LOCAL and SELECT … INTO OUTFILE.
    'secure-file-priv': join(directory, 'files'),
    'skip-name-resolve': 'ON',
    'local-infile': 'ON',
    'skip-log-bin': 'ON',
    ...(keeps ? {} : THROW_AWAY),
    ...(flavour === 'MySQL' ? { mysqlx: 'OFF' } : {}),
    ...settings,
  };
  return asArguments(ours);
}

/** The server says its port once it serves: asking the port instead could be answered by somebody else's server. */
async function isReady(started: ServerProcess, port: number): Promise<boolean> {
  const ready = new RegExp(`ready for connections[^]*port: ${port}\\b`);
  const deadline = Date.now() + START_MS;
  while (started.ending() === undefined && Date.now() < deadline) {
    if (ready.test(started.log())) return true;
    await sleep(50);
  }
  return false;
}
