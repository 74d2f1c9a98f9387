import type { LoadDefinition } from '../config/definition.ts';
import { getBatch, type Batch } from '../control/batch.ts';
import { halfDoneByPages, reopenFailed } from '../control/chunks.ts';
import { settleConsumed } from '../control/consumed-tables.ts';
import { consumedBatches } from '../control/consumption.ts';
import { changeStateIn } from '../control/gate.ts';
import { releaseLanes } from '../control/lanes.ts';
import { ReturnedError, settleOutputs } from '../control/outputs.ts';
import { readSnapshots, recordStorage, type SnapshotRecord } from '../control/snapshots.ts';
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { looking } from '../database/transaction.ts';
import { LoadFailedError } from '../errors.ts';
import { editedSince } from './edited-since.ts';
import { refused } from './failures.ts';
import type { OpenRequest } from './open-batch.ts';

/** `held → running`, under this workflow; failed chunks and steps get their attempts back, and the clock starts anew. */
export async function resumeHeld(
  database: Database,
  batch: Batch,
  load: LoadDefinition,
  request: OpenRequest,
): Promise<Batch> {
  refuseEdited(batch, load);
  refuseOtherParams(batch, request);
  const moved = await looking(database, `waybill read ${batch.loadName}`, async (session) => {
    const records = await provenSnapshots(session, database, batch);
    await proveTables(session, database, batch);
    return records;
  });
  await database.transaction(async (session) => {
    const state = await changeStateIn(session, database, batch.batchId, 'running', {
      requestedBy: request.requestedBy,
      reason: 'resumed',
      firstRunId: batch.firstRunId,
    });
    if (state !== 'running') return;
    const runtimeMs = batch.definition.maxRuntimeMs;
    await session.query(sql`
      update ${database.ledger('batch')}
      set workflow_id = ${request.workflowId}, first_run_id = ${request.firstRunId}, attempt = ${request.attempt},
          error = null, error_class = null, deadline_at = ${database.dialect.words.secondsFromNow(runtimeMs / 1000)}
      where batch_id = ${batch.batchId}`);
    for (const record of moved) await recordStorage(session, database, record);
    await reopenFailed(session, database, batch.batchId);
    await releaseLanes(session, database, batch.batchId);
  });
  return getBatch(database, batch.batchId);
}

/** All of a batch is done by one text. Who has mended that wants it for the rows that are there, too; whoever has not must not wonder. */
function refuseEdited(batch: Batch, load: LoadDefinition): void {
  const edited = editedSince(batch.definition, load);
  if (edited.length === 0) return;
  throw refused(
    `batch ${batch.batchId} cannot be resumed: it goes on as its load was when it opened, and ${edited.join(', ')} of ${load.file} ` +
      `${edited.length === 1 ? 'was' : 'were'} edited since`,
    {
      ...at(batch),
      next: `start it without --resume: what it did is rolled back, and done anew as the files are now (${anew(batch)}); or put back what was edited, and resume`,
    },
  );
}

/** Nor by the parameters of two starts. Those that are given, and are what the batch has, do no harm. */
function refuseOtherParams(batch: Batch, { params }: OpenRequest): void {
  const others = Object.keys(params).filter((name) => params[name] !== batch.params[name]);
  if (others.length === 0) return;
  const words = (values: OpenRequest['params']): string =>
    others.map((name) => `${name} = ${String(values[name])}`).join(', ');
  const given = Object.entries(params).map(([name, value]) => ` --param ${name}=${String(value)}`);
  throw refused(
    `batch ${batch.batchId} cannot be resumed: it goes on with ${words(batch.params)}, and this start is given ${words(params)}`,
    {
      ...at(batch),
      next:
        `resume it without ${others.map((name) => `--param ${name}`).join(' and ')}; or start it without --resume: what it did is rolled back, and done anew with ` +
        `what is given (${anew(batch)}${given.join('')})`,
    },
  );
}

/**
 * The snapshots that were rewritten while the batch was held (VACUUM FULL, CLUSTER), as they are now; of those that still have their rows,
 * and of which nothing is done by pages that lie elsewhere since. What cannot be gone on with is said here, once: each chunk would fail.
 */
