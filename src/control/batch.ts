/** The table `batch`: one row an attempt to run a load. */
import { createHash } from 'node:crypto';
import type { LoadDefinition, LoadKind, ParameterValue } from '../config/definition.ts';
import type { Database, Session } from '../database/dialect.ts';
import { raw, sql, type RawSql } from '../database/sql.ts';
import { WaybillError } from '../errors.ts';
import type { BatchState } from '../workflows/messages.ts';

export interface Batch {
  batchId: string;
  loadName: string;
  kind: LoadKind;
  state: BatchState;
  reprocessOf: string | null;
  attempt: number;
  forced: boolean;
  definitionHash: string;
  /** The load as it was when the batch opened. */
  definition: LoadDefinition;
  params: Record<string, ParameterValue>;
  /** Batches that were unfinished when this one opened: `reads` never shows their rows to it. */
  invisible: string[];
  windowFrom: string | null;
  windowTo: string | null;
  /** `:load_at` and `:last_load_at`. */
  loadAt: Date;
  lastLoadAt: Date | null;
  /** The session whose shared window these two are. */
  sessionName: string | null;
  workflowId: string | null;
  firstRunId: string | null;
  startedAt: Date;
  /** By the database's clock: for showing. */
  deadlineAt: Date;
  /** The same as `performance.now()` of this process tells it: see `timeLeft`. */
  runsOutAt: number;
  finishedAt: Date | null;
  rowsRead: string | null;
  rowsWritten: string | null;
  rowsRejected: string | null;
  errorClass: string | null;
  error: string | null;
  requestedBy: string | null;
  reason: string | null;
}

interface BatchRow {
  [column: string]: unknown;
}

/** The columns of `Batch`, for `select`. */
export const batchColumns = ({ dialect: { words } }: Database): RawSql =>
  raw(
    `batch_id, load_name, kind, state, reprocess_of, attempt, forced, definition_hash, definition, params, invisible,
   window_from, window_to, coalesce(load_at, started_at) as load_at, last_load_at, session_name, workflow_id, first_run_id, started_at, deadline_at, finished_at, rows_read, rows_written,
   rows_rejected, error_class, error, requested_by, reason, ${words.secondsBetween(words.clock.text, 'deadline_at').text} as seconds_left`,
  );

/** A row of `batch` as an object; throws if the stored definition is not what was stored. */
export function batchOf(row: BatchRow): Batch {
  const definition = row['definition'] as string;
  if (hashOf(definition) !== row['definition_hash']) {
    throw new WaybillError(`the stored definition of batch ${String(row['batch_id'])} does not match its hash`, {
      where: `batch ${String(row['batch_id'])}`,
      next: 'somebody edited the column definition of that row: put it back; until then this batch can neither go on nor be taken back',
    });
  }
  return {
    batchId: row['batch_id'] as string,
    loadName: row['load_name'] as string,
    kind: row['kind'] as LoadKind,
    state: row['state'] as BatchState,
    reprocessOf: row['reprocess_of'] as string | null,
    attempt: row['attempt'] as number,
    forced: row['forced'] as boolean,
    definitionHash: row['definition_hash'],
    definition: JSON.parse(definition) as LoadDefinition,
    params: JSON.parse(row['params'] as string) as Record<string, ParameterValue>,
    invisible: JSON.parse(row['invisible'] as string) as string[],
    windowFrom: row['window_from'] as string | null,
    windowTo: row['window_to'] as string | null,
    loadAt: row['load_at'] as Date,
    lastLoadAt: row['last_load_at'] as Date | null,
    sessionName: row['session_name'] as string | null,
    workflowId: row['workflow_id'] as string | null,
    firstRunId: row['first_run_id'] as string | null,
    startedAt: row['started_at'] as Date,
    deadlineAt: row['deadline_at'] as Date,
    runsOutAt: performance.now() + Number(row['seconds_left']) * 1000,
    finishedAt: row['finished_at'] as Date | null,
    rowsRead: row['rows_read'] as string | null,
    rowsWritten: row['rows_written'] as string | null,
    rowsRejected: row['rows_rejected'] as string | null,
    errorClass: row['error_class'] as string | null,
    error: row['error'] as string | null,
    requestedBy: row['requested_by'] as string | null,
    reason: row['reason'] as string | null,
  };
}

