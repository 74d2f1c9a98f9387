/** Imports for tests of what they do: in a world's project, on its server. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parseDocument } from 'yaml';
import { document, run } from '../cli/command-line.ts';
import type { World } from '../engine/world.ts';

/** Go's form of a URL, up to the database. */
export function addressOf(url: URL): string {
  const password = url.password === '' ? '' : `:${decodeURIComponent(url.password)}`;
  return `${decodeURIComponent(url.username)}${password}@tcp(${url.host})`;
}

/** Imports files of pupdate into the world's project, and has the server check what came of them. */
export async function importInto(
  world: World,
  files: Record<string, string>,
  { mot, copy }: { mot: string; copy: string },
  warnings: unknown[] = [],
): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(world.directory, name), text);
  await rm(join(world.directory, 'waybill.yaml'));
  const named = Object.keys(files).map((name) => join(world.directory, name));
  const answer = await run(['import', 'pupdate', ...named, '--project', world.directory, '--json'], { cwd: '/' });
  expect(answer.exitCode, answer.stdout).toBe(0);
  const password = encodeURIComponent(decodeURIComponent(new URL(world.env['WAREHOUSE_URL']!).password));
  for (const database of [mot, copy]) world.env[`${database.toUpperCase()}_PASSWORD`] = password;
  // The server is shared by many tests: control tables of its own.
  const yaml = join(world.directory, 'waybill.yaml');
  const project = parseDocument(await readFile(yaml, 'utf8'));
  for (const name of Object.keys((project.toJS() as { connections: object }).connections)) {
    project.setIn(['connections', name, 'control_schema'], `${world.names.prefix}waybill`);
  }
  await writeFile(yaml, project.toString());
  const validated = await run(['validate', '--project', world.directory, '--json'], { env: world.env });
  expect(validated.exitCode, validated.stdout).toBe(0);
  const { loads } = document(answer) as { loads: string[] };
  expect(document(validated)).toMatchObject({ loads: loads.length, warnings });
}
