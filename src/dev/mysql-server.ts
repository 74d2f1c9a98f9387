import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { UnreachableError } from '../errors.ts';
import { freePort } from './free-port.ts';
import { findMysql } from './mysql-binaries.ts';
import type { MysqlFlavour, MysqlProgram } from './mysql-binaries.ts';
import { startServerProcess } from './server-process.ts';
import type { ServerProcess, StopSignals } from './server-process.ts';
import { temporaryDirectory } from './server-user.ts';

const run = promisify(execFile);

export interface MysqlOptions {
  flavour: MysqlFlavour;
  /** System variables, as in my.cnf. They win over ours. */
  settings?: Record<string, string>;
  /** Told before a download. */
  onProgress?: (message: string) => void;
}

export interface MysqlServer {
  /** `9.7.4`. */
  version: string;
  port: number;
  pid: number;
  /** Data, log and, until the server has read it, its first statements. */
  directory: string;
  /** URL of `root`, who may do everything, password included; without a database unless one is named. */
  url(database?: string): string;
  /** Ends it, waits until it is gone, removes its directory. */
  stop(): Promise<void>;
}

/** Nobody will read the data again, so nothing is written. */
const AT_ONCE: StopSignals = [{ signal: 'SIGKILL', waitMs: 10_000 }];
const START_MS = 60_000;
const PORT_ATTEMPTS = 5;

/** For a server that nobody trusts with anything: a crash of the machine may lose its data. */
const THROW_AWAY = { 'innodb-flush-method': 'nosync', 'innodb-doublewrite': '0' };

const asArguments = (settings: Record<string, string>): string[] =>
  Object.entries(settings).map(([name, value]) => `--${name}=${value}`);

/**
 * Starts a real MySQL or MariaDB that listens on 127.0.0.1 only, with a random password, on a temporary data directory: 8 s
 * and 3 s. It runs as we do, as root too. It ends with this process, however that ends.
 *
 * @throws UnreachableError when there is no such server, saying how to get it, or when it does not start.
 */
export async function startMysql(options: MysqlOptions): Promise<MysqlServer> {
  const program = await findMysql(options.flavour, options.onProgress);
  const directory = await temporaryDirectory(`waybill-${options.flavour.toLowerCase()}-`, undefined);
  try {
    await initialise(program, directory);
    return await launch(program, directory, options);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

const asUs = (): string => `--user=${userInfo().username}`;

async function initialise(program: MysqlProgram, directory: string): Promise<void> {
  const data = `--datadir=${join(directory, 'data')}`;
  const [command, args] =
    program.flavour === 'MySQL'
      ? [program.command, [...program.args, '--initialize-insecure', '--innodb-redo-log-capacity=64M']]
      : ['mariadb-install-db', ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db']];
  for (const folder of ['data', 'files']) await mkdir(join(directory, folder), { mode: 0o700 });
  try {
    await run(command, [...args, asUs(), data, ...asArguments(THROW_AWAY)], { cwd: directory });
  } catch (cause) {
    const { stderr, stdout } = cause as { stderr?: string; stdout?: string };
    const said = `${stdout ?? ''}${stderr ?? String(cause)}`.trim().split('\n').slice(-12).join('\n');
    throw new UnreachableError(`${program.flavour} could not make its data directory: ${said}`, { cause });
  }
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
  await writeFile(first, firstStatements(password), { mode: 0o600 });
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const started = await startServerProcess({
      command: program.command,
      args: [...program.args, asUs(), ...serverArguments(program, directory, port, first, options.settings)],
      logFile: join(directory, 'server.log'),
      stopSignals: AT_ONCE,
      cwd: directory,
      removeWhenOrphaned: [directory],
    });
    if (await isReady(started, port)) {
      await rm(first, { force: true });
      return {
        version: program.version,
        port,
        pid: started.pid,
        directory,
        url: (database = '') => `${program.flavour.toLowerCase()}://root:${password}@127.0.0.1:${port}/${database}`,
        stop: async () => {
          await started.stop();
          await rm(directory, { recursive: true, force: true, maxRetries: 5 });
        },
      };
    }
    const log = started.log();
    await started.stop();
    if (/address already in use|can't start server: bind/i.test(log) && attempt < PORT_ATTEMPTS) continue;
    throw new UnreachableError(
      `${program.flavour} did not start (${started.ending() ?? 'no answer'}):\n${log.trim().split('\n').slice(-12).join('\n')}`,
      { where: `port ${port}, ${directory}`, next: 'Read the message above.' },
    );
  }
}

function serverArguments(
  { flavour }: MysqlProgram,
  directory: string,
  port: number,
  first: string,
  settings: Record<string, string> = {},
): string[] {
  const ours: Record<string, string> = {
    datadir: join(directory, 'data'),
    port: String(port),
    'bind-address': '127.0.0.1',
    socket: join(directory, 'socket'),
    'pid-file': join(directory, 'pid'),
    'init-file': first,
    // The only place for LOAD DATA without LOCAL and SELECT … INTO OUTFILE.
    'secure-file-priv': join(directory, 'files'),
    'skip-name-resolve': 'ON',
    'local-infile': 'ON',
    'skip-log-bin': 'ON',
    'innodb-flush-log-at-trx-commit': '0',
    ...THROW_AWAY,
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
