import { copyRows, SourceError } from '../copy/copy-rows.ts';
import { landingColumns, type ColumnPair } from '../copy/landing-columns.ts';
import type { Chunk } from '../control/chunks.ts';
import type { Session } from '../database/dialect.ts';
import { WaybillError } from '../errors.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkWork } from './chunk-transaction.ts';
import type { Engine } from './engine.ts';
import { acquisitionKey } from './plan-acquisition.ts';

/** Copies one range of the source's cursor into the landing table; the ledger row commits with the rows. */
export async function copyWork(engine: Engine, { database, batch }: BatchContext): Promise<ChunkWork> {
  const { definition } = batch;
  const source = definition.from!;
  const target = definition.outputs[0]!.table;
  const sourceDatabase = engine.databases.get(source.connection);
  const { pairs, format } = await landingColumns(sourceDatabase, source.table, database, target, definition.file);
  const key = await acquisitionKey(engine, definition);
  let reader: Session | undefined;

  const read = async (): Promise<Session> => {
    if (reader) return reader;
    try {
      reader = await sourceDatabase.openSession(`waybill read ${batch.loadName}`);
      return reader;
    } catch (error) {
      throw new SourceError(error);
    }
  };

  return {
    run: async (session, chunk) => {
      const from = await read();
      try {
        await from.begin({ readOnly: true });
        const select = selectOf(chunk, batch.batchId, pairs);
        const { read, written } = await copyRows(from, session, {
          select,
          table: database.dialect.quoteTable(target),
          columns: [...pairs.map((pair) => database.dialect.quoteName(pair.name)), 'batch_id'],
          format,
        });
        if (read !== written) throw new WaybillError(`the source sent ${read} rows, ${written} were written`);
        await from.commit();
        return { rows: written, rowsRead: read };
      } catch (error) {
        await from.rollback();
        await from.close();
        reader = undefined;
        throw error;
      }
    },
    close: async () => reader?.close(),
  };

  /** COPY binds nothing, so the range's bounds become literals: they come from the ledger, and are quoted. */
  function selectOf(chunk: Chunk, batchId: string, columns: ColumnPair[]): string {
    const { dialect } = sourceDatabase;
    const literal = (value: unknown, cast?: string): string => {
      const text = dialect.quoteText(String(value));
      return cast ? dialect.sql.cast(text, cast) : text;
    };
    const range = key ? dialect.rangeCondition('key', chunk.range, [key], literal) : 'true';
    const window =
      key && source.cursor
        ? dialect.windowCondition(key, { from: batch.windowFrom, to: batch.windowTo }, literal)
        : 'true';
    const names = columns.map((pair) => dialect.quoteName(pair.name)).join(', ');
    const stamp = dialect.sql.cast(String(BigInt(batchId)), dialect.castOf('batch id')!);
    return `select ${names}, ${stamp} from ${dialect.quoteTable(source.table)} where (${window}) and (${range})`;
  }
}
