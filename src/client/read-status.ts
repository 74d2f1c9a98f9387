import { readLatest, readUndropped } from '../control/reading.ts';
import type { Batch } from '../control/batch.ts';
import { isUnfinished } from '../control/states.ts';
import { describeHolder } from '../database/describe-holder.ts';
import type { Database } from '../database/dialect.ts';
import { loadWorkflowId } from '../workflows/messages.ts';
import { readBatchView } from './batch-view.ts';
import { writtenConnections } from '../config/written-connections.ts';
import type { ClientContext } from './context.ts';
import { databaseFailure, ifReachable, ledgerOf } from './ledger.ts';
import { findName } from './names.ts';
import { describeRun } from './start-run.ts';
import type { Stuck } from './stuck.ts';
import type { BatchView } from './views.ts';
import { waitingWords } from './waiting.ts';

/** The newest batch of a load, and what Temporal says of a batch that is not over. */
export interface LoadStatusRow {
  view: BatchView;
  connection: string;
  /** Of a batch that is not over: what Temporal says of the load's workflow; undefined: not asked, or no answer. */
  workflow: 'runs' | 'ended' | 'unknown' | undefined;
}

/** The newest batch of each load, of one load, or of a session's loads, by load name. Loads that never ran are left out. */
export async function readStatus(context: ClientContext, name?: string): Promise<LoadStatusRow[]> {
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
  await askTemporal(context, rows);
  return rows.sort((a, b) => (a.view.load < b.view.load ? -1 : 1));
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

/** Only for batches that are not over, and only if Temporal answers: `status` is about the ledger. */
async function askTemporal(context: ClientContext, rows: LoadStatusRow[]): Promise<void> {
  const open = rows.filter(({ view }) => view.state !== null && view.state !== 'held' && isUnfinished(view.state));
  if (open.length === 0) return;
  await ifReachable(async () => {
    const client = await context.temporal();
    for (const row of open) {
      const run = await describeRun(context, client, loadWorkflowId(row.view.load));
      row.workflow = run === undefined ? 'unknown' : run.status === 'RUNNING' ? 'runs' : 'ended';
      if (run?.status !== 'RUNNING') continue;
      if (run.waiting) row.view.waiting = waitingWords(run.waiting);
      if (run.stuck) row.view.stuck = run.stuck;
    }
  });
}

/** Why the workflow of a batch under way cannot go on; undefined: it can, it is another's by now, or Temporal does not answer. */
export function readStuck(context: ClientContext, { loadName, firstRunId }: Batch): Promise<Stuck | undefined> {
  return ifReachable(async () => {
    const run = await describeRun(context, await context.temporal(), loadWorkflowId(loadName));
    return run?.firstRunId === firstRunId ? run.stuck : undefined;
  });
}