async function provenSnapshots(session: Session, database: Database, batch: Batch): Promise<SnapshotRecord[]> {
  const moved: SnapshotRecord[] = [];
  for (const record of await readSnapshots(database, database, batch.batchId)) {
    const found = await database.dialect.tableIdentity(session, record.processing);
    if (found?.relationId !== record.relationId) throw otherSnapshot(batch, record, found !== undefined);
    if (found.storageId === record.storageId) continue;
    const filled = await database.dialect.hasRows(session, record.processing);
    if (!filled || !database.dialect.rewriteMovesRows) throw otherRows(batch, record, filled);
    moved.push({ ...record, storageId: found.storageId });
  }
  const lost =
    moved.length > 0 && halfReadStage(batch, moved, await halfDoneByPages(database, database, batch.batchId));
  if (lost)
    throw refused(`batch ${batch.batchId} cannot be resumed: ${lost.message}`, { ...at(batch), next: lost.next });
  return moved;
}

/** The tables that it wrote to, and those that it consumes, have their rows: else each chunk, or its publish, would fail. */
async function proveTables(session: Session, database: Database, batch: Batch): Promise<void> {
  const { batchId, definition } = batch;
  try {
    await settleOutputs(session, database, batchId);
    await settleConsumed(session, database, batchId, {
      definition,
      consumed: await consumedBatches(database, batchId),
    });
  } catch (error) {
    if (!(error instanceof LoadFailedError)) throw error;
    throw refused(`batch ${batchId} cannot be resumed: ${error.message}`, {
      ...at(batch),
      next:
        error instanceof ReturnedError
          ? error.next
          : `start it without --resume: what it did is rolled back, and done anew. ${anew(batch)}`,
    });
  }
}

/** Why a held batch can never be resumed, whatever people do: what it has read by pages was rewritten. Takes no lock. */
export async function whyNeverResumed(
  database: Database,
  batch: Batch,
): Promise<{ message: string; next: string } | undefined> {
  const records = await readSnapshots(database, database, batch.batchId);
  const halfDone = await halfDoneByPages(database, database, batch.batchId);
  if (records.length === 0 || halfDone.length === 0) return undefined;
  const moved = await looking(database, `waybill read ${batch.loadName}`, async (session) => {
    const found: SnapshotRecord[] = [];
    for (const record of records) {
      const identity = await database.dialect.tableIdentity(session, record.processing);
      const same = identity?.relationId === record.relationId;
      if (same && identity.storageId !== record.storageId) found.push(record);
    }
    return found;
  });
  return halfReadStage(batch, moved, halfDone);
}

/** Pages that none of its chunks has read may lie anywhere: all of them together are the whole table as it is. */
function halfReadStage(
  batch: Batch,
  moved: readonly SnapshotRecord[],
  halfDone: readonly number[],
): { message: string; next: string } | undefined {
  for (const n of halfDone) {
    const { name, chunk } = batch.definition.stages[n - 1]!;
    const record = moved.find(({ table }) => table === chunk?.input);
    if (!record) continue;
    return {
      message:
        `${record.processing} was rewritten (VACUUM FULL, CLUSTER) when stage ${name} had read a part of it by its pages, ` +
        `and its rows are not where they were`,
      next: `start it without --resume: what it did is rolled back, and done anew over the same snapshot. ${anew(batch)}`,
    };
  }
  return undefined;
}

const at = ({ loadName, batchId }: Batch): { where: string } => ({ where: `load ${loadName}, batch ${batchId}` });

const anew = ({ loadName }: Batch): string => `waybill run ${loadName}`;

function otherSnapshot(batch: Batch, { processing }: SnapshotRecord, other: boolean): Error {
  return refused(
    other
      ? `batch ${batch.batchId} cannot be resumed: ${processing} is not the table that it took as its snapshot`
      : `batch ${batch.batchId} cannot be resumed: ${processing}, its snapshot, is gone`,
    {
      ...at(batch),
      next: `somebody dropped or renamed it: put it back and resume; or start it without --resume, which rolls the batch back, and says what else can be done. ${anew(batch)}`,
    },
  );
}

function otherRows(batch: Batch, { processing }: SnapshotRecord, filled: boolean): Error {
  const how = filled
    ? 'was empty, and holds rows'
    : 'was rewritten since, and holds no row: it looks as if somebody had emptied it';
  return refused(`batch ${batch.batchId} cannot be resumed: ${processing}, its snapshot, ${how}`, {
    ...at(batch),
    next: `make it what it was and resume; or start it without --resume, which rolls the batch back, and says what else can be done. ${anew(batch)}`,
  });
}