/** Milliseconds of `max_runtime` that are left, however the clocks of this machine and of the database differ. Negative: it is over. */
export const timeLeft = ({ runsOutAt }: Batch): number => runsOutAt - performance.now();

/** How long a statement of the batch may take. What comes late gets a second: it says by itself that it is. */
export const statementTimeoutMs = (batch: Batch): number => Math.max(1000, timeLeft(batch));

/** SHA-256 of a definition's stored text. */
export const hashOf = (definition: string): string => createHash('sha256').update(definition).digest('hex');

type Reader = Pick<Session, 'query'>;

async function one(reader: Reader, database: Database, condition: RawSql, value: unknown): Promise<Batch | undefined> {
  const { rows } = await reader.query<BatchRow>(
    sql`select ${batchColumns(database)} from ${database.ledger('batch')} where ${condition} ${value}`,
  );
  return rows[0] && batchOf(rows[0]);
}

export async function findBatch(
  database: Database,
  batchId: string,
  reader: Reader = database,
): Promise<Batch | undefined> {
  return one(reader, database, raw('batch_id ='), batchId);
}

/** The batch, or an error that says that the connection has none of that id. */
export async function getBatch(database: Database, batchId: string, reader: Reader = database): Promise<Batch> {
  const batch = await findBatch(database, batchId, reader);
  if (!batch) {
    throw new WaybillError(`${database.connection} has no batch ${batchId}`, {
      where: `connection ${database.connection}`,
      next: 'look at `waybill status` for the batches that there are',
    });
  }
  return batch;
}

/** The newest batch that this chain of runs has opened at this attempt or after it, if it has. */
export async function findOpenedBy(
  database: Database,
  firstRunId: string,
  attempt: number,
): Promise<Batch | undefined> {
  const { rows } = await database.query<BatchRow>(sql`
    select ${batchColumns(database)} from ${database.ledger('batch')}
    where first_run_id = ${firstRunId} and attempt >= ${attempt} order by attempt desc limit 1`);
  return rows[0] && batchOf(rows[0]);
}

/** The load's batch that is not over, if there is one. */
export async function findUnfinished(database: Database, load: string): Promise<Batch | undefined> {
  const { rows } = await database.query<BatchRow>(sql`
    select ${batchColumns(database)} from ${database.ledger('batch')}
    where load_name = ${load} and state in ('running', 'checking', 'held', 'rolling_back', 'retracting')`);
  return rows[0] && batchOf(rows[0]);
}

/** The load's newest batch, whatever became of it. */
export async function findLatest(database: Database, load: string): Promise<Batch | undefined> {
  const { rows } = await database.query<BatchRow>(sql`
    select ${batchColumns(database)} from ${database.ledger('batch')} where load_name = ${load} order by batch_id desc limit 1`);
  return rows[0] && batchOf(rows[0]);
}

/** The load's newest batch that is published. */
export async function findNewestPublished(database: Database, load: string): Promise<Batch | undefined> {
  const { rows } = await database.query<BatchRow>(sql`
    select ${batchColumns(database)} from ${database.ledger('batch')}
    where load_name = ${load} and state = 'published' order by batch_id desc limit 1`);
  return rows[0] && batchOf(rows[0]);
}

/** The id of the newest batch that the load published in this window of a session. */
export async function findPublishedIn(
  database: Database,
  load: string,
  { session, to }: { session: string; to: string },
): Promise<string | undefined> {
  const { rows } = await database.query<{ batch_id: string }>(sql`
    select batch_id from ${database.ledger('batch')} where load_name = ${load} and state = 'published'
      and session_name = ${session} and load_at = ${new Date(to)} order by batch_id desc limit 1`);
  return rows[0]?.batch_id;
}
