import path from 'node:path';
import type { Chunk } from '../control/chunks.ts';
import { markFile } from '../control/source-files.ts';
import { pourRows, SourceError } from '../copy/copy-rows.ts';
import { CsvOut, readHeader } from '../copy/files/csv-file.ts';
import { CsvError } from '../copy/files/csv-rows.ts';
import { fileColumns } from '../copy/file-columns.ts';
import type { Session } from '../database/dialect.ts';
import { WaybillError } from '../errors.ts';
import type { BatchContext } from './batch-context.ts';
import { FileError, type ChunkOutcome, type ChunkWork } from './chunk-transaction.ts';
import type { Engine } from './engine.ts';

/** Brings one file into the landing table; what was read of it is marked in the transaction of its rows. */
export async function fileWork(engine: Engine, { database, batch }: BatchContext): Promise<ChunkWork> {
  const { definition } = batch;
  const { format } = definition.files!;
  const { directory } = await engine.loadProject();
  const { dialect } = database;
  const target = definition.outputs[0]!.table;
  const landing = await dialect.describeTable(database, target);
  if (!landing) throw new WaybillError(`${database.connection} has no table ${target}`);
  const stamp = String(BigInt(batch.batchId));

  return { run, close: () => Promise.resolve() };

  async function run(session: Session, chunk: Chunk): Promise<ChunkOutcome> {
    const name = chunk.range.from!;
    try {
      return await readFile(session, chunk.n, path.join(directory, name));
    } catch (error) {
      throw placed(name, error);
    }
  }

  async function readFile(session: Session, n: number, file: string): Promise<ChunkOutcome> {
    const header = await readHeader(file, format);
    const fit = header.length === 0 ? { columns: [], keep: [] } : fileColumns(header, landing!, dialect, definition);
    if ('problems' in fit) throw new CsvError(1, fit.problems.join('; '));
    let out: CsvOut | undefined;
    const { read, written } = await pourRows(
      {
        open: (listener) => (out = new CsvOut(file, format, { header, keep: fit.keep, end: `\t${stamp}\n` }, listener)),
        cut: () => out?.close(),
        dialect,
      },
      { dialect, session },
      { table: dialect.quoteTable(target), columns: [...fit.columns, { name: 'batch_id' }], format: 'text' },
    );
    if (read !== written) throw new WaybillError(`the file has ${read} rows, ${written} were written`);
    await markFile(session, database, { batchId: batch.batchId, n }, out!.mark());
    return { rows: written, rowsRead: read };
  }
}

/** Where in which file: the line of a text that is no CSV, the row that the server complains of. */
function placed(name: string, error: unknown): FileError {
  const cause = error instanceof SourceError ? error.cause : error;
  if (cause instanceof CsvError) return new FileError(`${name}:${cause.line}`, cause);
  // PostgreSQL's context: "COPY item, line 17, column amount: …", in lines of what it was sent
  const { where } = cause as { where?: unknown };
  const row = typeof where === 'string' ? /^COPY .*?, line (\d+)/.exec(where)?.[1] : undefined;
  return new FileError(row === undefined ? name : `${name}, row ${row}`, cause);
}
