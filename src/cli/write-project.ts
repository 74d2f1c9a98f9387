import { lstat, mkdir, open, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { ConfigurationError } from '../errors.ts';

/**
 * Writes a project's files; their paths, in order. All of them or none: what is there already is never touched.
 * `again` is the command that names another folder. Throws `ConfigurationError` where a file is in the way, or the folder
 * cannot be written to.
 */
export async function writeProject(folder: string, files: Map<string, string>, again: string): Promise<string[]> {
  const names = [...files.keys()].sort();
  const made: string[] = [];
  try {
    await refuseExisting(folder, names, again);
    for (const name of names) {
      const file = path.join(folder, name);
      await makeFolder(path.dirname(file), made);
      await writeNew(file, files.get(name)!, made);
    }
  } catch (error) {
    await takeBack(made);
    throw isSystemError(error) ? cannotWrite(folder, error, again) : error;
  }
  return names;
}

/** Noted as soon as it is there: a disk that is full leaves half of it. */
async function writeNew(file: string, text: string, made: string[]): Promise<void> {
  const opened = await open(file, 'wx'); // somebody may be faster than our look
  made.push(file);
  try {
    await opened.writeFile(text);
  } finally {
    await opened.close();
  }
}

async function refuseExisting(folder: string, names: string[], again: string): Promise<void> {
  const there: string[] = [];
  for (const name of names) if (await exists(path.join(folder, name))) there.push(name);
  if (there.length === 0) return;
  const are = there.length === 1 ? 'is a file that would be written' : 'are files that would be written';
  throw new ConfigurationError(`${there.join(', ')} ${are}, and nothing is overwritten`, {
    where: folder,
    next: `name a folder without ${there.length === 1 ? 'it' : 'them'}: ${again}`,
  });
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/**
 * Makes the folder and those above it, and notes each that was not there. Node's own recursive mkdir never comes back from a
 * file system that lets nobody make folders (/proc).
 */
async function makeFolder(folder: string, made: string[]): Promise<void> {
  if (await isFolder(folder)) return;
  if (!(await exists(path.dirname(folder)))) await makeFolder(path.dirname(folder), made);
  await mkdir(folder);
  made.push(folder);
}

const isFolder = (folder: string): Promise<boolean> =>
  stat(folder).then(
    (info) => info.isDirectory(),
    () => false,
  );

/** Newest first, so that folders are empty; a folder into which somebody else has put something stays. */
async function takeBack(made: string[]): Promise<void> {
  for (const each of made.sort().reverse()) {
    const info = await lstat(each).catch(() => undefined);
    await (info?.isDirectory() === true ? rmdir(each) : rm(each, { force: true })).catch(() => undefined);
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no folder can be made there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'there is a file where a folder is needed',
  EEXIST: 'there is a file where a folder is needed',
  ENAMETOOLONG: 'the name is too long',
};

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** Why a file or folder could not be made, in words. */
export const reasonOf = (error: NodeJS.ErrnoException): string => REASONS[error.code ?? ''] ?? error.message;

function cannotWrite(folder: string, error: NodeJS.ErrnoException, again: string): ConfigurationError {
  return new ConfigurationError(`no project can be written to ${folder}: ${reasonOf(error)}`, {
    where: error.path,
    next: `name another folder: ${again}`,
    cause: error,
  });
}
