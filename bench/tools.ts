/** The databases' own command line clients, and other programs that copy rows. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemPostgres15 } from '../src/dev/postgres-binaries.ts';
import { SkippedError } from './benchmark.ts';

const run = promisify(execFile);

/** A command of the shell that runs one statement on the server of a URL. */
export type SqlCommand = (url: string, statement: string) => string;

/** Words of the shell, each taken as it is. */
export const words = (...all: string[]): string => all.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');

/** Runs a command of the shell; no byte of a pipe in it passes through this process. Returns what it printed. */
export const shell = (command: string): Promise<string> =>
  run('sh', ['-c', command]).then(
    ({ stdout }) => stdout,
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => {
      // Nothing else of that error: it says the command, which has passwords in it.
      throw new Error(`the reference's command ended with ${code}: ${lastLines(`${stdout}\n${stderr}`)}`);
    },
  );

const lastLines = (text: string): string => text.trim().split('\n').slice(-20).join('\n');

/** What a program says; undefined where it is not there, or says that it cannot. */
export const answer = (program: string, ...args: string[]): Promise<string | undefined> =>
  run(program, args).then(
    ({ stdout }) => stdout,
    () => undefined,
  );

/** `psql`: the program itself where that is known, for Debian's /usr/bin/psql is a script that looks for it first. */
export async function psqlCommand(): Promise<SqlCommand> {
  const directory = systemPostgres15();
  const program = directory === undefined ? 'psql' : join(directory, 'psql');
  if ((await answer(program, '--version')) === undefined) {
    throw new SkippedError('there is no psql here (Debian: apt-get install postgresql-client)');
  }
  return (url, statement) => `PGTZ=UTC ${words(program, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', statement, url)}`;
}

/** Rows as lines, as they come, and local files allowed; without TLS, as Waybill and psql on this machine. */
const BATCH = ['--batch', '--quick', '--skip-column-names', '--local-infile=1', '--default-character-set=utf8mb4'];

/** `mysql`, MySQL's or MariaDB's. */
export async function mysqlCommand(): Promise<SqlCommand> {
  for (const program of ['mysql', 'mariadb']) {
    const version = await answer(program, '--version');
    if (version === undefined) continue;
    const plain = version.includes('MariaDB') ? ['--skip-ssl'] : ['--ssl-mode=DISABLED', '--get-server-public-key'];
    return (url, statement) => {
      const { hostname, port, username, password } = new URL(url);
      const server = ['--protocol=tcp', `--host=${hostname}`, `--port=${port}`, `--user=${username}`];
      const utc = `--init-command=set time_zone = '+00:00'`;
      return (
        `MYSQL_PWD=${words(password)} ` +
        words(program, '--no-defaults', ...server, ...plain, ...BATCH, utc, '--execute', statement)
      );
    };
  }
  throw new SkippedError('there is no mysql client here (Debian: apt-get install mariadb-client)');
}
