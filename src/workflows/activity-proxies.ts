import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.ts';

/**
 * A worker that dies is noticed after this long. Activities heartbeat every 2 s, and the worker passes heartbeats on at
 * least every 3 s, so only a process that is gone, frozen or cut off stays silent for 10.
 */
const HEARTBEAT_TIMEOUT = '10 seconds';

const patient = {
  // Bounded by the batch's deadline, which the workflow keeps; this only stops a lost activity from waiting for ever.
  startToCloseTimeout: '30 days',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
} satisfies ActivityOptions;

/** For work that outlives an outage of the database: tried until it is done, or the batch's time is over. */
export const activities = proxyActivities<Activities>(patient);

/** For the first question of a start: a person waits for the answer, so an unreachable database is soon said. */
export const asking = proxyActivities<Activities>({
  ...patient,
  retry: { ...patient.retry, maximumInterval: '2 seconds', maximumAttempts: 4 },
});
