import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { FileSource, LoadDefinition } from '../config/definition.ts';
import type { Reread } from '../config/reread.ts';
import { publishedFiles, type PublishedFile } from '../control/source-files.ts';
import { markOf, readHeader } from '../copy/files/csv-file.ts';
import { CsvError } from '../copy/files/csv-rows.ts';
import { findFiles } from '../copy/files/find-files.ts';
import { fileColumns } from '../copy/file-columns.ts';
import { planLanding, type LandingOrigin, type LandingPlan } from '../copy/plan-landing.ts';
import type { ColumnFacts, Database, TableFacts } from '../database/dialect.ts';
import { ConfigurationError, LoadFailedError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { refused } from './failures.ts';

/** What a new batch would read of the files that are there; or why nothing. */
export type FileWork = { files: string[]; notes: LandingPlan['notes'] } | { nothing: string };

/** Files that no published batch has read; with `full`, all. Throws where one was changed since, or does not fit. */
export async function findFileWork(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  { patterns }: FileSource,
  reread: Reread,
): Promise<FileWork> {
  const { directory } = await engine.loadProject();
  const found = await findFiles(directory, patterns);
  const meant = patterns.join(', ');
  if (found.length === 0) return { nothing: `no file is ${meant}, on worker ${engine.worker}` };
  const read = reread.full === true ? new Map<string, PublishedFile>() : await publishedFiles(database, load.name);
  const changed: string[] = [];
  for (const name of found) {
    const known = read.get(name);
    if (known && !(await isStill(path.join(directory, name), known))) changed.push(`${name} (batch ${known.batchId})`);
  }
  if (changed.length > 0) throw changedSince(changed, load);
  const files = found.filter((name) => !read.has(name));
  if (files.length === 0) return { nothing: `every file of ${meant} has been read` };

  const headers = await headersOf(directory, files, load);
  const landing = await database.dialect.describeTable(database, load.outputs[0]!.table);
  const { statements, notes } = planLanding(originOf(headers, meant), database.dialect, landing, load);
  if (statements.length === 0) refuseHeaders(headers, landing, database, load);
  return { files, notes };
}

async function isStill(file: string, { size, sha256 }: PublishedFile): Promise<boolean> {
  if ((await stat(file)).size !== size) return false;
  return (await markOf(file)).sha256 === sha256;
}

function changedSince(changed: string[], load: LoadDefinition): Error {
  return refused(
    `${changed.length === 1 ? 'a file has' : `${changed.length} files have`} changed since a published batch read ` +
      `${changed.length === 1 ? 'it' : 'them'}: ${changed.join(', ')}`,
    {
      where: load.file,
      next:
        'give new rows a file of their own, or a changed file another name; or read all files again, ' +
        `rows that were read before too: waybill run ${load.name} --full`,
    },
  );
}

/** The columns of files that no published batch has read, all of them texts. */
export async function newFileColumns(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  { patterns }: FileSource,
): Promise<LandingOrigin> {
  const { directory } = await engine.loadProject();
  const read = await publishedFiles(database, load.name);
  const files = (await findFiles(directory, patterns)).filter((name) => !read.has(name));
  return originOf(await headersOf(directory, files, load), patterns.join(', '));
}

async function headersOf(directory: string, files: string[], load: LoadDefinition): Promise<Map<string, string[]>> {
  const headers = new Map<string, string[]>();
  for (const name of files) {
    try {
      headers.set(name, await readHeader(path.join(directory, name), load.files!.format));
    } catch (error) {
      const line = error instanceof CsvError ? `:${error.line}` : '';
      throw new LoadFailedError(`${name}${line}: ${(error as Error).message}`, {
        where: load.file,
        next: 'mend the file, or take it away; no batch was opened',
        cause: error,
      });
    }
  }
  return headers;
}

function originOf(headers: Map<string, string[]>, meant: string): LandingOrigin {
  const names = [...new Set([...headers.values()].flat())];
  const text = { type: 'text', castType: 'text', nullable: true, hasDefault: false, generated: false };
  const columns = names.map((name): ColumnFacts => ({ name, ...text }));
  return {
    dialect: { shapeOf: () => ({ kind: 'text' }) },
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
