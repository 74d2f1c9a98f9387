import { readdir, stat } from 'node:fs/promises';
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
  const files = (await filesUnder(path.join(directory, 'loads'))).map((file) => `loads/${file}`).sort();
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

async function filesUnder(folder: string, prefix = ''): Promise<string[]> {
  const entries = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    entries
      .filter((name) => !name.startsWith('.'))
      .map(async (name) => {
        const full = path.join(folder, name);
        const kind = await stat(full).catch(() => undefined);
        if (kind?.isDirectory() === true) return filesUnder(full, `${prefix}${name}/`);
        return kind?.isFile() === true ? [`${prefix}${name}`] : [];
      }),
  );
  return found.flat();
}
