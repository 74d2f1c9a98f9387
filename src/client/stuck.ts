import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { tellFailure } from '../workflows/messages.ts';

/** A workflow that runs, and whose task fails again and again: nothing will come of it until somebody does something. */
export interface Stuck {
  message: string;
  next: string;
}

/** Events to look back through: what has come since the task failed for the first time, which is all that is written of it. */
const LOOK_BACK = 50;

/** Attempts of a task without any answer that dying workers do not explain. */
const SILENT_ATTEMPTS = 5;

/**
 * `temporal.api.enums.v1.WorkflowTaskFailedCause`: the next attempt may well succeed (something came meanwhile, the workflow was
 * reset or closed, its worker let go of it).
 */
const PASSING_CAUSES = [1, 13, 17, 18, 20, 31];

/** Why a workflow cannot go on; undefined: it can, as far as is known. */
export async function stuckOf(
  client: Client,
  { raw, workflowId, runId, status }: WorkflowExecutionDescription,
): Promise<Stuck | undefined> {
  const attempt = raw.pendingWorkflowTask?.attempt ?? 1;
  if (status.name !== 'RUNNING' || attempt < 2) return undefined;
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: LOOK_BACK,
  });
  const events = history?.events ?? [];
  const last = events.findIndex((event) => event.workflowTaskCompletedEventAttributes);
  const failures = events
    .slice(0, last === -1 ? undefined : last)
    .flatMap(({ workflowTaskFailedEventAttributes: failed }) => (failed ? [failed] : []));
  const why = failures.find(({ cause }) => !PASSING_CAUSES.includes(Number(cause)))?.failure?.message;
  if (why) return inWords(workflowId, tellFailure(undefined, why).message);
  if (attempt < SILENT_ATTEMPTS) return undefined;
  return inWords(workflowId, `no worker has come to an end with its task, in ${attempt - 1} attempts`);
}

function inWords(workflowId: string, why: string): Stuck {
  const [, kind, name] = /^(load|session)\/(.*)$/s.exec(workflowId) ?? [];
  const anew =
    kind === 'load'
      ? `begin anew: waybill run ${name} --force, which rolls back what it left`
      : `end it: temporal workflow terminate --workflow-id ${workflowId}; then: waybill run ${name}`;
  return {
    message: `its workflow cannot go on: ${why}`,
    next: `start the workers that it began with, whose log says more; or ${anew}`,
  };
}
