/** As npm installs it, without asking a registry: what init prints is run as it stands, by a shell. */
import { exec } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiledCli } from '../servers.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'waybill-installed-'));
  await chmod(compiledCli(), 0o755);
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** What `npm install` leaves behind. */
async function install(modules: string, bin: string): Promise<void> {
  await mkdir(modules, { recursive: true });
  await mkdir(bin, { recursive: true });
  await symlink(resolve(compiledCli(), '../../..'), join(modules, 'waybill'));
  await symlink(join(modules, 'waybill/dist/cli/main.js'), join(bin, 'waybill'));
}

/** A shell of somebody whose global packages are in the folder `global`; npx that finds nothing fails instead of asking. */
async function shell(cwd: string, command: string, global: string): Promise<string> {
  const { HOME, LANG, TMPDIR, XDG_CACHE_HOME, PATH = '' } = process.env;
  const path = [join(global, 'bin'), ...PATH.split(delimiter).filter((folder) => !folder.includes('node_modules'))];
  const npm = { npm_config_prefix: global, npm_config_cache: join(home, 'cache'), npm_config_offline: 'true' };
  const env = { HOME, LANG, TMPDIR, XDG_CACHE_HOME, ...npm, PATH: path.join(delimiter) };
  return (await promisify(exec)(command, { cwd, env })).stdout;
}

/** The lines below "It needs no database of yours yet:", less what starts servers. */
const printed = (said: string): string[] =>
  said
    .replace(/ validate --scratch .*\n.*\n/, ' validate --files-only')
    .slice(said.indexOf('yet:\n') + 5)
    .split('\n')
    .map((line) => line.trim());

describe.concurrent('what init says to do next', () => {
  test.each([
    ['globally', 'anywhere', 'waybill init "new shop"', /^waybill validate/],
    ['in a folder above it', 'company', 'npx waybill init shop', /^npx waybill validate/],
    ['in some other folder', 'tools', 'npx waybill init ../elsewhere', /^npx --prefix \S+\/tools waybill validate/],
  ])('works where Waybill is installed %s', async (where, folder, init, words) => {
    const cwd = join(home, folder);
    const global = join(home, folder, '..', `global of ${folder}`);
    if (where === 'globally') await install(join(global, 'lib/node_modules'), join(global, 'bin'));
    else await install(join(cwd, 'node_modules'), join(cwd, 'node_modules/.bin'));
    await mkdir(cwd, { recursive: true });
    const lines = printed(await shell(cwd, init, global));
    expect(lines.at(-1)).toMatch(words);
    expect(await shell(cwd, lines.join('\n'), global)).toContain('Files: 3 loads and 1 session are right.');
    // The words of its README.
    if (folder !== 'tools') expect(await shell(cwd, 'npx waybill --version', global)).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
