import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * The files that one of these patterns means, by their names relative to the folder, in order. `*` is any characters of one
 * name, `**` any folders, `?` one character. Hidden files are passed over unless a pattern names them.
 */
export async function findFiles(folder: string, patterns: readonly string[]): Promise<string[]> {
  const found = await Promise.all(patterns.map((pattern) => matching(folder, pattern.split('/'), '')));
  return [...new Set(found.flat())].sort();
}

async function matching(folder: string, [step, ...rest]: string[], prefix: string): Promise<string[]> {
  if (step === undefined) return [];
  if (step === '**') {
    const here = await matching(folder, rest, prefix);
    const below = (await namesIn(folder, prefix)).filter((name) => !name.startsWith('.'));
    const deeper = await Promise.all(
      below.map(async (name) =>
        (await kindOf(folder, `${prefix}${name}`)) === 'folder'
          ? matching(folder, ['**', ...rest], `${prefix}${name}/`)
          : [],
      ),
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
      if (rest.length > 0) return kind === 'folder' ? matching(folder, rest, `${file}/`) : [];
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
