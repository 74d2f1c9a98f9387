import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowExecutionDescription } from '@temporalio/client';

/** What a load waits for that others hold, and who they are. */
export interface Waiting {
  /** A table, or transactions on a source. */
  what: string;
  /** In words, with connection and age; without the ages these are the same from look to look. */
  heldBy: string[];
}

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

/** `waits for acq.flight, in use by connection 4711 (mary, psql, query 340 s)`. */
export const waitingWords = ({ what, heldBy }: Waiting): string =>
  `waits for ${what}${heldBy.length === 0 ? '' : `, in use by ${heldBy.join(', ')}`}`;
