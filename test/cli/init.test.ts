import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { environmentByKind } from '../../src/cli/dev-databases.ts';
import { loadProject } from '../../src/config/load-project.ts';
import { compiledCli } from '../servers.ts';
import { document, run, type Answer } from './command-line.ts';

const execute = promisify(execFile);

const FILES = [
  '.env.example',
  '.gitignore',
  '.waybill/schemas/load.schema.json',
  '.waybill/schemas/waybill.schema.json',
  'README.md',
  'loads/acquisition/sale.yaml',
  'loads/core/sale.sql',
  'loads/core/sale.yaml',
  'loads/services/sales_by_day.sql',
  'loads/services/sales_by_day.yaml',
  'schema/source.sql',
  'schema/warehouse.sql',
  'waybill.yaml',
];

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

let cwd: string;
beforeEach(async () => (cwd = await mkdtemp(path.join(tmpdir(), 'waybill-init-'))));
afterEach(() => rm(cwd, { recursive: true }));

const init = (...argv: string[]): Promise<Answer> => run(['init', ...argv], { cwd });

/** Everything under the folder, folders too. */
const everything = async (folder = cwd): Promise<string[]> => (await readdir(folder, { recursive: true })).sort();

const filesUnder = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name))).sort();
};

describe('waybill init', () => {
  test('writes a project whose files are right, and says what to do with it', async () => {
    const answer = await init('shop');
    expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
    for (const file of FILES) expect(answer.stdout).toContain(`  ${file}\n`);
    // From a folder in which npx would not find it.
    expect(answer.stdout).toContain(`cd shop\n  npx --prefix ${ROOT} waybill validate --scratch`);
    expect(await filesUnder(path.join(cwd, 'shop'))).toEqual(FILES);
    const env = await environmentByKind(path.join(cwd, 'shop'), {});
    const project = await loadProject(path.join(cwd, 'shop'), { env });
    expect(project.warnings).toEqual([]);
    expect(project.name).toBe('shop');
    expect(project.sessions['nightly']?.dependencies).toEqual({
      'acquisition.sale': [],
      'core.sale': ['acquisition.sale'],
      'services.sales_by_day': ['core.sale'],
    });
  });

  test('tells the editor where the JSON Schemas are, and its files are right by them', async () => {
    await init('shop');
    const yamlFiles = FILES.filter((file) => file.endsWith('.yaml')).map((file) => path.join(cwd, 'shop', file));
    expect(yamlFiles).toHaveLength(4);
    for (const file of yamlFiles) {
      const text = await readFile(file, 'utf8');
      const [, schemaFile] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
      const schema = JSON.parse(await readFile(path.resolve(path.dirname(file), schemaFile!), 'utf8')) as Parameters<
        typeof z.fromJSONSchema
      >[0];
      const check = z.fromJSONSchema(schema);
      expect(check.safeParse(parse(text)), file).toMatchObject({ success: true });
      expect(check.safeParse({ ...(parse(text) as object), outptus: [] }), 'a wrong key').toMatchObject({
        success: false,
      });
    }
  });

  test.each(['mysql', 'mariadb'] as const)('writes tables and words for %s, where it is told so', async (on) => {
    expect(await init('shop', '--on', on)).toMatchObject({ exitCode: 0, stderr: '' });
    const files = await filesUnder(path.join(cwd, 'shop'));
    expect(files).toEqual(FILES.map((file) => file.replace(/^(schema\/\w+)\.sql$/, `$1.${on}.sql`)).sort());
    const own = files.filter((file) => !file.startsWith('.waybill/'));
    const texts = await Promise.all(own.map((file) => readFile(path.join(cwd, 'shop', file), 'utf8')));
    expect(texts.join('')).not.toMatch(/PROJECT_NAME|SERVER_TITLE|SERVER_URL|SQL_ENDING|LOOK|[Pp]ostgre/);
    expect(await readFile(path.join(cwd, 'shop', '.env.example'), 'utf8')).toContain(
      `SOURCE_URL='${on}://user:password@`,
    );
    expect(await init('other', '--on', 'oracle')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('Allowed choices are postgres, mysql, mariadb.') as string,
    });
  });

  test('with --json answers one document', async () => {
    const answer = await init('--json');
    expect(answer.stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(document(answer)).toEqual({ directory: cwd, files: FILES });
  });

  test('keeps what is there beside it, and takes --project for the folder, once', async () => {
    await writeFile(path.join(cwd, 'notes.txt'), 'mine');
    expect(await run(['--project', '.', 'init'], { cwd })).toMatchObject({ exitCode: 0 });
    expect(await filesUnder(cwd)).toEqual([...FILES, 'notes.txt'].sort());
    expect(await run(['--project', '.', 'init', 'shop'], { cwd })).toMatchObject({
      exitCode: 2,
      stderr: 'waybill: the folder is given twice: shop, and --project .\n  next:  give one of them\n',
    });
  });

  test.each([
    ['Our Shop!', 'our-shop'],
    ['123', '123'],
    ['true', 'true'],
    ['---', 'warehouse'],
  ])('names the project of folder %s %s', async (folder, name) => {
    expect(await init('--', folder)).toMatchObject({ exitCode: 0 });
    const project = await loadProject(path.join(cwd, folder), { env: {}, allowMissingEnvironment: true });
    expect(project.name).toBe(name);
  });
});

