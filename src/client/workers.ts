import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
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

interface Poller {
  identity: string;
  /** By the server's clock; Temporal tells nobody what that says now. */
  lastPollMs: number;
}

/** Those that the server remembers, newest first, and not the ones that are seen to be gone. */
async function rememberedPollers(client: Client, taskQueue: string): Promise<Poller[]> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: WORKFLOW_TASKS,
  });
  return (pollers ?? [])
    .map(({ identity, lastAccessTime }) => ({
      identity: identity ?? '',
      lastPollMs: Number(lastAccessTime?.seconds ?? 0) * 1000,
    }))
    .filter(({ identity }) => !isGone(identity))
    .sort((a, b) => b.lastPollMs - a.lastPollMs);
}

const isRecent = ({ lastPollMs }: Poller): boolean => Date.now() - lastPollMs < SEEN_WITHIN_MS;

/** Identities of the workers that poll the task queue. */
export async function pollingWorkers(client: Client, taskQueue: string): Promise<string[]> {
  return (await rememberedPollers(client, taskQueue)).filter(isRecent).map(({ identity }) => identity);
}

/** A worker that was started at the same time needs seconds until its first poll is known, on a busy machine. */
const JUST_STARTED_MS = 10_000;

/** Throws `UnreachableError` when nobody would hear of the work. */
export async function requireWorker(client: Client, taskQueue: string): Promise<void> {
  let firstMs: number | undefined;
  let last: Poller | undefined;
  for (const start = Date.now(); Date.now() - start < JUST_STARTED_MS; await sleep(200)) {
    [last] = await rememberedPollers(client, taskQueue);
    firstMs ??= last?.lastPollMs ?? 0;
    // One that polls anew while we look is there, whatever our clock says.
    if (last && (isRecent(last) || last.lastPollMs > firstMs)) return;
  }
  throw new UnreachableError(`no worker polls task queue ${taskQueue}`, {
    where: `Temporal namespace ${client.options.namespace}`,
    next: `start one: waybill worker; or all in one for development: waybill dev${last ? lastPoll(last) : ''}`,
  });
}

const lastPoll = ({ identity, lastPollMs }: Poller): string =>
  `. The last poll was that of ${identity}, ${Math.round((Date.now() - lastPollMs) / 1000)} s ago by this machine's clock: ` +
  'if it runs, set the clock right';

/**
 * What a worker is called in Temporal: its process, and where that number means this process. Containers may share a host name, and
 * machines too, and have a process of the same number each.
 */
export function workerIdentity(): string {
  const space = pidSpace();
  return `${process.pid}@${hostname()}${space === undefined ? '' : ` (${space})`}`;
}

/** The server remembers a killed worker for minutes; of processes that we can see we know better. Another's is not judged. */
function isGone(identity: string): boolean {
  const [, pid, space] = /^(\d+)@.* \((\w+)\)$/s.exec(identity) ?? [];
  if (pid === undefined || space !== pidSpace()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Where process ids mean the same: a boot of a kernel and, in that, a namespace, which each container has of its own. */
function pidSpace(): string | undefined {
  try {
    const [boot, namespace] =
      process.platform === 'linux'
        ? [readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'), readlinkSync('/proc/self/ns/pid')]
        : [hostname(), ''];
    return createHash('sha256').update(`${boot} ${namespace}`).digest('hex').slice(0, 8);
  } catch {
    return undefined; // no /proc: nobody is taken for gone
  }
}
