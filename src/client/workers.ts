import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Project } from '../config/definition.ts';
import { ConfigurationError, UnreachableError } from '../errors.ts';
import { OWN_QUEUE } from '../workflows/messages.ts';

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
      lastPollMs: Number(lastAccessTime?.seconds ?? 0) * 1000 + Number(lastAccessTime?.nanos ?? 0) / 1e6,
    }))
    .filter(({ identity }) => isAlive(identity) !== false)
    .sort((a, b) => b.lastPollMs - a.lastPollMs);
}

const isRecent = ({ lastPollMs }: Poller): boolean => Date.now() - lastPollMs < SEEN_WITHIN_MS;

/** What a worker's queue and identity are known by. */
type Polled = Pick<Project, 'name' | 'taskQueue'>;

/** Identities of the workers that poll the project's task queue, and may do its work. */
export async function pollingWorkers(client: Client, { name, taskQueue }: Polled): Promise<string[]> {
  const pollers = await rememberedPollers(client, taskQueue);
  return pollers.filter((poller) => isRecent(poller) && !otherThan(name, poller)).map(({ identity }) => identity);
}

/** A worker that was started at the same time needs seconds until its first poll is known, on a busy machine. */
const JUST_STARTED_MS = 10_000;

/** Throws `UnreachableError` when nobody would hear of the work. */
export async function requireWorker(client: Client, { name, taskQueue }: Polled): Promise<void> {
  let firstMs: number | undefined;
  let last: Poller | undefined;
  let others: string[] = [];
  for (const start = Date.now(); Date.now() - start < JUST_STARTED_MS; await sleep(200)) {
    const pollers = await rememberedPollers(client, taskQueue);
    [last] = pollers.filter((poller) => !otherThan(name, poller));
    others = othersOf(name, pollers.filter(isRecent));
    firstMs ??= last?.lastPollMs ?? 0;
    // One that polls anew while we look is there, whatever our clock says.
    if (last && (isRecent(last) || last.lastPollMs > firstMs)) return;
  }
  const where = `Temporal namespace ${client.options.namespace}`;
  const start = `start one: waybill worker; or all in one for development: waybill dev`;
  if (others.length > 0) {
    throw new UnreachableError(
      `no worker of project ${name} polls task queue ${taskQueue}, but workers of project ${others.join(', ')} do`,
      { where, next: `${OWN_QUEUE}; then ${start}` },
    );
  }
  throw new UnreachableError(`no worker polls task queue ${taskQueue}`, {
    where,
    next: `${start}${last ? lastPoll(last) : ''}`,
  });
}

/**
 * Throws `ConfigurationError` where workers of another project poll the task queue: each would get the other's work. One that has just
 * been stopped is still remembered; unless its process can be seen, it is waited for until it polls anew, or has been silent for too long.
 * `say`: that this takes a while.
 */
export async function refuseOthersQueue(
  client: Client,
  { name, taskQueue }: Polled,
  say: (text: string) => void,
): Promise<void> {
  const first = new Map<string, number>();
  const began = performance.now();
  for (let looks = 0; performance.now() - began < SEEN_WITHIN_MS; looks += 1, await sleep(1_000)) {
    const pollers = (await rememberedPollers(client, taskQueue)).filter((one) => isRecent(one) && otherThan(name, one));
    if (pollers.length === 0) return;
    if (looks === 0) for (const { identity, lastPollMs } of pollers) first.set(identity, lastPollMs);
    const living = pollers.filter(
      ({ identity, lastPollMs }) => isAlive(identity) === true || lastPollMs > (first.get(identity) ?? 0),
    );
    if (living.length > 0) throw othersQueue(client, taskQueue, othersOf(name, living), living[0]!.identity);
    if (looks > 0) continue;
    const [{ identity }] = pollers as [Poller];
    say(
      `task queue ${taskQueue} was polled by workers of project ${othersOf(name, pollers).join(', ')} (${identity}): ` +
        `this one waits, ${SEEN_WITHIN_MS / 1000} s at most, to see whether they still do`,
    );
  }
}

const othersQueue = (client: Client, taskQueue: string, others: string[], identity: string): ConfigurationError =>
  new ConfigurationError(`task queue ${taskQueue} is polled by workers of project ${others.join(', ')}`, {
    where: `Temporal namespace ${client.options.namespace}, worker ${identity}`,
    next: OWN_QUEUE,
  });

/** The project of a worker, where that is another one; undefined also for workers of a version that did not say it. */
function otherThan(project: string, { identity }: Poller): string | undefined {
  const [, theirs] = /^\d+@\S*, project (.+?)(?: \(\w{8}\))?$/s.exec(identity) ?? [];
  return theirs === project ? undefined : theirs;
}

const othersOf = (project: string, pollers: Poller[]): string[] => [
  ...new Set(pollers.flatMap((poller) => otherThan(project, poller) ?? [])),
];

const lastPoll = ({ identity, lastPollMs }: Poller): string =>
  `. The last poll was that of ${identity}, ${Math.round((Date.now() - lastPollMs) / 1000)} s ago by this machine's clock: ` +
  'if it runs, set the clock right';

/**
 * What a worker is called in Temporal: its process, its project, and where that number means this process. Containers may share a host
 * name, and machines too, and have a process of the same number each.
 */
export function workerIdentity(project: string): string {
  const space = pidSpace();
  return `${process.pid}@${hostname()}, project ${project}${space === undefined ? '' : ` (${space})`}`;
}

/**
 * The server remembers a killed worker for minutes; of processes that we can see we know better. Another's is not judged (undefined), nor
 * what was a worker in this very process.
 */
function isAlive(identity: string): boolean | undefined {
  const [, pid, space] = /^(\d+)@.* \((\w+)\)$/s.exec(identity) ?? [];
  if (pid === undefined || space !== pidSpace() || Number(pid) === process.pid) return undefined;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
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
