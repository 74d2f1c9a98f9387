import type { Batch } from '../control/batch.ts';
import type { Chunk } from '../control/chunks.ts';
import { windowWhere } from '../control/conditions.ts';
import { describeSource, sourceName, sourceRows, withSource } from '../control/source.ts';
import { copyRows, SourceError } from '../copy/copy-rows.ts';
import { landingColumns, type LandingColumn } from '../copy/landing-columns.ts';
import type { ColumnFacts, Database, Session, TableFacts } from '../database/dialect.ts';
import { fromItem } from '../database/row-source.ts';
import { WaybillError } from '../errors.ts';
import { searchTable, type BadRows } from './bad-rows.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkOutcome, ChunkWork } from './chunk-transaction.ts';
import type { Engine } from './engine.ts';
import { acquisitionKey } from './plan-acquisition.ts';

/** Brings one range of the source's cursor into the landing table; the ledger row commits with the rows. */
export async function copyWork(engine: Engine, { database, batch }: BatchContext): Promise<ChunkWork> {
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
  const reader = new Reader(sourceDatabase, `waybill read ${batch.loadName}`);

  const bad =
    definition.onBadRow === 'quarantine' && key ? badRowsOfSource(sourceDatabase, batch, facts, key) : undefined;

  return source.connection === database.connection
    ? { run: insertChunk, close: () => Promise.resolve(), bad }
    : { ready: () => reader.ready(), run: copyChunk, close: () => reader.close(), bad };

  async function copyChunk(session: Session, chunk: Chunk): Promise<ChunkOutcome> {
    const select = selectOf(chunk, ({ select }) => select);
    return reader.use(async (from) => {
      const { read, written } = await copyRows(
        { dialect: sourceDatabase.dialect, session: from },
        { dialect: database.dialect, session },
        { select, table, columns: into, format },
      );
      if (read !== written) throw new WaybillError(`the source sent ${read} rows, ${written} were written`);
      return { rows: written, rowsRead: read };
    });
  }

  /**
   * Source and landing table in one database: no copy, and no second connection. Lanes that each hold one of the
   * connection's places while they wait for another could wait for each other for ever.
   */
  async function insertChunk(session: Session, chunk: Chunk): Promise<ChunkOutcome> {
    const names = into.map(({ name }) => name).join(', ');
    const text = `insert into ${table} (${names}) ${selectOf(chunk, ({ own }) => own)}`;
    const { rowCount } = await session.run({ text, values: [] });
    return { rows: rowCount, rowsRead: rowCount };
  }

  /** COPY binds nothing, so the range's bounds become literals: they come from the ledger, and are quoted. */
  function selectOf(chunk: Chunk, value: (column: LandingColumn) => string): string {
    const { dialect } = sourceDatabase;
    const literal = (value: unknown, cast?: string): string => {
      const text = dialect.quoteText(String(value));
      return cast ? dialect.sql.cast(text, cast) : text;
    };
    if (!key && (chunk.range.from !== null || chunk.range.to !== null)) {
      throw new WaybillError(`${sourceName(source)} has lost the primary key that it was cut by`, {
        next: 'put it back, or start the load again without it: the table is then read in one piece',
      });
    }
    const range = key ? dialect.rangeCondition('key', chunk.range, [key], literal) : 'true';
    const window =
      key && source.cursor
        ? dialect.windowCondition(key, { from: batch.windowFrom, to: batch.windowTo }, literal)
        : 'true';
    const values = columns.map(value).join(', ');
    const stamp = dialect.sql.cast(String(BigInt(batch.batchId)), dialect.castOf('batch id')!);
    return `select ${values}, ${stamp} from ${from} where (${window}) and (${range})`;
  }
}

/** Bad rows are searched where they come from, on connections of their own: the lane's may be in the middle of what failed. */
function badRowsOfSource(database: Database, batch: Batch, facts: TableFacts, key: ColumnFacts): BadRows | undefined {
  const from = batch.definition.from!;
  const window = { from: batch.windowFrom, to: batch.windowTo };
  const where = from.cursor ? windowWhere(database.dialect, key, window) : undefined;
  const table = sourceRows(from, database.dialect.sql);
  const bad = searchTable({ database, table, facts, method: 'key', key: [key], where, countsRead: true });
  return (
    bad && {
      ...bad,
      halve: (_, range) => withSource(database, batch.loadName, (session) => bad.halve(session, range)),
      rows: async (_, range) => {
        try {
          return await withSource(database, batch.loadName, (session) => bad.rows(session, range));
        } catch (error) {
          // The source itself cannot compute this row: where it lies is all that can be said.
          if (database.dialect.classify(error).because !== 'data') throw error;
          return [{ key: JSON.stringify({ [key.name]: range }), data: null }];
        }
      },
    }
  );
}

/** The lane's connection to the source: opened when it is first needed, replaced when it broke. Its errors are the source's. */
class Reader {
  private session: Session | undefined;

  constructor(
    private readonly source: Database,
    private readonly purpose: string,
  ) {}

  /** Opens it beforehand: a chunk's transaction must not lie idle while a place on the source is waited for. */
  async ready(): Promise<void> {
    await this.ofSource(async () => (this.session ??= await this.open()));
  }

  /** Runs `work` in a read-only transaction. */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.ofSource(() => this.begin());
    try {
      const value = await work(session);
      await this.ofSource(() => session.commit());
      return value;
    } catch (error) {
      await this.close(); // whatever it was at, the server ends with the connection
      throw error;
    }
  }

  async close(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    await session?.rollback();
    await session?.close();
  }

  private async begin(): Promise<Session> {
    if (this.session) {
      try {
        await this.session.begin({ readOnly: true });
        return this.session;
      } catch {
        this.session.destroy(); // it was cut while it lay idle between two chunks: a new one may do
        this.session = undefined;
      }
    }
    this.session = await this.open();
    await this.session.begin({ readOnly: true });
    return this.session;
  }

  private open(): Promise<Session> {
    return this.source.openSession(this.purpose, { reading: true });
  }

  private async ofSource<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new SourceError(error, this.source.dialect);
    }
  }
}
