import { say } from './terminal.ts';

/** What has to be ended, in the order in which it was started. */
export interface CleanUp {
  add(what: string, stop: () => Promise<void>): void;
  /** Ends everything, last one first; the same promise however often it is asked. */
  run(): Promise<void>;
}

/**
 * Ends everything also when the demo is interrupted: by Ctrl-C, by `kill`, by a terminal that closes. (If this process is
 * killed outright, the watchdogs of `src/dev` do it.)
 */
export function cleanUpAtTheEnd(): CleanUp {
  const tasks: { what: string; stop: () => Promise<void> }[] = [];
  let running: Promise<void> | undefined;
  const endAll = async (): Promise<void> => {
    for (const { what, stop } of tasks.reverse()) {
      await stop().catch((error: unknown) => say(`Could not stop ${what}: ${String(error)}`));
    }
  };
  const cleanUp: CleanUp = {
    add: (what, stop) => {
      // Started while everything was being ended: it goes at once.
      if (running === undefined) tasks.push({ what, stop });
      else running = running.then(stop);
    },
    run: () => (running ??= endAll()),
  };
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      if (running !== undefined) return;
      say('Interrupted: stopping everything');
      void cleanUp.run().finally(() => process.exit(code));
    });
  }
  return cleanUp;
}
