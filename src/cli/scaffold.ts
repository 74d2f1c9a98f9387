import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

/** Shipped beside the code, like the control tables' SQL. */
const TEMPLATE = fileURLToPath(new URL('../../templates/project/', import.meta.url));
const SCHEMAS = fileURLToPath(new URL('../../schemas/', import.meta.url));

/** npm does not ship these under the names that they have in a project. */
const DOT_FILES: Record<string, string> = { gitignore: '.gitignore', 'env.example': '.env.example' };

/** Where a project keeps its copies of the JSON Schemas: they resolve wherever Waybill itself is installed, or not. */
const SCHEMAS_IN_PROJECT = '.waybill/schemas';

/** The files of a new project in this folder, by path. */
export async function newProject(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const file of await filesUnder(TEMPLATE)) {
    const text = await readFile(path.join(TEMPLATE, file), 'utf8');
    files.set(DOT_FILES[file] ?? file, text.replaceAll('PROJECT_NAME', stringify(projectName(folder)).trim()));
  }
  return new Map([...files, ...(await schemaFiles())]);
}

/** The JSON Schemas that an editor checks a project's files against. */
export async function schemaFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const file of await filesUnder(SCHEMAS)) {
    files.set(`${SCHEMAS_IN_PROJECT}/${file}`, await readFile(path.join(SCHEMAS, file), 'utf8'));
  }
  return files;
}

/** Made from the folder's name. */
export function projectName(folder: string): string {
  const name = path
    .basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return name === '' ? 'warehouse' : name;
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}
