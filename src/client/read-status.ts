import { isUnfinished } from '../control/states.ts';
import { readLatest } from '../control/reading.ts';
import { loadWorkflowId } from '../workflows/messages.ts';
import { readBatchView } from './batch-view.ts';
import { writtenConnections, type ClientContext } from './context.ts';
import { databaseFailure, ifReachable, ledgerOf } from './ledger.ts';
import { findName } from './names.ts';
import { describeRun } from './start-run.ts';
import type { BatchView } from './views.ts';

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
    } catch (error) {
      throw databaseFailure(database, error);
    }
  }
  await askTemporal(context, rows);
  return rows.sort((a, b) => (a.view.load < b.view.load ? -1 : 1));
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
    }
  });
}
