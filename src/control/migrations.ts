/** The files of `migrations/<dialect>/`, shipped beside the code. */
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Database } from '../database/dialect.ts';

/** One numbered file, `NNN.<name>.sql`. */
export interface Migration {
  version: number;
  name: string;
  checksum: string;
  text: string;
}

const directoryOf = ({ dialect }: Database): string =>
  fileURLToPath(new URL(`../../migrations/${dialect.name}/`, import.meta.url));

const filesOf = async (database: Database): Promise<string[]> =>
  (await readdir(directoryOf(database))).filter((file) => /^\d{3}\..*\.sql$/.test(file)).sort();

const versionOf = (file: string): number => Number(file.slice(0, 3));

/** All of them, in their order. */
export async function readMigrations(database: Database): Promise<Migration[]> {
  const directory = directoryOf(database);
  return Promise.all(
    (await filesOf(database)).map(async (name) => {
      const text = await readFile(`${directory}${name}`, 'utf8');
      const checksum = createHash('sha256').update(text).digest('hex');
      return { version: versionOf(name), name, checksum, text };
    }),
  );
}

const newest = new Map<string, Promise<number>>();

/** The version of the control tables that this program knows. Looked up once: it is asked for at each start of a load. */
export function newestVersion(database: Database): Promise<number> {
  const { name } = database.dialect;
  const found = newest.get(name) ?? filesOf(database).then((files) => Math.max(0, ...files.map(versionOf)));
  newest.set(name, found);
  return found;
}
