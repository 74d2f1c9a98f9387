import type { StageDefinition } from '../config/definition.ts';
import { readSnapshots, type SnapshotRecord } from '../control/snapshots.ts';
import type { ChunkMethod, ColumnFacts, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { WaybillError } from '../errors.ts';
import { renderForBatch, type Cut } from '../sql/batch-sql.ts';
import { parseStatements, type Statement } from '../sql/statement.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkWork } from './chunk-transaction.ts';

/** The user's statements of a stage, cut to one chunk. */
export async function sqlWork(context: BatchContext, n: number, key: ColumnFacts[]): Promise<ChunkWork> {
  const { database, batch } = context;
  const stage = batch.definition.stages[n - 1]!;
  const statements = stage.sql.flatMap((source) => parseStatements(source, database.dialect.sql));
  const method = await methodOf(context, n);
  const snapshots = await readSnapshots(database, database, batch.batchId);
  const cutSnapshot = snapshots.find((record) => record.table === stage.chunk?.input);
  const countsRead = cutSnapshot !== undefined && isFirstCutBy(context, n, stage);
  return {
    run: async (session, chunk) => {
      const cut: Cut = { method, range: chunk.range, key };
      await applySettings(session, batch.definition.sessionParams);
      const rows = await runStatements(session, context, stage, statements, cut);
      const rowsRead = await proveSnapshots(session, context, snapshots, countsRead ? cutSnapshot : undefined, cut);
      return { rows, rowsRead };
    },
    close: () => Promise.resolve(),
  };
}

/** The first stage that an input cuts counts the rows read of it; later ones read them again. */
function isFirstCutBy({ batch }: BatchContext, n: number, stage: StageDefinition): boolean {
  return batch.definition.stages.findIndex((other) => other.chunk?.input === stage.chunk?.input) === n - 1;
}

async function methodOf({ database, batch }: BatchContext, n: number): Promise<ChunkMethod> {
  const { rows } = await database.query<{ method: ChunkMethod }>(
    sql`select method from ${database.ledger('stage')} where batch_id = ${batch.batchId} and n = ${n}`,
  );
  return rows[0]?.method ?? 'once';
}

async function applySettings(session: Session, settings: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    await session.query(sql`select set_config(${name}, ${value}, true)`);
}

async function runStatements(
  session: Session,
  { database, values }: BatchContext,
  stage: StageDefinition,
  statements: Statement[],
  cut: Cut,
): Promise<number> {
  let rows = 0;
  for (const statement of statements) {
    rows += (await session.run(renderForBatch(statement, values, database.dialect, stage, cut))).rowCount;
  }
  return rows;
}

/**
 * After the last statement: every snapshot is still the table that was planned. A VACUUM FULL between two page-range
 * chunks moves rows behind what was read and loses them without an error (seen, FACTS). Counts the chunk's rows on the way.
 */
async function proveSnapshots(
  session: Session,
  { database, batch }: BatchContext,
  snapshots: SnapshotRecord[],
  counted: SnapshotRecord | undefined,
  cut: Cut,
): Promise<number | null> {
  const { dialect } = database;
  for (const record of snapshots) {
    const found = await dialect.tableIdentity(session, record.processing);
    if (found?.relationId === record.relationId && found.storageId === record.storageId) continue;
    throw new WaybillError(
      found === undefined
        ? `the snapshot ${record.processing} is gone`
        : found.relationId === record.relationId
          ? `the snapshot ${record.processing} was rewritten (VACUUM FULL, CLUSTER or TRUNCATE), which moves its rows`
          : `${record.processing} is another table than the snapshot of batch ${batch.batchId}`,
      { where: `batch ${batch.batchId}`, next: 'leave _processing tables alone; start the load again' },
    );
  }
  if (!counted) return null;
  const values: unknown[] = [];
  const condition = dialect.rangeCondition(cut.method, cut.range, cut.key, (value, cast) => {
    values.push(value);
    const placeholder = dialect.sql.placeholder(values.length);
    return cast ? dialect.sql.cast(placeholder, cast) : placeholder;
  });
  const { rows } = await session.run({
    text: `select count(*) from ${dialect.quoteTable(counted.processing)} where ${condition}`,
    values,
  });
  return Number(rows[0]?.[0] ?? 0);
}
