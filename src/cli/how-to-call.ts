import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Io } from './io.ts';

/** The package that this code is part of: installed somewhere, or a clone. */
const PACKAGE = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const BIN = path.join('node_modules', '.bin', 'waybill');

/**
 * What a shell in this folder has to say for `waybill`, in words that can be copied: that, where it is on the PATH; `npx waybill`,
 * where npx finds it, in the folder or above; else npx with the place from which it was called now. npx that finds nothing would ask
 * a registry for a package of this name.
 */
export function howToCall(folder: string, { env, cwd }: Pick<Io, 'env' | 'cwd'>): string {
  if (isOnPath(env['PATH'] ?? '')) return 'waybill';
  if (folderOfNpx(folder) !== undefined) return 'npx waybill';
  return `npx --prefix ${shellWord(folderOfNpx(cwd) ?? PACKAGE)} waybill`;
}

/** A path as a shell reads it: quoted, where a character of it would mean something. */
export const shellWord = (text: string): string =>
  /^[\w./@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** The line that goes there, in words that can be copied; none, where that is here. */
export function howToGo(folder: string, cwd: string): string[] {
  const from = path.relative(cwd, folder);
  return from === '' ? [] : [`  cd ${shellWord(from.startsWith('..') ? folder : from)}`];
}

/** What npx and npm put there for one command does not count. */
function isOnPath(searched: string): boolean {
  return searched
    .split(path.delimiter)
    .some((folder) => folder !== '' && !folder.includes('node_modules') && isOurs(path.join(folder, 'waybill')));
}

/** A link to our program, as npm makes it. */
function isOurs(file: string): boolean {
  return existsSync(file) && realpathSync(file).startsWith(PACKAGE + path.sep);
}

/** The nearest folder from which npx runs us: what is installed there, or the clone itself. */
function folderOfNpx(from: string): string | undefined {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    if (folder === PACKAGE || existsSync(path.join(folder, BIN))) return folder;
    if (folder === path.dirname(folder)) return undefined;
  }
}
