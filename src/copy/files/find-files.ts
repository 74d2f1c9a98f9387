import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * The files that one of these patterns means, by their names relative to the folder, in order. `*` is any characters of one
 * name, `**` any folders, `?` one character. Hidden files are passed over unless a pattern names them. Links are followed, and each
 * file comes once: of several names by one that is `known`, or by its own, or by the first.
 */
export async function findFiles(
  folder: string,
  patterns: readonly string[],
  known: (name: string) => boolean = () => false,
): Promise<string[]> {
  const root = await realpath(folder);
  const found = await Promise.all(patterns.map((pattern) => matching(root, pattern.split('/'), '', [root])));
  const names = new Map<string, string>();
  for (const name of [...new Set(found.flat())].sort()) {
    const file = await realpath(path.join(root, name)).catch(() => undefined);
    if (file === undefined) continue; // gone meanwhile
    const other = names.get(file);
    const better = other === undefined || (!known(other) && (known(name) || file === path.join(root, name)));
    if (better) names.set(file, name);
  }
  return [...names.values()].sort();
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
    const below = (await namesIn(folder, prefix)).filter((name) => !name.startsWith('.'));
    const deeper = await Promise.all(
      below.map(async (name) => {
        const file = `${prefix}${name}`;
        if ((await kindOf(folder, file)) !== 'folder') return [];
        const real = await realpath(path.join(folder, file)).catch(() => folder); // gone meanwhile
        return above.includes(real) ? [] : matching(folder, ['**', ...rest], `${file}/`, [...above, real]);
      }),
    );
    return [...here, ...deeper.flat()];
  }
  const plain = !/[*?]/.test(step);
  const fits = plain ? undefined : patternOf(step);
  const names = fits
    ? (await namesIn(folder, prefix)).filter(
        (name) => fits.test(name) && (step.startsWith('.') || !name.startsWith('.')),
      )
    : [step];
  const found = await Promise.all(
    names.map(async (name) => {
      const file = `${prefix}${name}`;
      const kind = await kindOf(folder, file);
      if (rest.length > 0) return kind === 'folder' ? matching(folder, rest, `${file}/`, above) : [];
      return kind === 'file' ? [file] : [];
    }),
  );
  return found.flat();
}

const namesIn = (folder: string, prefix: string): Promise<string[]> =>
  readdir(path.join(folder, prefix)).catch(() => []);

async function kindOf(folder: string, file: string): Promise<'file' | 'folder' | undefined> {
  const facts = await stat(path.join(folder, file)).catch(() => undefined);
  if (facts?.isFile() === true) return 'file';
  return facts?.isDirectory() === true ? 'folder' : undefined;
}

const patternOf = (step: string): RegExp =>
  new RegExp(
    `^${step
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')}$`,
  );
