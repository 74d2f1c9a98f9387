import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How to end a process: each signal in turn, with the time that it gets to work. SIGKILL comes last by itself. */
export type StopSignals = { signal: NodeJS.Signals; waitMs: number }[];

export interface ServerProcessOptions {
  command: string;
  args: string[];
  /** Standard output and error go here, from an empty file on: nothing of the server's chatter reaches the terminal. */
  logFile: string;
  stopSignals: StopSignals;
  cwd?: string;
  uid?: number;
  gid?: number;
  env?: NodeJS.ProcessEnv;
  /** The server goes on when this process ends. Default: it ends with us, however we end. */
  outlivesUs?: boolean;
  /** Directories that go when the server went because we died. */
  removeWhenOrphaned?: string[];
}

/** A server that this process started. */
export interface ServerProcess {
  pid: number;
  /** Undefined while it runs; afterwards how it ended, in words. */
  ending(): string | undefined;
  /** Everything that it has said. */
  log(): string;
  /** Ends it and waits until it is gone. Harmless when it is gone already. */
  stop(): Promise<void>;
}

/**
 * Starts a server in a process group of its own, so that Ctrl-C in our terminal does not reach it in the middle of our
 * own clean-up. Unless it `outlivesUs`, it ends with this process, however that ends.
 */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const log = openSync(options.logFile, 'w', 0o600);
  const child = spawn(options.command, options.args, {
    cwd: options.cwd ?? '/',
    env: options.env ?? process.env,
    detached: true,
    stdio: ['ignore', log, log],
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  closeSync(log);
  let ending: string | undefined;
  child.once('exit', (code, signal) => {
    ending = signal === null ? `exit code ${String(code)}` : `signal ${signal}`;
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid!;
  child.unref();
  const first = options.stopSignals[0]?.signal ?? 'SIGTERM';
  const watchdog = options.outlivesUs === true ? undefined : endWithUs(pid, first, options.removeWhenOrphaned);
  child.once('exit', () => watchdog?.dismiss());

  return {
    pid,
    ending: () => ending,
    log: () => readFileSync(options.logFile, 'utf8'),
    stop: async () => {
      if (ending === undefined) await stopProcess(pid, options.stopSignals, () => ending === undefined);
      watchdog?.dismiss();
    },
  };
}

/** Ends any process and waits until it is gone: each signal in turn, then SIGKILL. */
export async function stopProcess(
  pid: number,
  signals: StopSignals,
  alive: () => boolean = () => isAlive(pid),
): Promise<void> {
  for (const { signal, waitMs } of [...signals, { signal: 'SIGKILL' as const, waitMs: 10_000 }]) {
    if (!alive()) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    const deadline = Date.now() + waitMs;
    while (alive() && Date.now() < deadline) await sleep(20);
  }
  if (alive()) throw new Error(`Process ${pid} does not end, not even by SIGKILL.`);
}

/** Whether a process of this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The end of what a server has said, for a message: why it did not start. */
export const tail = (log: string): string => log.trim().split('\n').slice(-12).join('\n');

/** How the process was called, or undefined when it is gone (or the machine does not tell). */
export function commandLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    const { status, stdout } = spawnSync('ps', ['-p', String(pid), '-o', 'args='], { encoding: 'utf8' });
    return status === 0 ? stdout : undefined;
  }
}

/** A line means "well ended, go"; the end of the pipe means that our process is gone. */
const WATCHDOG = `
trap '' INT TERM HUP
if read -r line; then exit 0; fi
pid=$1; signal=$2; shift 2
kill -s "$signal" "$pid" 2>/dev/null
i=0
while kill -0 "$pid" 2>/dev/null && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
kill -s KILL "$pid" 2>/dev/null
if [ $# -gt 0 ]; then rm -rf -- "$@"; fi
`;

/**
 * Ends another process when this one is gone for any reason, SIGKILL included: a shell waits for our end of a pipe to
 * close. It holds neither us nor itself up once it is dismissed.
 *
 * @param removeWhenOrphaned directories that go then, too
 */
export function endWithUs(pid: number, signal: NodeJS.Signals, removeWhenOrphaned: string[] = []): { dismiss(): void } {
  const words = [String(pid), signal.replace('SIG', ''), ...removeWhenOrphaned];
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'waybill-watchdog', ...words], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.on('error', () => undefined);
  watchdog.unref();
  watchdog.stdin.on('error', () => undefined);
  // A pipe that we hold open must not hold us open.
  (watchdog.stdin as unknown as { unref?(): void }).unref?.();
  let dismissed = false;
  return {
    dismiss: () => {
      if (!dismissed) watchdog.stdin.end('done\n');
      dismissed = true;
    },
  };
}
