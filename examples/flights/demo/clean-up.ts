import { CancelledError } from '../../../src/errors.ts';
import { say } from './terminal.ts';

/** What has to be ended, in the order in which it was started. */
export interface CleanUp {
  /**
   * Remembers how to end what was just started.
   *
   * @throws CancelledError when everything is being ended already: then this was ended, too, and nothing more should start.
   */
  add(what: string, stop: () => Promise<void>): Promise<void>;
  /** Ends everything, last one first; the same promise however often it is asked. */
  run(): Promise<void>;
  /** Rejects with a CancelledError when a person or another program asks us to end. */
  interruption: Promise<never>;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ends everything also when the demo is interrupted: by Ctrl-C, by `kill`, by a terminal that closes. (If this process is
 * killed outright, the watchdogs of `src/dev` do it.)
 */
export function cleanUpAtTheEnd(): CleanUp {
  const tasks: { what: string; stop: () => Promise<void> }[] = [];
  let running: Promise<void> | undefined;
  let interrupt: () => void;
  const interruption = new Promise<never>((_, reject) => {
    interrupt = () => reject(new CancelledError('Interrupted: stopping everything.'));
  });
  interruption.catch(() => undefined); // nobody may be waiting

  const end = async ({ what, stop }: (typeof tasks)[number]): Promise<void> => {
    await stop().catch((error: unknown) => say(`Could not stop ${what}: ${String(error)}`));
  };
  const endAll = async (): Promise<void> => {
    for (const task of tasks.reverse()) await end(task);
  };

  for (const signal of SIGNALS) process.on(signal, () => interrupt());
  return {
    add: async (what, stop) => {
      if (running === undefined) {
        tasks.push({ what, stop });
        return;
      }
      await end({ what, stop });
      throw new CancelledError(`Interrupted: ${what} was stopped again.`);
    },
    run: () => (running ??= endAll()),
    interruption,
  };
}
