import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { UnfinishedBatch } from '../control/landing.ts';

/** What Temporal knows of the workflow that opened a batch. `unknown`: history lost, expired, or another server. */
export type Liveness = 'running' | 'closed' | 'unknown';

/**
 * Asks for the chain of runs that began with `firstRunId`. One run of a workflow id is open at a time, so if the newest
 * run belongs to another chain, ours has ended, provided that the server has ever seen it.
 */
export async function workflowLiveness(
  client: Client,
  workflowId: string | null,
  firstRunId: string | null,
): Promise<Liveness> {
  if (workflowId === null || firstRunId === null) return 'unknown';
  try {
    const newest = await client.workflow.getHandle(workflowId).describe();
    const { firstRunId: newestFirst } = newest.raw.workflowExecutionInfo ?? {};
    if (newestFirst === firstRunId) return newest.status.name === 'RUNNING' ? 'running' : 'closed';
    await client.workflow.getHandle(workflowId, firstRunId).describe();
    return 'closed';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'unknown';
    throw error;
  }
}

/**
 * Nobody works for this batch any more. One that Temporal does not know may run elsewhere, until its time is over. `client`: none
 * where `plan` looks without Temporal; then nobody is taken for dead.
 */
export async function isDead(client: Client | undefined, batch: UnfinishedBatch): Promise<boolean> {
  if (client === undefined) return false;
  const liveness = await workflowLiveness(client, batch.workflowId, batch.firstRunId);
  return liveness === 'closed' || (liveness === 'unknown' && batch.overdue);
}
