import path from 'node:path';
import type { FileSource, LoadDefinition } from '../config/definition.ts';
import type { Reread } from '../config/reread.ts';
import { historyNames } from '../control/rename.ts';
import { publishedFiles, type PublishedFile, type SettledFile } from '../control/source-files.ts';
import { lookAt, markOf, readHeader, type FileState } from '../copy/files/csv-file.ts';
import { CsvError } from '../copy/files/csv-format.ts';
import { absent, findFiles } from '../copy/files/find-files.ts';
import { fileColumns } from '../copy/file-columns.ts';
import { planLanding, type LandingOrigin, type LandingPlan } from '../copy/plan-landing.ts';
import type { ColumnFacts, Database, Dialect, TableFacts } from '../database/dialect.ts';
import { ConfigurationError, LoadFailedError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { refused } from './failures.ts';
import { movedFiles } from './moved-files.ts';

/** What a new batch would read of the files that are there; or why nothing. `settled`: what was read to see that it is as it was. */
export type FileWork = ({ files: string[]; notes: LandingPlan['notes'] } | { nothing: string }) & {
  settled: SettledFile[];
};

/** Files that no published batch has read; with `full`, all. Throws where one was changed since, or does not fit. */
export async function findFileWork(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  source: FileSource,
  reread: Reread,
): Promise<FileWork> {
  const { directory } = await engine.loadProject();
  const { found, read, unread, files, moved } = await lookForFiles(directory, database, load, source, reread);
  const meant = source.patterns.join(', ');
  if (found.size === 0) return { nothing: `no file is ${meant}, on worker ${engine.worker}`, settled: [] };
  const settled = [...moved];
  const changed: string[] = [];
  for (const [name, state] of found) {
    const known = read.get(name);
    if (!known || (state.lasting !== undefined && state.lasting === known.state)) continue;
    const still = await isStill(directory, name, state, known);
    if (!still) changed.push(`${name} (batch ${known.batchId})`);
    else if (state.lasting !== undefined) {
      settled.push({ batchId: known.batchId, n: known.n, name, state: state.lasting });
    }
  }
  if (changed.length > 0) throw changedSince(changed, load);
  if (unread.length === 0) return { nothing: `every file of ${meant} has been read`, settled };
  const taken = new Set(files);
  const left = unread.filter((name) => !taken.has(name));
  const young = `${few(left)}: somebody wrote to it too short a while ago (from.lag)`;
  if (files.length === 0) return { nothing: young, settled };

  const headers = await headersOf(directory, files, load);
  const { table } = load.outputs[0]!;
  const landing = await database.dialect.describeTable(database, table);
  if (!landing && load.landing!.create && [...headers.values()].every((names) => names.length === 0)) {
    return { nothing: `no file of ${meant} has a header yet, of which ${table} could be made`, settled };
  }
  const { statements, notes } = planLanding(
    originOf(headers, meant, database.dialect),
    database.dialect,
    landing,
    load,
  );
  if (statements.length === 0) refuseHeaders(headers, landing, database, load);
  return { files, notes: left.length > 0 ? [...notes, { what: 'files_left', reason: young }] : notes, settled };
}

/** Of so many files the names are said: all of thousands are more than an event holds, or a person reads. */
const NAMED = 20;

function few(names: readonly string[]): string {
  const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}

interface FilesFound {
  found: Map<string, FileState>;
  /** What counts as read. */
  read: Map<string, PublishedFile>;
  unread: string[];
  /** Those of them that are old enough. */
  files: string[];
  /** Read, under names that are gone. */
  moved: SettledFile[];
}

async function lookForFiles(
  directory: string,
  database: Database,
  load: LoadDefinition,
  { patterns, lagMs }: FileSource,
  { full = false }: Reread,
): Promise<FilesFound> {
  const published = await publishedFiles(database, historyNames(load));
  const names = await findFiles(directory, patterns, (name) => published.has(name));
  const found = await statesOf(directory, names);
  const read = full ? new Map<string, PublishedFile>() : published;
  // Also where all are read again: the names under which they were read before are free for other files.
  const moved = await movedFiles(directory, found, published);
  const known = new Set(full ? [] : [...read.keys(), ...moved.map(({ name }) => name)]);
  const unread = [...found.keys()].filter((name) => !known.has(name));
  // Who still writes a file does so every now and then.
  const latest = Date.now() - lagMs;
  const files = lagMs === 0 ? unread : unread.filter((name) => found.get(name)!.writtenAt <= latest);
  return { found, read, unread, files, moved };
}

/** Of those that are still there. */
async function statesOf(directory: string, names: string[]): Promise<Map<string, FileState>> {
  const states = await Promise.all(names.map((name) => lookAt(path.join(directory, name)).catch(absent(name))));
  return new Map(names.flatMap((name, i) => (states[i] ? [[name, states[i]]] : [])));
}

/** Whether a file is what was read. One that went meanwhile is no other one. */
async function isStill(directory: string, name: string, { size }: FileState, known: PublishedFile): Promise<boolean> {
  if (size !== known.size) return false;
  const mark = await markOf(path.join(directory, name)).catch(absent(name));
  return mark === undefined || mark.sha256 === known.sha256;
}

function changedSince(changed: string[], load: LoadDefinition): Error {
  return refused(
    `${changed.length === 1 ? 'a file has' : `${changed.length} files have`} changed since a published batch read ` +
      `${changed.length === 1 ? 'it' : 'them'}: ${few(changed)}`,
    {
      where: load.file,
      next:
        'put it back as it was, or take it away, and give new rows a file of their own: then none is read twice. ' +
        `Under another name, or with all other files by waybill run ${load.name} --full, all its rows are read again`,
    },
  );
}

/** The columns of the files that `findFileWork` would give, all of them texts. */
export async function newFileColumns(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  source: FileSource,
  reread: Reread,
): Promise<LandingOrigin> {
  const { directory } = await engine.loadProject();
  const { files } = await lookForFiles(directory, database, load, source, reread);
  return originOf(await headersOf(directory, files, load), source.patterns.join(', '), database.dialect);
}

/** Files whose headers are read at once: each waits for its disk, or the network before it, and holds a piece of 256 KB. */
const HEADERS_AT_ONCE = 16;

/** Of each file, in their order; throws what the first of them has that cannot be read. */
async function headersOf(directory: string, files: string[], load: LoadDefinition): Promise<Map<string, string[]>> {
  const headers: string[][] = [];
  let next = 0;
  const bad: { i: number; error: unknown }[] = [];
  const read = async (): Promise<void> => {
    // Whoever stands before a bad one has been begun before it: once all have ended, the first of these is known.
    while (next < files.length && bad.length === 0) {
      const i = next++;
      try {
        headers[i] = await readHeader(path.join(directory, files[i]!), load.files!.format);
      } catch (error) {
        bad.push({ i, error });
      }
    }
  };
  await Promise.all(Array.from({ length: HEADERS_AT_ONCE }, read));
  const [first] = bad.sort((one, other) => one.i - other.i);
  if (first) throw unreadable(files[first.i]!, first.error, load);
  return new Map(files.map((name, i) => [name, headers[i]!]));
}

function unreadable(name: string, error: unknown, load: LoadDefinition): Error {
  const line = error instanceof CsvError ? `:${error.line}` : '';
  return new LoadFailedError(`${name}${line}: ${(error as Error).message}`, {
    where: load.file,
    next: 'mend the file, or take it away; no batch was opened',
    cause: error,
  });
}

function originOf(headers: Map<string, string[]>, meant: string, { sql }: Pick<Dialect, 'sql'>): LandingOrigin {
  const names: string[] = [];
  const known = new Set<string>();
  for (const header of headers.values()) {
    // As the first file writes them; two of one file that are one column stay, to be refused.
    names.push(...header.filter((name) => !known.has(sql.foldColumn(name))));
    for (const name of header) known.add(sql.foldColumn(name));
  }
  const text = { type: 'text', castType: 'text', nullable: true, hasDefault: false, generated: false };
  const columns = names.map((name): ColumnFacts => ({ name, ...text }));
  return {
    dialect: { shapeOf: () => ({ kind: 'text' }), sql },
    facts: { table: meant, kind: 'files', columns, indexes: [] },
  };
}

function refuseHeaders(
  headers: Map<string, string[]>,
  landing: TableFacts | undefined,
  { connection, dialect }: Database,
  load: LoadDefinition,
): void {
  const table = load.outputs[0]!.table;
  if (!landing) {
    throw new ConfigurationError(`${connection} has no table ${table}`, {
      where: load.file,
      next: 'create it, or have it made: to.create',
    });
  }
  for (const [name, header] of headers) {
    if (header.length === 0) continue; // an empty file
    const fit = fileColumns(header, landing, dialect, load);
    if (!('problems' in fit)) continue;
    throw new LoadFailedError(`${name}:1: ${fit.problems.join('; ')}`, {
      where: load.file,
      next: `change ${table} or the file; or let the load say what becomes of new columns: to.on_new_columns`,
    });
  }
}
