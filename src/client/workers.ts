import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { UnreachableError } from '../errors.ts';

/**
 * A poll lasts a minute at most (Temporal's long-poll timeout), so a poller that was not seen for longer than that, and a
 * little, is gone.
 */
const SEEN_WITHIN_MS = 75_000;

/** `temporal.api.enums.v1.TaskQueueType`, workflow: a Waybill worker always polls for both sorts. */
const WORKFLOW_TASKS = 1;

/** Identities of the workers that poll the task queue. */
export async function pollingWorkers(client: Client, taskQueue: string): Promise<string[]> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: WORKFLOW_TASKS,
  });
  return (pollers ?? [])
    .filter(({ lastAccessTime }) => Date.now() - Number(lastAccessTime?.seconds ?? 0) * 1000 < SEEN_WITHIN_MS)
    .map(({ identity }) => identity ?? '')
    .filter((identity) => !isGone(identity));
}

/** A worker that was started at the same time needs seconds until its first poll is known, on a busy machine. */
const JUST_STARTED_MS = 10_000;

/** Throws `UnreachableError` when nobody would hear of the work. */
export async function requireWorker(client: Client, taskQueue: string): Promise<void> {
  for (const start = Date.now(); Date.now() - start < JUST_STARTED_MS; await sleep(200)) {
    if ((await pollingWorkers(client, taskQueue)).length > 0) return;
  }
  throw new UnreachableError(`no worker polls task queue ${taskQueue}`, {
    where: `Temporal namespace ${client.options.namespace}`,
    next: 'start one: waybill worker; or all in one for development: waybill dev',
  });
}

/** The server remembers a killed worker for minutes; of this machine's own processes we know better. */
function isGone(identity: string): boolean {
  const match = /^(\d+)@(.+)$/.exec(identity);
  if (match === null || match[2] !== hostname()) return false;
  try {
    process.kill(Number(match[1]), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
