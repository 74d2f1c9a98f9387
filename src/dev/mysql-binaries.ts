import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { UnreachableError } from '../errors.ts';
import { downloadFromDebian } from './mysql-from-debian.ts';
import { cacheFolder } from './temporal-binary.ts';

const run = promisify(execFile);

export type MysqlFlavour = 'MySQL' | 'MariaDB';

/** A server program of the family, ready to be called. */
export interface MysqlProgram {
  flavour: MysqlFlavour;
  /** `9.7.4`. */
  version: string;
  command: string;
  /** What stands before all other arguments. */
  args: string[];
}

/** Where packages put servers: seldom on a user's PATH. */
const USUAL = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin'];
const NAMES: Record<MysqlFlavour, string[]> = { MySQL: ['mysqld'], MariaDB: ['mariadbd', 'mysqld'] };
/** How long `--version` may take. */
const ANSWER_MS = 10_000;

/**
 * Finds the server program of a flavour: on PATH and where packages put it; for MySQL, which Debian's releases do not have,
 * then our copy in the user's cache folder, and the download that puts it there.
 *
 * @param onProgress told before the download
 * @throws UnreachableError saying how to get it
 */
export async function findMysql(flavour: MysqlFlavour, onProgress?: (message: string) => void): Promise<MysqlProgram> {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...USUAL];
  for (const directory of directories) {
    for (const name of NAMES[flavour]) {
      const found = await programAt(join(directory, name), []);
      if (found?.flavour === flavour) return found;
    }
  }
  if (flavour === 'MariaDB') {
    throw new UnreachableError('No MariaDB server is installed.', {
      next: 'Install it (Debian, Ubuntu: apt-get install mariadb-server-core mariadb-client-core), or give the URL of one (docker run mariadb).',
    });
  }
  const copy = join(cacheFolder(), 'mysql');
  try {
    const cached = await unpackedAt(copy);
    if (cached) return cached;
    onProgress?.('Getting a MySQL server: apt-get download mysql-server-core');
    await downloadFromDebian(copy);
    const fresh = await unpackedAt(copy);
    if (fresh) return fresh;
    throw new Error(`what stands in ${copy} does not run on this machine`);
  } catch (cause) {
    throw new UnreachableError(`No MySQL server is installed, nor to be had: ${(cause as Error).message}`, {
      next: 'Install it (Ubuntu: apt-get install mysql-server-core), or give the URL of one (docker run mysql).',
      cause,
    });
  }
}

/** An unpacked server that runs on the loader and the libraries that were unpacked with it. */
async function unpackedAt(root: string): Promise<MysqlProgram | undefined> {
  const libraries = join(root, 'usr', 'lib');
  const program = join(root, 'usr', 'sbin', 'mysqld');
  if (!existsSync(program)) return undefined;
  for (const folder of await readdir(libraries)) {
    const loader = (await readdir(join(libraries, folder)).catch(() => [])).find((name) => name.startsWith('ld-linux'));
    if (loader === undefined) continue;
    const found = await programAt(
      join(libraries, folder, loader),
      ['--library-path', join(libraries, folder), program],
      [
        `--lc-messages-dir=${join(root, 'usr', 'share', 'mysql')}`,
        `--plugin-dir=${join(libraries, 'mysql', 'plugin')}`,
      ],
    );
    if (found) return found;
  }
  return undefined;
}

/** `--no-defaults` must stand first: a server of ours never reads the machine's configuration. */
async function programAt(command: string, call: string[], where: string[] = []): Promise<MysqlProgram | undefined> {
  if (!existsSync(command)) return undefined;
  try {
    const { stdout } = await run(command, [...call, '--no-defaults', '--version'], { timeout: ANSWER_MS });
    const version = /Ver (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    if (version === undefined) return undefined;
    const flavour = stdout.includes('MariaDB') ? 'MariaDB' : 'MySQL';
    return { flavour, version, command, args: [...call, '--no-defaults', ...where] };
  } catch {
    return undefined;
  }
}
