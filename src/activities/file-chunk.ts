import path from 'node:path';
import type { Chunk } from '../control/chunks.ts';
import type { LaneKey } from '../control/lanes.ts';
import { plannedStage } from '../control/planned-with.ts';
import { markFile, otherPendingFiles } from '../control/source-files.ts';
import { pourRows, SourceError, type RowsIn, type RowsOut } from '../copy/copy-rows.ts';
import { CsvOut, FileTrouble, readHeader, readPieces, stateOf, type FileMark } from '../copy/files/csv-file.ts';
import { CsvError } from '../copy/files/csv-format.ts';
import { fileColumns, type FileColumns } from '../copy/file-columns.ts';
import { isOwn } from '../copy/landing-columns.ts';
import type { ColumnFacts, Dialect, Session, TableFacts } from '../database/dialect.ts';
import { WaybillError } from '../errors.ts';
import type { BatchContext } from './batch-context.ts';
import { FileError } from './chunk-errors.ts';
import type { ChunkOutcome, ChunkWork } from './chunk-transaction.ts';
import type { Engine } from './engine.ts';
import { FileQuarantine } from './file-quarantine.ts';
import { FileSizes } from './file-sizes.ts';
import { provingTarget } from './proving-target.ts';

/** What was read of a file, and written. */
interface Brought {
  read: number;
  written: number;
  mark: FileMark;
}

/** The table that files go into, as it is now. */
export async function landingOfFiles({ database, batch }: BatchContext): Promise<TableFacts> {
  const target = batch.definition.outputs[0]!.table;
  const landing = await database.dialect.describeTable(database, target);
  if (!landing) throw new WaybillError(`${database.connection} has no table ${target}`);
  return landing;
}

/** Its columns that a file may fill. */
export const filledByFiles = ({ columns }: TableFacts, { sql }: Pick<Dialect, 'sql'>): ColumnFacts[] =>
  columns.filter(({ name }) => !isOwn(name, sql));

/** Brings one file into the landing table; what was read of it is marked in the transaction of its rows. */
export async function fileWork(engine: Engine, context: BatchContext, at: LaneKey): Promise<ChunkWork> {
  const { stage } = at;
  const { database, batch } = context;
  const { batchId, definition } = batch;
  const { format } = definition.files!;
  const { directory } = await engine.loadProject();
  const { dialect } = database;
  const target = definition.outputs[0]!.table;
  const landing = await landingOfFiles(context);
  const { target: planned = filledByFiles(landing, dialect) } = await plannedStage(database, at);
  const end = `\t${BigInt(batchId)}\n`;
  const sizes = new FileSizes(directory);

  return provingTarget(context, planned, { run, close: () => Promise.resolve() });

  async function run(session: Session, { n, range }: Chunk): Promise<ChunkOutcome> {
    const name = range.from!;
    const file = path.join(directory, name);
    try {
      const before = await stateOf(file);
      const { read, written, mark } = await bring(session, n, name, before.size);
      const after = await stateOf(file);
      if (after.version !== before.version) throw new FileTrouble(WRITTEN_TO, { next: RENAME_WHOLE });
      const state = (after.lasting === before.lasting ? before.lasting : undefined) ?? before.version;
      await markFile(session, database, { batchId, n }, { ...mark, state });
      return { rows: written, rowsRead: read };
    } catch (error) {
      throw placed(name, error, engine.worker);
    }
  }

  async function bring(session: Session, n: number, name: string, size: number): Promise<Brought> {
    const file = path.join(directory, name);
    const header = await readHeader(file, format);
    const fit = header.length === 0 ? NO_COLUMNS : fileColumns(header, landing, dialect, definition);
    if ('problems' in fit) throw new CsvError(1, fit.problems.join('; '));
    const { columns, keep, checks } = fit;
    const shape = { header, keep, checks, end };
    const into: RowsIn = {
      table: dialect.quoteTable(target),
      columns: [...columns, { name: 'batch_id' }],
      format: 'text',
    };
    const pour = (rows: Omit<RowsOut, 'dialect'>) => pourRows({ ...rows, dialect }, { dialect, session }, into);
    return definition.onBadRow === 'quarantine' ? bringCarefully() : bringWhole();

    async function bringWhole(): Promise<Brought> {
      let out: CsvOut | undefined;
      const { read, written } = await pour({
        open: (listener) => (out = new CsvOut(file, format, shape, listener)),
        cut: () => out?.close(),
      });
      if (read !== written) throw new WaybillError(`the file has ${read} rows, ${written} were written`);
      return { read, written, mark: out!.mark() };
    }

    function bringCarefully(): Promise<Brought> {
      const chunk = { batchId, stage, n };
      return new FileQuarantine(session, context, {
        name,
        size,
        chunk,
        columns: header.filter((_, i) => keep[i]),
        read: (taker) => readPieces(file, format, shape, taker),
        others: async () => sizes.of(await otherPendingFiles(session, database, chunk), name),
        pour: async (rows, count) => (await pour(oncePoured(rows, count))).written,
      }).run();
    }
  }
}

const NO_COLUMNS: FileColumns = { columns: [], keep: [], checks: [] };

/** These rows, and no more. */
const oncePoured = (rows: Buffer, count: number): Omit<RowsOut, 'dialect'> => ({
  open: (listener) => {
    listener.data(rows);
    listener.done(count);
    return { missing: 0, pause: () => undefined, resume: () => undefined };
  },
  cut: () => undefined,
});

const WRITTEN_TO = 'it was written to while it was read';
/** It may be a part of what somebody is still writing. */
const RENAME_WHOLE =
  'write files under another name and rename them when they are whole, or set from.lag; then start the load again';
const MEND = 'mend the file, then start the load again';

/** Where in which file: the line of a text that is no CSV, the row that the server complains of. */
function placed(name: string, error: unknown, worker: string): FileError {
  const cause = error instanceof SourceError ? error.cause : error;
  if (cause instanceof CsvError) return new FileError(`${name}:${cause.line}`, cause, cause.next ?? MEND);
  if (cause instanceof FileTrouble) {
    return new FileError(
      `${name}, on worker ${worker}`,
      cause,
      cause.next ?? `${MEND}: every worker needs the same files`,
    );
  }
  // PostgreSQL's context: "COPY item, line 17, column amount: …", in lines of what it was sent
  const { where } = cause as { where?: unknown };
  const row = typeof where === 'string' ? /^COPY .*?, line (\d+)/.exec(where)?.[1] : undefined;
  return new FileError(row === undefined ? name : `${name}, row ${row}`, cause);
}
