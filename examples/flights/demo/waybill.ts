import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { UnreachableError } from '../../../src/errors.ts';
import { endWithUs, startServerProcess } from '../../../src/dev/server-process.ts';
import type { ServerProcess } from '../../../src/dev/server-process.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const TASK_QUEUE = 'waybill';
const WORKER_START_MS = 60_000;

/** `waybill …` as a user calls it, but one process, without npm or a shell in between: killing it kills it. */
const command = (...words: string[]): string[] => [
  ...['--import', 'tsx', join(ROOT, 'src/cli/main.ts'), '--project', PROJECT],
  ...words,
];

/** A `waybill …` whose output goes to our terminal. */
export interface Running {
  /** Its exit code. */
  ended: Promise<number>;
  stop(): void;
}

/** Runs `waybill …` with our terminal. It does not get our Ctrl-C: we end it ourselves, in order. */
export function waybillLive(environment: NodeJS.ProcessEnv, ...words: string[]): Running {
  const child = spawn(process.execPath, command(...words), {
    cwd: ROOT,
    env: environment,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const watchdog = child.pid === undefined ? undefined : endWithUs(child.pid, 'SIGKILL');
  const ended = once(child, 'exit').then(([code]) => {
    watchdog?.dismiss();
    return (code as number | null) ?? 1;
  });
  return { ended, stop: () => child.kill('SIGKILL') };
}

/** Starts `waybill worker`, a process of its own. It says nothing here; its log is in `logFolder`. */
export function startWorker(
  environment: NodeJS.ProcessEnv,
  logFolder: string,
  name: string,
  outlivesUs: boolean,
): Promise<ServerProcess> {
  return startServerProcess({
    command: process.execPath,
    args: command('worker'),
    logFile: join(logFolder, `${name}.log`),
    removeWhenOrphaned: outlivesUs ? [] : [logFolder],
    cwd: ROOT,
    env: environment,
    outlivesUs,
    // Nothing is lost by haste: that is what the demo is about.
    stopSignals: [{ signal: 'SIGTERM', waitMs: 5_000 }],
  });
}

/** Waits until somebody polls the task queue. @throws UnreachableError when the worker ended, or took too long. */
export async function workerPolls(environment: NodeJS.ProcessEnv, worker: ServerProcess): Promise<void> {
  const { connectionOptions, namespace } = loadClientConnectConfig({
    overrideEnvVars: environment as Record<string, string>,
  });
  const connection = await Connection.connect(connectionOptions);
  try {
    const deadline = Date.now() + WORKER_START_MS;
    while (worker.ending() === undefined && Date.now() < deadline) {
      const { pollers } = await connection.workflowService.describeTaskQueue({
        namespace: namespace ?? 'default',
        taskQueue: { name: TASK_QUEUE },
        taskQueueType: 1, // workflows
      });
      // The server remembers pollers for minutes: after a crash, the dead worker's would answer for the new one.
      if (pollers?.some(({ identity }) => identity?.startsWith(`${worker.pid}@`))) return;
      await sleep(100);
    }
  } finally {
    await connection.close();
  }
  throw new UnreachableError(`The worker did not start (${worker.ending() ?? 'it does not poll'}):\n${worker.log()}`);
}
