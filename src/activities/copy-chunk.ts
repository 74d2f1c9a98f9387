import type { Batch } from '../control/batch.ts';
import type { BadRow } from '../control/bad-rows.ts';
import type { Chunk } from '../control/chunks.ts';
import { windowWhere } from '../control/conditions.ts';
import type { LaneKey } from '../control/lanes.ts';
import { plannedAcquisition, sourceChange } from '../control/planned-with.ts';
import { describeSource, readsAnew, sourceName, sourceRows } from '../control/source.ts';
import { copyRows, SourceError } from '../copy/copy-rows.ts';
import { landingColumns, type LandingColumn } from '../copy/landing-columns.ts';
import type { CopyFormat } from '../database/copy-stream.ts';
import type { ColumnFacts, Database, Session, TableFacts } from '../database/dialect.ts';
import { keepAwake } from '../database/keep-awake.ts';
import { fromItem, nameOfRows } from '../database/row-source.ts';
import { WaybillError } from '../errors.ts';
import { columnNamed } from '../sql/names.ts';
import { searchTable, type BadRows } from './bad-rows.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkOutcome, ChunkWork } from './chunk-transaction.ts';
import type { Engine } from './engine.ts';
import { provingTarget } from './proving-target.ts';
import { readerOf, type SourceReader } from './source-reader.ts';

/** Brings one range of the source's cursor into the landing table; the ledger row commits with the rows. */
export async function copyWork(
  engine: Engine,
  context: BatchContext,
  at: LaneKey,
  signal: AbortSignal,
): Promise<ChunkWork> {
  const { database, batch } = context;
  const { definition } = batch;
  const source = definition.from!;
  const target = definition.outputs[0]!.table;
  const sourceDatabase = engine.databases.get(source.connection);
  const rows = sourceRows(source, sourceDatabase.dialect.sql);
  const planned = await plannedAcquisition(database, at);
  const { key } = planned;
  const copied = await copiedColumns(sourceDatabase, nameOfRows(rows), context, planned.source);
  const { columns, format, filled, isIgnored } = copied;
  const from = fromItem(rows, (name) => sourceDatabase.dialect.quoteTable(name));
  const table = database.dialect.quoteTable(target);
  const into = [...columns.map((column) => column.into), { name: 'batch_id' }];
  const reader = readerOf(sourceDatabase, context, at, signal);

  const bad =
    definition.onBadRow === 'quarantine' && key.length > 0
      ? badRowsOfSource(sourceDatabase, batch, await describeSource(sourceDatabase, definition, source), key, reader)
      : undefined;
  const cut = (): void => reader.cut();
  const close = (): Promise<void> => reader.close();

  const work: ChunkWork =
    source.connection === database.connection
      ? {
          run: insertChunk,
          leavesBehind: readsAnew(source, database.dialect.sql),
          cut,
          close,
          bad: bad && { ...bad, close },
        }
      : { ready: () => reader.ready(), run: copyChunk, cut, close, bad };
  return provingTarget(context, planned.target ?? filled, work);

  async function copyChunk(session: Session, chunk: Chunk): Promise<ChunkOutcome> {
    const select = selectOf(chunk, ({ select }) => select);
    let brought: { outcome: ChunkOutcome } | { refused: unknown };
    try {
      brought = await reader.use(async (from) => {
        let proof: Promise<void> | undefined;
        // Not once the target is done, too: the source may end a connection that lies idle for so long.
        const sent = (): void => {
          proof = proveSource(from).then(() => reader.prove(from));
          proof.catch(() => undefined); // the target's error comes first
        };
        try {
          const counts = await copyRows(
            { dialect: sourceDatabase.dialect, session: from },
            { dialect: database.dialect, session },
            { select, table, columns: into, format, sent },
          );
          await proof;
          return { outcome: proven(counts) };
        } catch (error) {
          // The source has done its part, and its connection is as good as new: with a new one for each piece, a search takes for ever.
          if (await isDone(proof)) return { refused: error };
          throw error;
        }
      });
    } catch (error) {
      throw (await behind(error)) ?? error;
    }
    if ('outcome' in brought) return brought.outcome;
    throw brought.refused;
  }

  /**
   * Source and landing table in one database: no copy, and no second connection. Lanes that each hold one of the
   * connection's places while they wait for another could wait for each other for ever.
   */
  async function insertChunk(session: Session, chunk: Chunk): Promise<ChunkOutcome> {
    const names = into.map(({ name }) => name);
    const select = selectOf(chunk, ({ own }) => own);
    const outcome = proven(await database.dialect.insertRows(session, table, names, select));
    await proveSource(session);
    return outcome;
  }

  /** In the transaction that has read a chunk: nobody has changed the columns of the source before that, and nobody can until it ends. */
  async function proveSource(session: Session): Promise<void> {
    const { dialect } = sourceDatabase;
    let now: ColumnFacts[] | undefined;
    try {
      now =
        typeof rows === 'string'
          ? await dialect.columnsRead(sourceDatabase, session, rows)
          : await dialect.describeQuery(session, rows.query);
    } catch (error) {
      throw new SourceError(error, dialect);
    }
    const changed = changeOfSource(now);
    if (changed) throw changed;
  }

  function changeOfSource(now: ColumnFacts[] | undefined): WaybillError | undefined {
    const change = now && sourceChange(planned, now, isIgnored);
    if (change === undefined) return undefined;
    return new WaybillError(`${sourceName(source)} has changed since the batch was planned: ${change}`, {
      next: 'start the load again: all of the batch is then read from the source as it is',
    });
  }

  /** What a server says of a column that is gone, or of values that are others, is no error of a row. The reader is closed by then. */
  async function behind(error: unknown): Promise<WaybillError | undefined> {
    const { kind } = error instanceof SourceError ? error.facts : database.dialect.classify(error);
    if (kind !== 'permanent' || error instanceof WaybillError || typeof rows !== 'string') return undefined;
    const now = await sourceDatabase.dialect.describeTable(sourceDatabase, rows).catch(() => undefined);
    return changeOfSource(now?.columns);
  }

  /** COPY binds nothing, so the range's bounds become literals: they come from the ledger, and are quoted. */
  function selectOf(chunk: Chunk, value: (column: LandingColumn) => string): string {
    const { dialect } = sourceDatabase;
    const literal = (value: unknown, cast?: string): string => {
      const text = dialect.quoteText(String(value));
      return cast ? dialect.sql.cast(text, cast) : text;
    };
    const range = key.length > 0 ? dialect.rangeCondition('key', chunk.range, key, literal) : 'true';
    const window = source.cursor
      ? dialect.windowCondition(key[0]!, { from: batch.windowFrom, to: batch.windowTo }, literal)
      : 'true';
    const values = columns.map(value).join(', ');
    const stamp = dialect.sql.cast(String(BigInt(batch.batchId)), dialect.castOf('batch id')!);
    return `select ${values}, ${stamp} from ${from} where (${window}) and (${range})`;
  }
}

