import type { StageDefinition } from '../config/definition.ts';
import { rangeWhere, sourceWhere } from '../control/conditions.ts';
import { writeParts, type OutputKey } from '../control/output.ts';
import { changeOf, plannedStage } from '../control/planned-with.ts';
import { proveSnapshots, readSnapshots, type SnapshotRecord } from '../control/snapshots.ts';
import type { ChunkMethod, ColumnFacts, Database, Session } from '../database/dialect.ts';
import { part, raw, type SqlPart } from '../database/sql.ts';
import { WaybillError } from '../errors.ts';
import { renderForBatch, sourceTable, type Cut } from '../sql/batch-sql.ts';
import { lastsUntilCommit, leavesBehind } from '../sql/lint.ts';
import { parseStatements, type Statement } from '../sql/statement.ts';
import { inRanges } from './bad-ranges.ts';
import { searchTable, type BadRows } from './bad-rows.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkWork } from './chunk-transaction.ts';
import { OutputRows } from './output-rows.ts';

/** The user's statements of a stage, cut to one chunk. */
export async function sqlWork(context: BatchContext, n: number): Promise<ChunkWork> {
  const { database, batch } = context;
  const stage = batch.definition.stages[n - 1]!;
  const statements = stage.sql.flatMap((source) => parseStatements(source, database.dialect.sql));
  const snapshots = await readSnapshots(database, database, batch.batchId);
  const at = { batchId: batch.batchId, stage: n };
  const { method, key } = await plannedStage(database, at);
  const source = cutSource(context, stage);
  const countsRead = countsItsRows(context, n, stage, snapshots);
  // The ledger says that a chunk is done only while every snapshot is still the table that was planned.
  const proof = {
    holds: snapshots.map((record) => database.dialect.isStill(record.processing, record)),
    explain: async (session: Session): Promise<undefined> => {
      await proveSnapshots(session, database, snapshots);
      return undefined;
    },
    ...(source && method === 'key' && { look: (session: Session) => proveKey(session, context, source.table, key) }),
  };
  return {
    leavesBehind: statements.some(leavesBehind),
    untilCommit: statements.some(lastsUntilCommit),
    run: async (session, chunk) => {
      const cut: Cut = { method, range: chunk.range, key };
      const rows = await runStatements(session, context, stage, statements, cut, { ...at, chunk: chunk.n });
      return {
        rows,
        rowsRead: source && countsRead ? rowsOf(database, source, cut) : null,
        proof,
      };
    },
    close: () => Promise.resolve(),
    bad: quarantines(context, source, method, key, countsRead),
  };
}

/** What a stage is cut by. */
interface CutSource {
  table: string;
  /** Which of its rows; undefined: all. */
  where: SqlPart | undefined;
}

function cutSource({ database, batch, values }: BatchContext, { chunk }: StageDefinition): CutSource | undefined {
  if (!chunk) return undefined;
  const where = sourceWhere(database.dialect, chunk.input, values)?.condition;
  return { table: sourceTable(chunk.input, batch.definition), where };
}

/** What the stage is cut by is what its bad rows are searched in. */
function quarantines(
  { database, batch }: BatchContext,
  source: CutSource | undefined,
  method: ChunkMethod,
  key: ColumnFacts[],
  countsRead: boolean,
): BadRows | undefined {
  if (batch.definition.onBadRow !== 'quarantine') return undefined;
  if (method === 'range') return inRanges;
  return source && searchTable({ database, ...source, method, key, countsRead });
}

/**
 * The first stage that an input cuts counts the rows read of it; later ones read them again. Rows of a consumed table, which take
 * a second look at them to be counted, only where a share of them may be rejected.
 */
function countsItsRows(
  { batch }: BatchContext,
  n: number,
  { chunk }: StageDefinition,
  snapshots: SnapshotRecord[],
): boolean {
  const { stages, maxRejected } = batch.definition;
  if (stages.findIndex((other) => other.chunk?.input === chunk?.input) !== n - 1) return false;
  return snapshots.some(({ table }) => table === chunk?.input) || 'percent' in maxRejected;
}

/** Rows written; of a query, rows that it gave. */
async function runStatements(
  session: Session,
  { database, values }: BatchContext,
  stage: StageDefinition,
  statements: Statement[],
  cut: Cut,
  at: OutputKey,
): Promise<number> {
  const { output } = values.definition;
  let rows = 0;
  for (const [i, statement] of statements.entries()) {
    const rendered = renderForBatch(statement, values, database.dialect, stage, cut);
    if (output === undefined || i < statements.length - 1) {
      rows += (await session.run(rendered)).rowCount;
      continue;
    }
    const given = new OutputRows(output);
    try {
      const { columns, rowCount } = await session.run(rendered, { each: given.take });
      await writeParts(session, database, at, given.parts(columns));
      rows += rowCount + given.count;
    } finally {
      given.close();
    }
  }
  return rows;
}

/** How many rows this chunk is. */
function rowsOf({ dialect }: Database, { table, where }: CutSource, cut: Cut): SqlPart {
  const all = where ? part`(${where}) and ` : part``;
  return part`(select count(*) from ${raw(dialect.quoteTable(table))} where ${all}${rangeWhere(dialect, cut)})`;
}

/** Of another type or collation, the key's values have another order than its bounds. */
async function proveKey(
  session: Session,
  { database, batch }: BatchContext,
  table: string,
  key: ColumnFacts[],
): Promise<void> {
  const now = await database.dialect.columnsRead(database, session, table);
  const change = changeOf(key, now ?? [], new Set(key.map(({ name }) => name)));
  if (change === undefined) return;
  throw new WaybillError(`${table} has changed since the batch was planned: ${change}`, {
    where: `batch ${batch.batchId}`,
    next: 'start the load again: the table is then cut as it is',
  });
}
