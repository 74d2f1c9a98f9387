import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { Waiting } from './waiting.ts';

/** As the last heartbeats of the workflow's activities say it (src/activities, `report`); undefined: it waits for nobody. */
export function waitingOf(description: Pick<WorkflowExecutionDescription, 'raw'>): Waiting | undefined {
  for (const { heartbeatDetails } of description.raw.pendingActivities ?? []) {
    const payload = heartbeatDetails?.payloads?.[0];
    if (!payload) continue;
    const said = defaultPayloadConverter.fromPayload<{ waitingFor?: string; heldBy?: string[] } | null>(payload);
    if (said?.waitingFor !== undefined) return { what: said.waitingFor, heldBy: said.heldBy ?? [] };
  }
  return undefined;
}
