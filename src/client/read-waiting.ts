import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { activityWords, FAILURE } from '../workflows/messages.ts';
import type { Waiting } from './waiting.ts';

/**
 * As the last heartbeats of the workflow's activities say it (src/activities, `report`), or the failure of an attempt that is made again;
 * undefined: it waits for nobody.
 */
export function waitingOf({ raw }: Pick<WorkflowExecutionDescription, 'raw'>): Waiting | undefined {
  return heldUp(raw) ?? retried(raw);
}

function heldUp(raw: WorkflowExecutionDescription['raw']): Waiting | undefined {
  for (const { heartbeatDetails } of raw.pendingActivities ?? []) {
    const payload = heartbeatDetails?.payloads?.[0];
    if (!payload) continue;
    const said = defaultPayloadConverter.fromPayload<{ waitingFor?: string; heldBy?: string[] } | null>(payload);
    if (said?.waitingFor !== undefined) return { what: said.waitingFor, heldBy: said.heldBy ?? [] };
  }
  return undefined;
}

/** Of what a database says, which lasts as a rule until a person does something; a worker that died is nobody's to mend. */
function retried(raw: WorkflowExecutionDescription['raw']): Waiting | undefined {
  for (const { activityType, lastFailure } of raw.pendingActivities ?? []) {
    const type = lastFailure?.applicationFailureInfo?.type;
    if (type !== FAILURE.database && type !== FAILURE.unreachable) continue;
    return { what: activityWords(activityType?.name ?? ''), failure: lastFailure?.message ?? type, heldBy: [] };
  }
  return undefined;
}