async function isDone(proof: Promise<void> | undefined): Promise<boolean> {
  if (proof === undefined) return false;
  return proof.then(
    () => true,
    () => false,
  );
}

/** What a trigger or a setting of the target drops without an error would else be lost. */
function proven({ read, written }: { read: number; written: number }): ChunkOutcome {
  if (read !== written) throw new WaybillError(`the source sent ${read} rows, ${written} were written`);
  return { rows: written, rowsRead: read };
}

interface Copied {
  columns: LandingColumn[];
  format: CopyFormat;
  /** Those of the landing table that they go into, in its order. */
  filled: ColumnFacts[];
  isIgnored: (column: ColumnFacts) => boolean;
}

/** Those that the batch was planned to copy, whatever the landing table has got since. */
async function copiedColumns(
  sourceDatabase: Database,
  name: string,
  { database, batch }: BatchContext,
  { columns: all, copied }: { columns: ColumnFacts[]; copied: string[] },
): Promise<Copied> {
  const facts = { table: name, kind: 'planned', columns: all, indexes: [] };
  const { columns, format, target } = await landingColumns(sourceDatabase, facts, database, batch.definition);
  const lost = copied.find((one) => !columns.some((column) => column.name === one));
  if (lost !== undefined) {
    throw new WaybillError(`${target.table} takes no ${lost} any more, which this batch had begun to copy`, {
      next: 'put the column back, or start the load again',
    });
  }
  const ignores = batch.definition.landing?.onNewColumns === 'ignore';
  return {
    columns: columns.filter((column) => copied.includes(column.name)),
    format,
    filled: target.columns.filter(({ name }) => copied.includes(name)),
    isIgnored: ({ name }) => ignores && !columnNamed(target.columns, name, database.dialect.sql),
  };
}

/**
 * Bad rows are searched where they come from, on the reader's connection: the lane's may be in the middle of what failed, and lanes that
 * each hold one of the others may wait for another for ever.
 */
function badRowsOfSource(
  database: Database,
  batch: Batch,
  facts: TableFacts,
  key: ColumnFacts[],
  reader: SourceReader,
): BadRows | undefined {
  const from = batch.definition.from!;
  const window = { from: batch.windowFrom, to: batch.windowTo };
  const where = from.cursor ? windowWhere(database.dialect, key[0]!, window) : undefined;
  const table = sourceRows(from, database.dialect.sql);
  const bad = searchTable({ database, table, facts, method: 'key', key, where, countsRead: true });
  const search = async <T>(lane: Session, work: (session: Session) => Promise<T>): Promise<T> => {
    try {
      return await keepAwake(lane, () => reader.use(work));
    } catch (error) {
      throw error instanceof SourceError ? error : new SourceError(error, database.dialect);
    }
  };
  return (
    bad && {
      countsRead: true,
      count: (lane, range) => search(lane, (session) => bad.count!(session, range)),
      cut: (lane, range) => search(lane, (session) => bad.cut(session, range)),
      rows: async (lane, range) => {
        const rowsOf = (keyOnly: boolean): Promise<BadRow[]> =>
          search(lane, (session) => bad.rows(session, range, keyOnly));
        try {
          return await rowsOf(false);
        } catch (error) {
          if (!(error instanceof SourceError && error.facts.because === 'data')) throw error;
          return rowsOf(true); // the source itself cannot compute this row, but for what it was cut by
        }
      },
    }
  );
}
