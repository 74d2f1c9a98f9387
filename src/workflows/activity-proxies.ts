import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.ts';

/**
 * For work that outlives an outage of the database: tried until it is done, or the batch's time is over. A worker that
 * dies is noticed by the heartbeat timeout: activities heartbeat every 2 s, and the worker passes heartbeats on at least
 * every 3 s, so only a process that is gone, frozen or cut off stays silent for 10.
 */
const PATIENT = {
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

/** The same, once a worker had no answer: of whichever asks first, and not of the one that runs the workflow (see `LANE`). */
export const ASKING_ANOTHER = { ...ASKING, allowEagerDispatch: false } as const satisfies ActivityOptions;

/**
 * For lanes: another worker takes over soon after one has died. Handed to whichever worker asks first: a server gives other
 * activities straight to the worker that runs the workflow (eager execution), which would get all lanes while others stand by.
 */
export const LANE = {
  ...PATIENT,
  allowEagerDispatch: false,
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
} as const satisfies ActivityOptions;

/** Characters; the server refuses summaries of more than 400 bytes. */
const LONGEST_SUMMARY = 130;

/**
 * The activities, with the line that the Temporal UI shows beside each (fixed when it is scheduled), and how patient a call
 * is: `PATIENT` unless said otherwise.
 */
export const activities = (summary: string, options: ActivityOptions = PATIENT) =>
  proxyActivities<Activities>({ ...options, summary: summary.split('\n', 1)[0]!.slice(0, LONGEST_SUMMARY) });
