import { chmod, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findFiles } from '../../src/copy/files/find-files.ts';

const made: string[] = [];
afterEach(() => Promise.all(made.splice(0).map((place) => rm(place, { recursive: true }))));

async function folder(files: string[], links: Record<string, string> = {}): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'waybill-files-'));
  made.push(place);
  for (const name of files) {
    await mkdir(dirname(join(place, name)), { recursive: true });
    await writeFile(join(place, name), '');
  }
  for (const [name, target] of Object.entries(links)) await symlink(target, join(place, name));
  return place;
}

test('patterns mean files in folders and links to them', async () => {
  const place = await folder([
    'data/a.csv',
    'data/b.txt',
    'data/.c.csv',
    'data/x/d.csv',
    'data/x/y/e.csv',
    'data/.z/f.csv',
  ]);
  expect(await findFiles(place, ['data/*.csv'])).toEqual(['data/a.csv']);
  expect(await findFiles(place, ['data/**/*.csv', 'data/?.txt'])).toEqual([
    'data/a.csv',
    'data/b.txt',
    'data/x/d.csv',
    'data/x/y/e.csv',
  ]);
  expect(await findFiles(place, ['data/**/.*.csv', 'nowhere/*.csv', 'data/x'])).toEqual(['data/.c.csv']);
});

test('a question mark is one character, of however many bytes', async () => {
  const place = await folder(['in/é.csv', 'in/😀.csv', 'in/ab.csv', 'in/(1)-{2}.csv']);
  expect(await findFiles(place, ['in/?.csv'])).toEqual(['in/é.csv', 'in/😀.csv']);
  expect(await findFiles(place, ['in/(?)-{*}.csv'])).toEqual(['in/(1)-{2}.csv']);
});

test('a link that leads back gives no file another name', async () => {
  const place = await folder(['data/a.csv', 'data/x/b.csv'], {
    'data/up': '..',
    'data/here': '.',
    'data/x/up': '../../data',
    'data/x/to-a.csv': '../a.csv',
    'data/1.csv': 'x/b.csv',
  });
  expect(await findFiles(place, ['data/**/*.csv'])).toEqual(['data/a.csv', 'data/x/b.csv']);
});

test('of the names of one file that lies elsewhere, the one that is known is taken, else the first', async () => {
  const elsewhere = await folder(['feed/a.csv']);
  const place = await folder([], { beta: join(elsewhere, 'feed'), gamma: join(elsewhere, 'feed') });
  const pattern = ['**/*.csv'];
  expect(await findFiles(place, pattern)).toEqual(['beta/a.csv']);
  // A link that comes later, and would be the first.
  await symlink(join(elsewhere, 'feed'), join(place, 'alpha'));
  expect(await findFiles(place, pattern, (name) => name === 'beta/a.csv')).toEqual(['beta/a.csv']);
  expect(await findFiles(place, pattern, (name) => name === 'gamma/a.csv')).toEqual(['gamma/a.csv']);
});

test('of hard links of one file the one that is known is taken, else the first', async () => {
  const place = await folder(['data/b.csv', 'data/d.csv'], { 'data/a.csv': 'd.csv' });
  for (const name of ['c', 'e']) await link(join(place, 'data/b.csv'), join(place, `data/${name}.csv`));
  const pattern = ['data/*.csv'];
  expect(await findFiles(place, pattern)).toEqual(['data/b.csv', 'data/d.csv']);
  expect(await findFiles(place, pattern, (name) => name === 'data/c.csv')).toEqual(['data/c.csv', 'data/d.csv']);
});

const latin1 = (place: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${place}/`), Buffer.from(name, 'latin1')]);

// Other systems take no such name.
test.runIf(process.platform === 'linux')(
  'a name that is not UTF-8 is refused where it is meant, not passed over',
  async () => {
    const place = await folder(['data/a.csv', 'data/x/b.csv']);
    await writeFile(latin1(place, 'data/Z\xfcrich.csv'), '');
    await mkdir(latin1(place, 'data/Gen\xe8ve'));
    await expect(findFiles(place, ['data/*.csv'])).rejects.toMatchObject({
      message: 'the name of data/Z\ufffdrich.csv is not UTF-8',
      next: expect.stringContaining('rename it') as string,
    });
    await expect(findFiles(place, ['data/*/b.csv'])).rejects.toThrow('the name of data/Gen\ufffdve is not UTF-8');
    await expect(findFiles(place, ['**/b.csv'])).rejects.toThrow('the name of data/Gen\ufffdve is not UTF-8');
    // None of these means it.
    expect(await findFiles(place, ['data/a*.csv', 'data/x/*.csv', '*/G*'])).toEqual(['data/a.csv', 'data/x/b.csv']);
  },
);

test('a folder that may not be read is not taken for an empty one; links that lead nowhere are passed over', async () => {
  const place = await folder(['data/a.csv', 'data/lost+found/a.csv', 'closed/b.csv'], {
    'data/b.csv': 'nowhere',
    'data/c.csv': 'c.csv',
  });
  await chmod(place, 0o755);
  for (const name of ['closed', 'data/lost+found']) await chmod(join(place, name), 0);
  const patterns = ['closed/*.csv', 'closed/b.csv', '**/*.csv', '*/b.csv'];
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid!(65534); // whom such a folder is closed to
  try {
    const ends = await Promise.all(
      patterns.map((pattern) => findFiles(place, [pattern]).catch((error: Error) => error.message)),
    );
    expect(ends).toEqual([
      'closed/ cannot be read (EACCES)',
      'closed/b.csv cannot be read (EACCES)',
      'closed/ cannot be read (EACCES)',
      'closed/b.csv cannot be read (EACCES)',
    ]);
    expect(await findFiles(place, ['data/**/*.csv'])).toEqual(['data/a.csv']);
  } finally {
    if (isRoot) process.seteuid!(0);
    for (const name of ['closed', 'data/lost+found']) await chmod(join(place, name), 0o700);
  }
});
