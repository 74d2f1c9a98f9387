import { isUtf8 } from 'node:buffer';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { ABSENT } from '../../config/find-files.ts';
import { WaybillError } from '../../errors.ts';

/**
 * The files that one of these patterns means, by their names relative to the folder, in order. `*` is any characters of one
 * name, `**` any folders, `?` one character. Hidden files are passed over unless a pattern names them. Links are followed, and each
 * file comes once, hard links of it, too: of several names by one that is `known`, or by its own, or by the first. Throws `WaybillError` where it cannot
 * be seen what is there: a file that is not found is one whose rows nobody misses.
 */
export async function findFiles(
  folder: string,
  patterns: readonly string[],
  known: (name: string) => boolean = () => false,
): Promise<string[]> {
  const root = await realpath(folder);
  const found = await Promise.all(patterns.map((pattern) => matching(root, pattern.split('/'), '', [root])));
  const all = [...new Set(found.flat())].sort();
  const files = await Promise.all(all.map((name) => fileOf(path.join(root, name)).catch(absent(name))));
  const names = new Map<string, { name: string; isItsOwn: boolean }>();
  for (const [i, name] of all.entries()) {
    const file = files[i];
    if (file === undefined) continue; // gone meanwhile
    const other = names.get(file.id);
    const isBetter = other === undefined || (!known(other.name) && (known(name) || (file.isItsOwn && !other.isItsOwn)));
    if (isBetter) names.set(file.id, { name, isItsOwn: file.isItsOwn });
  }
  return [...names.values()].map(({ name }) => name).sort();
}

/** `id`: the same for all names of the file. */
async function fileOf(full: string): Promise<{ id: string; isItsOwn: boolean }> {
  const real = await realpath(full);
  const { dev, ino, nlink } = await stat(real, { bigint: true });
  return { id: nlink > 1n ? `${dev} ${ino}` : real, isItsOwn: real === full };
}

/** `above`: the folders that lead here, as they are: a link to one of them leads around in a circle. */
async function matching(
  folder: string,
  [step, ...rest]: string[],
  prefix: string,
  above: readonly string[],
): Promise<string[]> {
  if (step === undefined) return [];
  if (step === '**') {
    const here = await matching(folder, rest, prefix, above);
    const below = await namesIn(folder, prefix, 'folder', (name) => !name.startsWith('.') && name !== LOST);
    const deeper = await Promise.all(
      below.map(async (name) => {
        const file = `${prefix}${name}`;
        if ((await kindOf(folder, file)) !== 'folder') return [];
        const real = (await realpath(path.join(folder, file)).catch(absent(file))) ?? folder; // gone meanwhile
        return above.includes(real) ? [] : matching(folder, ['**', ...rest], `${file}/`, [...above, real]);
      }),
    );
    return [...here, ...deeper.flat()];
  }
  const plain = !/[*?]/.test(step);
  const fits = plain ? undefined : patternOf(step);
  const wanted = rest.length > 0 ? 'folder' : 'file';
  const names = fits
    ? await namesIn(
        folder,
        prefix,
        wanted,
        (name) => fits.test(name) && (step.startsWith('.') || !name.startsWith('.')),
      )
    : [step];
  const found = await Promise.all(
    names.map(async (name) => {
      const file = `${prefix}${name}`;
      if ((await kindOf(folder, file)) !== wanted) return [];
      return wanted === 'folder' ? matching(folder, rest, `${file}/`, above) : [file];
    }),
  );
  return found.flat();
}

/** At the top of a file system, where nobody but root may read it and nobody puts files. */
const LOST = 'lost+found';

type Kind = 'file' | 'folder';

/** The names in a folder that fit, of which only those of this kind are of use. */
async function namesIn(
  folder: string,
  prefix: string,
  wanted: Kind,
  fits: (name: string) => boolean,
): Promise<string[]> {
  const entries = await readdir(path.join(folder, prefix), { encoding: 'buffer' }).catch(absent(prefix || '.'));
  const names: string[] = [];
  for (const bytes of entries ?? []) {
    const name = bytes.toString('utf8');
    if (!fits(name)) continue;
    if (isUtf8(bytes)) names.push(name);
    else if ((await kindOf(folder, prefix, bytes)) === wanted) throw notUtf8(`${prefix}${name}`);
  }
  return names;
}

/** `bytes`: a name that no text says. */
async function kindOf(folder: string, file: string, bytes = Buffer.alloc(0)): Promise<Kind | undefined> {
  const full = Buffer.concat([Buffer.from(`${folder}/${file}`), bytes]);
  const facts = await stat(full).catch(absent(`${file}${bytes.toString('utf8')}`));
  if (facts?.isFile() === true) return 'file';
  return facts?.isDirectory() === true ? 'folder' : undefined;
}

const notUtf8 = (name: string): WaybillError =>
  new WaybillError(`the name of ${name} is not UTF-8`, {
    next: 'rename it (convmv does whole folders): the ledger knows files by their names',
  });

/** For `catch`: undefined where there is nothing of this name; else it may not be taken for nothing. */
export const absent =
  (name: string) =>
  (error: NodeJS.ErrnoException): undefined => {
    if (ABSENT.has(error.code ?? '')) return;
    throw new WaybillError(`${name} cannot be read (${error.code})`, {
      next: "see that the worker's account may read it, then start the load again",
      cause: error,
    });
  };

const patternOf = (step: string): RegExp =>
  new RegExp(
    `^${step
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')}$`,
    'u', // or `?` would be half of an emoji
  );
