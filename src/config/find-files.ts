import { isUtf8 } from 'node:buffer';
import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

import type { Problem } from './problem.ts';

/** A load's file, found but not read. */
export interface FoundLoad {
  /** `core.flight`. */
  name: string;
  /** Relative to the project folder, with `/`. */
  file: string;
}

export interface FoundFiles {
  loads: FoundLoad[];
  /** All .sql files under `loads/`, relative to the project folder. */
  sql: string[];
}

/** Finds the loads of a project and the SQL beside them. Hidden files and folders are passed over. */
export async function findFiles(directory: string, problems: Problem[]): Promise<FoundFiles> {
  const unreadable: TakeUnreadable = (file, message, next) =>
    void problems.push({ file, line: 1, column: 1, message, next, severity: 'error' });
  const files = (await filesUnder(directory, 'loads', unreadable)).sort();
  const loads = new Map<string, FoundLoad>();
  for (const file of files.filter((name) => /\.ya?ml$/.test(name))) {
    const name = file
      .replace(/^loads\//, '')
      .replace(/\.ya?ml$/, '')
      .replaceAll('/', '.');
    const start = { file, line: 1, column: 1, severity: 'error' as const };
    const twin = loads.get(name);
    if (!/^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_][A-Za-z0-9_-]*)*$/.test(name)) {
      const message = `\`${name}\` cannot be the name of a load: letters, digits, \`_\` and \`-\` only`;
      problems.push({ ...start, message, next: 'Rename the file or its folder.' });
    } else if (twin !== undefined) {
      problems.push({
        ...start,
        message: `${twin.file} is the load \`${name}\` too`,
        next: 'Rename one of the files.',
      });
    } else {
      loads.set(name, { name, file });
    }
  }
  for (const file of files.filter((name) => /\.ya?ml$/i.test(name) && !/\.ya?ml$/.test(name))) {
    const message = 'this file would not be read: the name of a load ends in `.yaml`, in small letters';
    problems.push({ file, line: 1, column: 1, message, next: 'Rename it.', severity: 'error' });
  }
  return { loads: [...loads.values()], sql: files.filter((name) => name.endsWith('.sql')) };
}

/** Codes of what is not there, or a link that leads nowhere. Anything else means that it cannot be seen what is there. */
export const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

type TakeUnreadable = (file: string, message: string, next: string) => void;

/** What cannot be looked at is named: it may be a load, which others wait for. */
async function filesUnder(directory: string, folder: string, unreadable: TakeUnreadable): Promise<string[]> {
  const attempt = <T>(name: string, looking: Promise<T>): Promise<T | undefined> =>
    looking.catch(async ({ code = '' }: NodeJS.ErrnoException) => {
      if (!ABSENT.has(code)) unreadable(name, `this cannot be read (${code})`, 'Check its permissions.');
      else await nameWhatIsThere(directory, name, unreadable);
      return undefined;
    });
  const entries = (await attempt(folder, readdir(path.join(directory, folder), { encoding: 'buffer' }))) ?? [];
  const found = await Promise.all(
    entries.map(async (bytes) => {
      const name = bytes.toString('utf8');
      if (name.startsWith('.')) return [];
      const file = `${folder}/${name}`;
      if (!isUtf8(bytes)) {
        unreadable(file, 'the name of this file is not UTF-8', 'Rename it.');
        return [];
      }
      const kind = await attempt(file, stat(path.join(directory, file)));
      if (kind?.isDirectory() === true) return filesUnder(directory, file, unreadable);
      return kind?.isFile() === true ? [file] : [];
    }),
  );
  return found.flat();
}

/** A name behind which nothing was found, or no folder. One that is gone by now is no mistake: an editor puts files aside while it saves. */
async function nameWhatIsThere(directory: string, name: string, unreadable: TakeUnreadable): Promise<void> {
  const full = path.join(directory, name);
  const itself = await lstat(full).catch(({ code }: NodeJS.ErrnoException) => code);
  if (itself === 'ENOENT') return;
  const isThere = await stat(full).then(
    () => true,
    () => false,
  );
  if (isThere) unreadable(name, 'this is no folder', 'Loads are files in a folder of this name.');
  else unreadable(name, 'this is a link that leads nowhere', 'Mend it, or remove it.');
}
