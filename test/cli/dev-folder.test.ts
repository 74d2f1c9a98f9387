import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeDevFolder } from '../../src/cli/dev-folder.ts';
import { commandLine } from '../../src/dev/server-process.ts';
import { compiledCli } from '../servers.ts';

/** Compiled, as an installed Waybill has it. */
const MODULE = join(compiledCli(), '../dev-folder.js');

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'waybill-dev-folder-'))));
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

/** A process that takes the folder and keeps it, or ends with 9 where it is refused; one or the other has happened. */
async function taker(): Promise<ChildProcess> {
  const script = `
    import { takeDevFolder } from ${JSON.stringify(MODULE)};
    await takeDevFolder(${JSON.stringify(folder)}).catch(() => process.exit(9));
    console.log('taken');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('the folder in which waybill dev keeps its data', () => {
  test('is taken once, given back, and taken again', async () => {
    const giveBack = await takeDevFolder(folder);
    const other = await taker();
    expect(other.exitCode).toBe(9);
    giveBack();
    expect(await readdir(folder)).toEqual([]);
    (await takeDevFolder(folder))();
  });

  test('is refused by the number of who has it, and free once that one was killed', async () => {
    const other = await taker();
    await expect(takeDevFolder(folder)).rejects.toMatchObject({
      message: `waybill dev --keep-data runs in this project already (process ${other.pid})`,
      where: folder,
    });
    await kill(other);
    (await takeDevFolder(folder))();
    expect(await readdir(folder)).toEqual([]);
  });

  test.each([
    ['a process that has ended', () => `${spawnSync('true').pid} true `],
    ['a process whose number another one has by now', () => `${process.ppid} node waybill dev --keep-data `],
    [
      'one with our own number, before the machine was started anew',
      () => `${process.pid} ${commandLine(process.pid)}`,
    ],
    ['one that was killed before it had written its number', () => ''],
  ])('is free after %s', async (_, text) => {
    await writeFile(join(folder, 'pid'), text());
    (await takeDevFolder(folder))();
    expect(await readdir(folder)).toEqual([]);
  });

  test('is given back by who has it alone: not by one under whom it was removed, and taken by another', async () => {
    const giveBack = await takeDevFolder(folder);
    await rm(join(folder, 'pid'));
    const other = await taker();
    expect(other.exitCode).toBe(null);
    giveBack();
    await expect(takeDevFolder(folder)).rejects.toThrow(`(process ${other.pid})`);
    await kill(other);
    (await takeDevFolder(folder))();
    giveBack();
    expect(await readdir(folder)).toEqual([]);
  });

  test('that cannot be written to is said in one message, with the reason', async () => {
    await writeFile(join(folder, '.waybill'), 'a file');
    const kept = join(folder, '.waybill/dev');
    await expect(takeDevFolder(kept)).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: `waybill dev --keep-data cannot keep its data in ${kept}: there is a file where a folder is needed`,
      next: 'mend that, or leave out --keep-data',
    });
  });

  test('goes to one alone of those that find it free at once', async () => {
    await kill(await taker());
    const all = await Promise.all(Array.from({ length: 6 }, taker));
    expect(all.filter(({ exitCode }) => exitCode === null)).toHaveLength(1);
    expect(all.filter(({ exitCode }) => exitCode === 9)).toHaveLength(5);
  });
});
