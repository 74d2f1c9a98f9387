import type { Client } from '@temporalio/client';
import { progressQuery } from '../workflows/message-definitions.ts';
import { loadWorkflowId, type LoadProgress } from '../workflows/messages.ts';
import type { ClientContext } from './context.ts';
import { ifReachable } from './ledger.ts';
import { othersRun } from './others-run.ts';
import type { Waiting } from './waiting.ts';

const QUERY_MS = 3_000;

/**
 * The loads of the project whose start waits for what somebody has locked: they have no batch yet that would tell. Without an answer of
 * its workers, a workflow waits for nobody.
 */
export async function waitingStarts(
  context: ClientContext,
  client: Client,
  loads: ReadonlySet<string>,
): Promise<Map<string, Waiting>> {
  const byId = new Map([...loads].map((load) => [loadWorkflowId(load), load]));
  const asking: Promise<void>[] = [];
  const waiting = new Map<string, Waiting>();
  const running = client.workflow.list({ query: `WorkflowType = 'load' and ExecutionStatus = 'Running'` });
  for await (const { workflowId, runId } of running) {
    const load = byId.get(workflowId);
    if (load === undefined) continue;
    const ask = async (): Promise<void> => {
      const handle = client.workflow.getHandle(workflowId, runId);
      const progress = await ifReachable(() =>
        client.withDeadline(Date.now() + QUERY_MS, () => handle.query<LoadProgress>(progressQuery.name)),
      );
      if (!progress?.waiting || (await othersRun(context, client, { workflowId, runId })) !== undefined) return;
      waiting.set(load, progress.waiting);
    };
    asking.push(ask());
  }
  await Promise.all(asking);
  return waiting;
}