describe('waybill init refuses', () => {
  test('to overwrite: it names every file that is there, and writes none', async () => {
    await mkdir(path.join(cwd, 'shop/loads/core'), { recursive: true });
    await writeFile(path.join(cwd, 'shop/README.md'), 'mine');
    await symlink('/nowhere', path.join(cwd, 'shop/loads/core/sale.sql'));
    const before = await everything();
    const answer = await init('shop');
    expect(answer).toEqual({
      exitCode: 2,
      stdout: '',
      stderr:
        'waybill: README.md, loads/core/sale.sql are files that would be written, and nothing is overwritten\n' +
        `  where: ${cwd}/shop\n` +
        '  next:  name a folder without them: waybill init DIR\n',
    });
    expect(await everything()).toEqual(before);
    expect(await readFile(path.join(cwd, 'shop/README.md'), 'utf8')).toBe('mine');
  });

  test('a second time in the same folder', async () => {
    await init('shop');
    expect((await init('shop')).stderr).toContain(FILES.join(', '));
  });

  test.each([
    ['a file', 'notes.txt', 'there is a file where a folder is needed'],
    ['a folder below a file', 'notes.txt/shop', 'there is a file where a folder is needed'],
    ['a name that is too long', 'x'.repeat(300), 'the name is too long'],
  ])('%s', async (_title, dir, reason) => {
    await writeFile(path.join(cwd, 'notes.txt'), 'mine');
    const answer = await init(dir, '--json');
    expect(answer).toMatchObject({ exitCode: 2 });
    expect(document(answer)).toMatchObject({
      error: {
        type: 'Configuration',
        message: `no project can be written to ${cwd}/${dir}: ${reason}`,
        next: 'name another folder: waybill init DIR',
      },
    });
    expect(await everything()).toEqual(['notes.txt']);
  });

  test('a place where nobody can make folders', async () => {
    expect(await run(['init', '/proc/shop'])).toEqual({
      exitCode: 2,
      stdout: '',
      stderr:
        'waybill: no project can be written to /proc/shop: no folder can be made there\n' +
        '  where: /proc/shop\n' +
        '  next:  name another folder: waybill init DIR\n',
    });
  });

  test('a folder where only some files can be written, and takes those back', async () => {
    await mkdir(path.join(cwd, 'shop/loads'), { recursive: true });
    await symlink('/nowhere', path.join(cwd, 'shop/loads/services')); // no folder can be made of that
    const before = await everything();
    const answer = await init('shop');
    expect(answer.exitCode).toBe(2);
    expect(answer.stderr).toContain(`where: ${cwd}/shop/loads/services`);
    expect(await everything()).toEqual(before);
  });

  test('a disk that fills within a file, and takes that one back, too: the next try finds nothing in its way', async () => {
    // In place of a full disk, a limit of this one process, which holds for root, too: the longest schema is longer.
    const within = 'ulimit -f 64; exec "$0" "$@"';
    const ended = await execute('/bin/sh', ['-c', within, process.execPath, compiledCli(), 'init', 'shop'], {
      cwd,
    }).catch((error: { code: number; stderr: string }) => error);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('no project can be written to') as string });
    expect(await everything()).toEqual([]);
    expect(await init('shop')).toMatchObject({ exitCode: 0 });
  });
});
