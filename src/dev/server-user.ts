import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { UnreachableError } from '../errors.ts';

/** Who a server runs as, when it may not run as us. */
export interface ServerUser {
  name: string;
  uid: number;
  gid: number;
}

/**
 * The user that PostgreSQL must run as: `undefined` (ourselves) for everyone but root, whom PostgreSQL refuses. Root gets
 * `postgres` where that user exists (Debian's package makes it), else `nobody`, who exists everywhere: nothing is ever
 * added to the machine's users. (`initdb` looks its user up by number, so an invented number would not do.)
 */
export function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = idOf(name, '-u');
    const gid = idOf(name, '-g');
    if (uid !== undefined && gid !== undefined) return { name, uid, gid };
  }
  throw new UnreachableError(
    'PostgreSQL cannot run as root, and this machine has neither a user postgres nor nobody.',
    {
      next: 'Run as a normal user, or give the URL of a running server.',
    },
  );
}

/** Whether the user can enter the directory: a clone under /root, or in a `mktemp -d`, is closed to others. */
export function canEnter(directory: string, user: ServerUser | undefined): boolean {
  const { status } = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], {
    ...identityOf(user),
    cwd: '/',
    stdio: 'ignore',
  });
  return status === 0;
}

/** The options that make `spawn` run as the user. */
export function identityOf(user: ServerUser | undefined): { uid?: number; gid?: number } {
  return user === undefined ? {} : { uid: user.uid, gid: user.gid };
}

/**
 * A new directory for a server that leaves nothing behind. It is ours; the server's user can pass through to what we give
 * it inside, but change nothing here (we write logs and passwords here, as root).
 */
export async function temporaryDirectory(prefix: string, user: ServerUser | undefined): Promise<string> {
  const directory = await mkdtemp(join(openTemporaryRoot(user), prefix));
  if (user !== undefined) await chmod(directory, 0o711);
  return directory;
}

/**
 * Where we can keep, for a server, what should be kept at `wanted`: there, if its user can pass, else a directory under
 * /var/tmp (or the temporary folder) whose name is derived from `wanted`, so that the next start finds it again.
 */
export async function enterableDirectory(wanted: string, user: ServerUser | undefined): Promise<string> {
  await mkdir(wanted, { recursive: true });
  if (user === undefined || (await open(wanted, user))) return resolve(wanted);

  const digest = createHash('sha256').update(resolve(wanted)).digest('hex').slice(0, 16);
  const root = canEnter('/var/tmp', user) ? '/var/tmp' : openTemporaryRoot(user);
  const directory = join(root, `waybill-${digest}`);
  await mkdir(directory, { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(directory);
  // The folder is open to everyone: a stranger could have made this name first, to own our database.
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new UnreachableError(`${directory} belongs to someone else.`, { next: 'Remove it, then start again.' });
  }
  await open(directory, user); // whatever our umask made of its mode
  return directory;
}

async function open(directory: string, user: ServerUser): Promise<boolean> {
  await chmod(directory, 0o711);
  return canEnter(directory, user);
}

function openTemporaryRoot(user: ServerUser | undefined): string {
  const root = [tmpdir(), '/tmp', '/var/tmp'].find((directory) => canEnter(directory, user));
  if (root === undefined) {
    throw new UnreachableError(`The user ${user?.name ?? 'running this'} can enter no temporary folder.`, {
      next: 'Set TMPDIR to a folder that this user can enter.',
    });
  }
  return root;
}

function idOf(name: string, flag: '-u' | '-g'): number | undefined {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
}
