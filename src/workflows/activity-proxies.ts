import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.ts';

/**
 * For work that outlives an outage of the database: tried until it is done, or the batch's time is over. A worker that
 * dies is noticed by the heartbeat timeout: activities heartbeat every 2 s, and the worker passes heartbeats on at least
 * every 3 s, so only a process that is gone, frozen or cut off stays silent for 10.
 */
export const PATIENT = {
  // Bounded by the batch's deadline, which the workflow keeps; this only stops a lost activity from waiting for ever.
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '10 seconds',
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
} as const satisfies ActivityOptions;

/** For the first question of a start: a person waits for the answer, so an unreachable database is soon said. */
export const ASKING = {
  ...PATIENT,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '2 seconds', maximumAttempts: 4 },
} as const satisfies ActivityOptions;

/** For lanes: another worker takes over soon after one has died. */
export const LANE = {
  ...PATIENT,
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
} as const satisfies ActivityOptions;

/** The activities, patient unless a call says otherwise. */
export const activities = proxyActivities<Activities>(PATIENT);
