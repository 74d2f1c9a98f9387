import type { Batch } from '../control/batch.ts';
import type { BadRow } from '../control/bad-rows.ts';
import type { Chunk } from '../control/chunks.ts';
import { windowWhere } from '../control/conditions.ts';
import type { LaneKey } from '../control/lanes.ts';
import { describeSource, readsAnew, sourceName, sourceRows, withSource } from '../control/source.ts';
import { copyRows, SourceError } from '../copy/copy-rows.ts';
import { landingColumns, type LandingColumn } from '../copy/landing-columns.ts';
import {
  NULL_KEYS,
  type ChunkRange,
  type ColumnFacts,
  type Database,
  type Session,
  type TableFacts,
} from '../database/dialect.ts';
import { keepAwake } from '../database/keep-awake.ts';
import { fromItem } from '../database/row-source.ts';
import { WaybillError } from '../errors.ts';
import { searchTable, type BadRows } from './bad-rows.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkOutcome, ChunkWork } from './chunk-transaction.ts';
import type { Engine } from './engine.ts';
import { acquisitionKey } from './plan-acquisition.ts';
import { readerOf } from './source-reader.ts';

/** Brings one range of the source's cursor into the landing table; the ledger row commits with the rows. */
export async function copyWork(engine: Engine, context: BatchContext, at: LaneKey): Promise<ChunkWork> {
  const { database, batch } = context;
  const { definition } = batch;
  const source = definition.from!;
  const target = definition.outputs[0]!.table;
  const sourceDatabase = engine.databases.get(source.connection);
  const facts = await describeSource(sourceDatabase, definition, source);
  const { columns, format } = await landingColumns(sourceDatabase, facts, database, definition);
  const from = fromItem(sourceRows(source, sourceDatabase.dialect.sql), (name) =>
    sourceDatabase.dialect.quoteTable(name),
  );
  const key = await acquisitionKey(engine, definition);
  const table = database.dialect.quoteTable(target);
  const into = [...columns.map((column) => column.into), { name: 'batch_id' }];
  const reader = readerOf(sourceDatabase, context, at);

  const bad =
    definition.onBadRow === 'quarantine' && key.length > 0
      ? badRowsOfSource(sourceDatabase, batch, facts, key)
      : undefined;

  return source.connection === database.connection
    ? { run: insertChunk, leavesBehind: readsAnew(source, database.dialect.sql), close: () => Promise.resolve(), bad }
    : { ready: () => reader.ready(), run: copyChunk, close: () => reader.close(), bad };

  async function copyChunk(session: Session, chunk: Chunk): Promise<ChunkOutcome> {
    const select = selectOf(chunk, ({ select }) => select);
    return reader.use(async (from) =>
      proven(
        await copyRows(
          { dialect: sourceDatabase.dialect, session: from },
          { dialect: database.dialect, session },
          { select, table, columns: into, format },
        ),
      ),
    );
  }

  /**
   * Source and landing table in one database: no copy, and no second connection. Lanes that each hold one of the
   * connection's places while they wait for another could wait for each other for ever.
   */
  async function insertChunk(session: Session, chunk: Chunk): Promise<ChunkOutcome> {
    const names = into.map(({ name }) => name);
    const select = selectOf(chunk, ({ own }) => own);
    return proven(await database.dialect.insertRows(session, table, names, select));
  }

  /** COPY binds nothing, so the range's bounds become literals: they come from the ledger, and are quoted. */
  function selectOf(chunk: Chunk, value: (column: LandingColumn) => string): string {
    const { dialect } = sourceDatabase;
    const literal = (value: unknown, cast?: string): string => {
      const text = dialect.quoteText(String(value));
      return cast ? dialect.sql.cast(text, cast) : text;
    };
    if (!isCutBy(chunk.range, key)) {
      throw new WaybillError(`${sourceName(source)} has lost the primary key that it was cut by`, {
        next: 'put it back, or start the load again: the table is then cut by the key that it has now',
      });
    }
    const range = key.length > 0 ? dialect.rangeCondition('key', chunk.range, key, literal) : 'true';
    const window = source.cursor
      ? dialect.windowCondition(key[0]!, { from: batch.windowFrom, to: batch.windowTo }, literal)
      : 'true';
    const values = columns.map(value).join(', ');
    const stamp = dialect.sql.cast(String(BigInt(batch.batchId)), dialect.castOf('batch id')!);
    return `select ${values}, ${stamp} from ${from} where (${window}) and (${range})`;
  }
}

/** What a trigger or a setting of the target drops without an error would else be lost. */
function proven({ read, written }: { read: number; written: number }): ChunkOutcome {
  if (read !== written) throw new WaybillError(`the source sent ${read} rows, ${written} were written`);
  return { rows: written, rowsRead: read };
}

/** Whether the bounds of a range are of so many columns. Of another number of them, servers would compare something else. */
function isCutBy({ from, to }: ChunkRange, key: ColumnFacts[]): boolean {
  if (from === NULL_KEYS) return key.length > 0;
  return [from, to].every((bound) => bound === null || (JSON.parse(bound) as unknown[]).length === key.length);
}

/**
 * Bad rows are searched where they come from, on connections of their own: the lane's may be in the middle of what failed. Those take
 * the places of readers: lanes that each hold one of the others may wait for another for ever.
 */
function badRowsOfSource(database: Database, batch: Batch, facts: TableFacts, key: ColumnFacts[]): BadRows | undefined {
  const from = batch.definition.from!;
  const window = { from: batch.windowFrom, to: batch.windowTo };
  const where = from.cursor ? windowWhere(database.dialect, key[0]!, window) : undefined;
  const table = sourceRows(from, database.dialect.sql);
  const bad = searchTable({ database, table, facts, method: 'key', key, where, countsRead: true });
  const search = async <T>(lane: Session, work: (session: Session) => Promise<T>): Promise<T> => {
    try {
      return await keepAwake(lane, () => withSource(database, batch.definition, work, { reading: true }));
    } catch (error) {
      throw new SourceError(error, database.dialect);
    }
  };
  return (
    bad && {
      ...bad,
      halve: (lane, range) => search(lane, (session) => bad.halve(session, range)),
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
