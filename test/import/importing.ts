/** Imports for tests: files of pupdate in a folder of the test's own, the project that they become, and what is said of them. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { parse } from 'yaml';
import { document, run, type Answer } from '../cli/command-line.ts';

let folder: string;

/** For each file of tests to say: modules stay loaded for the next one, which would have none. */
export function importInFoldersOfTheirOwn(): void {
  beforeEach(async () => (folder = await mkdtemp(path.join(tmpdir(), 'waybill-pupdate-'))));
  afterEach(() => rm(folder, { recursive: true }));
}

export const cwd = (): string => folder;

export const DSN = 'etl:s3cr3t@tcp(db.example.org:3306)/mot';

/** Imports files, given as JSON text or as what becomes JSON, into the folder `made`. */
export async function importing(files: Record<string, unknown>, ...options: string[]): Promise<Answer> {
  for (const [name, content] of Object.entries(files)) {
    await writeFile(path.join(folder, name), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  }
  return run(['import', 'pupdate', ...Object.keys(files), '--project', 'made', ...options], { cwd: folder });
}

export const read = (file: string): Promise<string> => readFile(path.join(folder, 'made', file), 'utf8');
export const yaml = async (file: string): Promise<Record<string, unknown>> =>
  parse(await read(file)) as Record<string, unknown>;
export const made = async (): Promise<string[]> =>
  readdir(path.join(folder, 'made'), { recursive: true }).catch(() => []);

/** One task that works, with what the test is about. */
export const task = (keys: Record<string, unknown>) => ({
  Name: 'one',
  Dsn: DSN,
  Exec: 'insert into a select 1',
  ...keys,
});

/** Imports one task; its YAML, its SQL (undefined: there is no such file) and what was said. */
export async function one(keys: Record<string, unknown>) {
  const answer = await importing({ 'one.json': task(keys) }, '--json');
  expect(answer, JSON.stringify(document(answer))).toMatchObject({ exitCode: 0 });
  const { notes } = document(answer) as { notes: { kind: string; message: string }[] };
  const said = notes.map(({ kind, message }) => `${kind}: ${message}`);
  const sql = await read('loads/task/one.sql').then(
    (text) => text.trim(),
    () => undefined,
  );
  return { load: await yaml('loads/task/one.yaml'), sql, said };
}

/** The message with which one task is refused, and its place; nothing was written. */
export async function refused(keys: Record<string, unknown>, into = 'made'): Promise<string> {
  const answer = await importing({ 'one.json': task(keys) }, '--json', '--project', into);
  expect(answer.exitCode).toBe(2);
  expect(await readdir(path.join(folder, into)).catch(() => [])).toEqual([]);
  const { error } = document(answer) as { error: { message: string; where: string | null } };
  return `${error.where}: ${error.message}`;
}
