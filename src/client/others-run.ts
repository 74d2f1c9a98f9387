import { defaultPayloadConverter, type Client } from '@temporalio/client';
import { projectIn } from '../workflows/messages.ts';
import { temporalFailure } from './connect.ts';
import type { ClientContext } from './context.ts';

/**
 * The other project whose run this is, by the input that it was started with; undefined: it is ours, or nobody has said whose.
 * Workflow ids are names of loads and sessions, which two projects in one namespace may have both.
 */
export async function othersRun(
  context: ClientContext,
  client: Client,
  execution: { workflowId: string; runId: string },
): Promise<string | undefined> {
  try {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution,
      maximumPageSize: 1,
    });
    const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    const project = payload && projectIn(defaultPayloadConverter.fromPayload(payload));
    return project === context.project.name ? undefined : project;
  } catch (error) {
    throw temporalFailure(context.target, error);
  }
}
