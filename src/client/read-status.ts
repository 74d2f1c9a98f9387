import type { Client } from '@temporalio/client';
import { readLatest, readUndropped } from '../control/reading.ts';
import type { Batch } from '../control/batch.ts';
import { isUnfinished } from '../control/states.ts';
import { describeHolder } from '../database/describe-holder.ts';
import type { Database } from '../database/dialect.ts';
import { loadWorkflowId } from '../workflows/messages.ts';
import { readBatchView, viewWithoutBatch } from './batch-view.ts';
import { writtenConnections } from '../config/written-connections.ts';
import { temporalFailure } from './connect.ts';
import type { ClientContext } from './context.ts';
import { databaseFailure, ifReachable, ledgerOf } from './ledger.ts';
import { findName } from './names.ts';
import { describeRun, type DescribedRun } from './start-run.ts';
import type { BatchView } from './views.ts';
import { waitingStarts } from './waiting-starts.ts';
import { waitingWords } from './waiting.ts';

/** The newest batch of a load, and what Temporal says of a batch that is not over. Without one: its first start waits for somebody. */
export interface LoadStatusRow {
  view: BatchView;
  connection: string;
  /** Of a batch that is not over: what Temporal says of the load's workflow; undefined: not asked, or no answer. */
  workflow: 'runs' | 'ended' | 'unknown' | undefined;
  /** `waiting` is of a start that has no batch yet. */
  starting?: boolean;
}

export interface Status {
  /** By load name. Loads that never ran are left out, unless they begin to. */
  loads: LoadStatusRow[];
  /** Why Temporal did not say which of them run, and whose starts wait; undefined: it did. */
  unanswered: unknown;
}

/** Milliseconds: the ledger alone says what most people ask for. */
const TEMPORAL_MS = 2_000;

/** The newest batch of each load, of one load, or of a session's loads. */
export async function readStatus(context: ClientContext, name?: string): Promise<Status> {
  const named = name === undefined ? undefined : findName(context.project, name);
  const wanted = named && new Set(named.kind === 'load' ? [named.name] : named.session.loads);
  const rows: LoadStatusRow[] = [];
  for (const connection of connectionsOf(context, wanted)) {
    const database = await ledgerOf(context, connection);
    try {
      const batches = await readLatest(database, named?.kind === 'load' ? named.name : undefined);
      for (const batch of batches) {
        if (wanted && !wanted.has(batch.loadName)) continue;
        rows.push({ view: await readBatchView(database, batch), connection, workflow: undefined });
      }
      await noteUndropped(database, rows);
    } catch (error) {
      throw databaseFailure(database, error);
    }
  }
  const unanswered = await askTemporal(context, rows, wanted);
  return { loads: rows.sort((a, b) => (a.view.load < b.view.load ? -1 : 1)), unanswered };
}

/** Published batches whose snapshot still stands, and whoever uses it at this moment. */
async function noteUndropped(database: Database, rows: LoadStatusRow[]): Promise<void> {
  for (const { batchId, processing } of await readUndropped(database)) {
    const row = rows.find(({ view, connection }) => connection === database.connection && view.batch_id === batchId);
    if (!row) continue;
    const holders = await database.transaction((session) => database.dialect.tableHolders(session, processing));
    const heldBy = holders.map((holder) => describeHolder(holder));
    row.view.waiting = `${processing} is not dropped yet${heldBy.length === 0 ? '' : `, in use by ${heldBy.join(', ')}`}`;
  }
}

function connectionsOf(context: ClientContext, wanted: Set<string> | undefined): string[] {
  const loads = Object.values(context.project.loads).filter((load) => wanted?.has(load.name) ?? true);
  return writtenConnections({ loads: Object.fromEntries(loads.map((load) => [load.name, load])) });
}

/** What Temporal adds to the ledger, if it answers; why it did not. */
async function askTemporal(
  context: ClientContext,
  rows: LoadStatusRow[],
  wanted: Set<string> | undefined,
): Promise<unknown> {
  try {
    const client = await context.temporal(TEMPORAL_MS);
    await noteRuns(context, client, rows);
    await noteWaitingStarts(context, client, rows, wanted);
    return undefined;
  } catch (error) {
    return temporalFailure(context.target, error);
  }
}

/** For whom a run waits, and why it cannot go on. */
export const whatHoldsUp = ({ waiting, stuck }: DescribedRun): Pick<BatchView, 'waiting' | 'stuck'> => ({
  ...(waiting && { waiting: waitingWords(waiting) }),
  ...(stuck && { stuck }),
});

/** Of batches that are not over. */
async function noteRuns(context: ClientContext, client: Client, rows: LoadStatusRow[]): Promise<void> {
  for (const row of rows) {
    const { state, load } = row.view;
    if (state === null || state === 'held' || !isUnfinished(state)) continue;
    const run = await describeRun(context, client, loadWorkflowId(load));
    row.workflow = run === undefined ? 'unknown' : run.status === 'RUNNING' ? 'runs' : 'ended';
    if (run?.status !== 'RUNNING') continue;
    Object.assign(row.view, whatHoldsUp(run));
  }
}

/** Of those that have no batch under way: the newest batch is one that is over, or there is none. */
async function noteWaitingStarts(
  context: ClientContext,
  client: Client,
  rows: LoadStatusRow[],
  wanted: Set<string> | undefined,
): Promise<void> {
  const { loads } = context.project;
  const busy = new Set(rows.filter(({ workflow }) => workflow === 'runs').map(({ view }) => view.load));
  const others = new Set([...(wanted ?? Object.keys(loads))].filter((load) => !busy.has(load)));
  for (const [load, waiting] of await waitingStarts(context, client, others)) {
    const row = rows.find(({ view }) => view.load === load);
    if (row) {
      row.view.waiting = `its next start ${waitingWords(waiting)}`;
      row.starting = true;
    } else {
      const { kind, connection } = loads[load]!;
      const view = {
        ...viewWithoutBatch({ name: load, kind }, 'running'),
        waiting: `its start ${waitingWords(waiting)}`,
      };
      rows.push({ view, connection, workflow: 'runs', starting: true });
    }
  }
}

/** The run of a batch under way; undefined: its load is another run's by now, or Temporal does not answer. */
export function readRun(context: ClientContext, { loadName, firstRunId }: Batch): Promise<DescribedRun | undefined> {
  return ifReachable(async () => {
    const run = await describeRun(context, await context.temporal(), loadWorkflowId(loadName));
    return run?.firstRunId === firstRunId ? run : undefined;
  });
}
