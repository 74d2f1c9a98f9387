import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Where this machine's own apt is told where Debian is: a mirror, as likely as not. */
const SOURCES = ['/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.sources'];
/** A slow line may need long for 60 MB; apt itself gives up on an address that does not answer. */
const APT_MS = 300_000;
/** What the packages ask for besides the server and its libraries: the server itself runs no Perl. */
const NOT_NEEDED = /^(perl|perl-.*|libperl.*)$/;

/**
 * Gets a MySQL server with all its libraries out of Debian's `sid`, whose own releases have MariaDB only, and puts it at
 * `target` (250 MB). Nothing is installed into the system and root is not needed: apt runs on lists and a cache of its own,
 * checks Debian's signatures, and what it brings is only unpacked. Needs a Debian with apt and dpkg.
 */
export async function downloadFromDebian(target: string): Promise<void> {
  if (!existsSync(KEYRING)) throw new Error('this machine is no Debian');
  await mkdir(dirname(target), { recursive: true });
  const scratch = await mkdtemp(`${target}-download-`);
  try {
    const apt = await aptOn(scratch, await mirror());
    await apt('apt-get', ['update', '-qq']);
    const packages = join(scratch, 'packages');
    await mkdir(packages);
    await apt('apt-get', ['download', '-qq', ...(await needed(apt))], packages);
    const root = join(scratch, 'root');
    for (const file of await readdir(packages)) await run('dpkg', ['-x', join(packages, file), root]);
    await rename(root, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another process was faster
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

type Apt = (command: string, args: string[], cwd?: string) => Promise<string>;

/** apt with its own lists and cache, reading nothing but sid. */
async function aptOn(directory: string, from: string): Promise<Apt> {
  for (const folder of ['lists/partial', 'cache/archives/partial']) {
    await mkdir(join(directory, 'apt', folder), { recursive: true });
  }
  const list = join(directory, 'apt', 'sid.list');
  await writeFile(list, `deb [signed-by=${KEYRING}] ${from} sid main\n`);
  const options = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${join(directory, 'apt', 'lists')}`,
    `Dir::Cache=${join(directory, 'apt', 'cache')}`,
    `APT::Sandbox::User=${userInfo().username}`,
    'Debug::NoLocking=1',
    'Acquire::Retries=1',
  ].flatMap((option) => ['-o', option]);
  return async (command, args, cwd) => {
    try {
      return (await run(command, [...options, ...args], { cwd: cwd ?? '/', timeout: APT_MS })).stdout;
    } catch (cause) {
      const { code, stderr } = cause as { code?: unknown; stderr?: string };
      const said = code === 'ENOENT' ? 'not installed' : (stderr ?? '').trim().split('\n').at(-1);
      throw new Error(`${command}: ${said || String(cause)}`, { cause });
    }
  };
}

/** The server's package and all that it cannot run without, the C library and its loader included. */
async function needed(apt: Apt): Promise<string[]> {
  const without = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
    (what) => `--no-${what}`,
  );
  const tree = await apt('apt-cache', ['depends', '--recurse', ...without, 'mysql-server-core']);
  const names = tree.split('\n').filter((line) => /^[a-z]/.test(line) && !NOT_NEEDED.test(line));
  if (names.length === 0) throw new Error('Debian has no package mysql-server-core');
  return [...new Set(names)];
}

async function mirror(): Promise<string> {
  for (const file of SOURCES) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const found = [...text.matchAll(/^(?:URIs:|deb(?: \[[^\]]*\])?) *([a-z]+:\S+)/gm)]
      .map(([, address]) => address!)
      .find((address) => !address.includes('security'));
    if (found !== undefined) return found;
  }
  throw new Error(`neither ${SOURCES.join(' nor ')} says where Debian is`);
}
