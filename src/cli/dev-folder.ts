import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine } from '../dev/server-process.ts';
import { ConfigurationError } from '../errors.ts';
import { isSystemError, reasonOf } from './write-project.ts';

/** More than its writer needs between making the file and writing into it. */
const WRITTEN_WITHIN_MS = 200;

/**
 * Makes the folder in which `dev` keeps its data, and takes it for this process alone: a second one would share its databases, and end
 * them when it ends. The answer gives it back. What a process that was killed has left there does not count, nor does one that has its
 * number by now. Throws `ConfigurationError` where somebody else on this machine has it, or where it cannot be written to.
 */
export async function takeDevFolder(folder: string): Promise<() => void> {
  try {
    await mkdir(folder, { recursive: true });
    return await take(folder);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new ConfigurationError(`waybill dev --keep-data cannot keep its data in ${folder}: ${reasonOf(error)}`, {
      where: error.path,
      next: 'mend that, or leave out --keep-data',
      cause: error,
    });
  }
}

async function take(folder: string): Promise<() => void> {
  const file = path.join(folder, 'pid');
  const own = nameOf(process.pid);
  while (!isMade(file, own)) {
    let found = read(file);
    if (found === '') {
      await sleep(WRITTEN_WITHIN_MS);
      found = read(file);
    }
    if (found === undefined) continue;
    const holder = holderOf(found);
    if (holder !== undefined) {
      throw new ConfigurationError(`waybill dev --keep-data runs in this project already (process ${holder})`, {
        where: folder,
        next: 'run loads beside it as it says under "Elsewhere" (with --run: wait until it has ended), end it with Ctrl-C, or leave out --keep-data',
      });
    }
    clear(file, found);
  }
  return () => {
    // Another one has it where somebody has removed the folder meanwhile, to begin anew.
    if (read(file) === own) rmSync(file, { force: true });
  };
}

/** Its number, and how it was called: a number alone may be anybody's by now. */
const nameOf = (pid: number): string => `${pid} ${commandLine(pid) ?? ''}`;

/** False: there is one. */
function isMade(file: string, own: string): boolean {
  try {
    writeFileSync(file, own, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined: it was given back meanwhile. */
const read = (file: string): string | undefined => unlessGone(() => readFileSync(file, 'utf8'));

function holderOf(found: string): number | undefined {
  const pid = Number.parseInt(found, 10);
  // In a container that starts anew, the one before had our own number.
  if (Number.isNaN(pid) || pid === process.pid || commandLine(pid) === undefined) return undefined;
  return nameOf(pid) === found ? pid : undefined;
}

/** Removes what nobody holds: aside first, for it may have been taken by another one that has just seen the same. */
function clear(file: string, found: string): void {
  const aside = `${file}.${process.pid}`;
  unlessGone(() => {
    renameSync(file, aside);
    if (read(aside) === found) rmSync(aside);
    else renameSync(aside, file);
  });
}

function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
