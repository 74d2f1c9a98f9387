import { lstat, mkdir, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { ConfigurationError } from '../errors.ts';

/** Shipped beside the code, like the control tables' SQL. */
const TEMPLATE = fileURLToPath(new URL('../../templates/project/', import.meta.url));
const SCHEMAS = fileURLToPath(new URL('../../schemas/', import.meta.url));

/** npm does not ship these under the names that they have in a project. */
const DOT_FILES: Record<string, string> = { gitignore: '.gitignore', 'env.example': '.env.example' };

/** Where a project keeps its copies of the JSON Schemas: they resolve wherever Waybill itself is installed, or not. */
const SCHEMAS_IN_PROJECT = '.waybill/schemas';

/** The files of a new project in this folder, by path. */
async function projectFiles(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const file of await filesUnder(TEMPLATE)) {
    const text = await readFile(path.join(TEMPLATE, file), 'utf8');
    files.set(DOT_FILES[file] ?? file, text.replaceAll('PROJECT_NAME', projectName(folder)));
  }
  for (const file of await filesUnder(SCHEMAS)) {
    files.set(`${SCHEMAS_IN_PROJECT}/${file}`, await readFile(path.join(SCHEMAS, file), 'utf8'));
  }
  return files;
}

/** Made from the folder's name, and fit for YAML as it stands. */
function projectName(folder: string): string {
  const name = path
    .basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return stringify(name === '' ? 'warehouse' : name).trim();
}

/**
 * Writes a new project; the paths of its files, in order. All of them or none: what is there already is never touched.
 * Throws `ConfigurationError` where a file is in the way, or the folder cannot be written to.
 */
export async function scaffold(folder: string): Promise<string[]> {
  const files = await projectFiles(folder);
  const names = [...files.keys()].sort();
  const made: string[] = [];
  try {
    await refuseExisting(folder, names);
    for (const name of names) {
      const file = path.join(folder, name);
      await makeFolder(path.dirname(file), made);
      await writeFile(file, files.get(name)!, { flag: 'wx' }); // somebody may be faster than our look
      made.push(file);
    }
  } catch (error) {
    await takeBack(made);
    throw isSystemError(error) ? cannotWrite(folder, error) : error;
  }
  return names;
}

async function refuseExisting(folder: string, names: string[]): Promise<void> {
  const there: string[] = [];
  for (const name of names) if (await exists(path.join(folder, name))) there.push(name);
  if (there.length === 0) return;
  const are = there.length === 1 ? 'is a file that init would write' : 'are files that init would write';
  throw new ConfigurationError(`${there.join(', ')} ${are}, and nothing is overwritten`, {
    where: folder,
    next: `name a folder without ${there.length === 1 ? 'it' : 'them'}: waybill init DIR`,
  });
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/**
 * Makes the folder and those above it, and notes each that was not there. Node's own recursive mkdir never comes back from a
 * file system that lets nobody make folders (/proc).
 */
async function makeFolder(folder: string, made: string[]): Promise<void> {
  if (await isFolder(folder)) return;
  if (!(await exists(path.dirname(folder)))) await makeFolder(path.dirname(folder), made);
  await mkdir(folder);
  made.push(folder);
}

const isFolder = (folder: string): Promise<boolean> =>
  stat(folder).then(
    (info) => info.isDirectory(),
    () => false,
  );

/** Newest first, so that folders are empty; a folder into which somebody else has put something stays. */
async function takeBack(made: string[]): Promise<void> {
  for (const each of made.sort().reverse()) {
    const info = await lstat(each).catch(() => undefined);
    await (info?.isDirectory() === true ? rmdir(each) : rm(each, { force: true })).catch(() => undefined);
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no folder can be made there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'there is a file where a folder is needed',
  EEXIST: 'there is a file where a folder is needed',
  ENAMETOOLONG: 'the name is too long',
};

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function cannotWrite(folder: string, error: NodeJS.ErrnoException): ConfigurationError {
  return new ConfigurationError(
    `no project can be written to ${folder}: ${REASONS[error.code ?? ''] ?? error.message}`,
    {
      where: error.path,
      next: 'name another folder: waybill init DIR',
      cause: error,
    },
  );
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}
