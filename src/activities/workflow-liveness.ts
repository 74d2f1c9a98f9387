import { WorkflowNotFoundError, type Client } from '@temporalio/client';

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
