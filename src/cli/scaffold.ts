import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { SCHEMA_ENDINGS, SERVER_TITLES, type DevServerKind } from './dev-server-kind.ts';

/** Shipped beside the code, like the control tables' SQL. */
const TEMPLATE = fileURLToPath(new URL('../../templates/project/', import.meta.url));
const SCHEMAS = fileURLToPath(new URL('../../schemas/', import.meta.url));

/** npm does not ship these under the names that they have in a project. */
const DOT_FILES: Record<string, string> = { gitignore: '.gitignore', 'env.example': '.env.example' };

/** Where a project keeps its copies of the JSON Schemas: they resolve wherever Waybill itself is installed, or not. */
const SCHEMAS_IN_PROJECT = '.waybill/schemas';

/** What the template says of each server, in the place of these words. */
const WORDS: Record<DevServerKind, Record<string, string>> = {
  postgres: {
    SERVER_TITLE: SERVER_TITLES.postgres,
    SERVER_URL: 'postgres://user:password@localhost:5432',
    LOOK: `psql "$WAREHOUSE_URL" -c 'select * from services.sales_by_day order by 1, 2'`,
  },
  mysql: {
    SERVER_TITLE: SERVER_TITLES.mysql,
    SERVER_URL: 'mysql://user:password@localhost:3306',
    LOOK: 'mysqlsh --sql "$WAREHOUSE_URL" -e \'select * from services.sales_by_day order by 1, 2, 3\'',
  },
  mariadb: {
    SERVER_TITLE: SERVER_TITLES.mariadb,
    SERVER_URL: 'mariadb://user:password@localhost:3306',
    LOOK: '# any client: $WAREHOUSE_URL has host, port and password',
  },
};

/** The files of a new project in this folder, by path: its tables and its words are those of that server. */
export async function newProject(folder: string, on: DevServerKind): Promise<Map<string, string>> {
  const words = { PROJECT_NAME: stringify(projectName(folder)).trim(), SQL_ENDING: SCHEMA_ENDINGS[on], ...WORDS[on] };
  const files = new Map<string, string>();
  for (const file of await filesUnder(TEMPLATE)) {
    const text = await readFile(path.join(TEMPLATE, file), 'utf8');
    const [, table] = /^(schema\/\w+)\./.exec(file) ?? [];
    // What stands there for MySQL does for MariaDB, too.
    if (table !== undefined && file.endsWith(SCHEMA_ENDINGS.mysql) !== (on !== 'postgres')) continue;
    const name = table === undefined ? (DOT_FILES[file] ?? file) : `${table}${SCHEMA_ENDINGS[on]}`;
    files.set(
      name,
      text.replaceAll(new RegExp(Object.keys(words).join('|'), 'g'), (word) => words[word as keyof typeof words]),
    );
  }
  return new Map([...files, ...(await schemaFiles())]);
}

/** What a project keeps out of git: its passwords above all. */
export const gitignore = (): Promise<string> => readFile(path.join(TEMPLATE, 'gitignore'), 'utf8');

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
