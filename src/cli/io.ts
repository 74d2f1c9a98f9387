import type { Writable } from 'node:stream';
import { isatty } from 'node:tty';

/** A stream of a terminal, or what stands in for it. */
export type Output = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** What a command touches of the process, so that tests can run one inside theirs. */
export interface Io {
  stdout: Output;
  stderr: Output;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Calls back at SIGINT, and where `alsoEnd` at SIGTERM and SIGHUP (the terminal is gone), too; the answer takes it back. */
  onInterrupt(heard: (signal: string) => void, alsoEnd?: boolean): () => void;
}

/** One Ctrl-C can arrive twice (from the terminal, and passed on by npm or tsx); no person is that fast. */
const SAME_KEYPRESS_MS = 150;

/** A terminal goes once, and nobody is left to press twice: its shell says so, and the kernel again when the shell has ended. */
let hungUp = false;

/** What of standard input, output and error is a terminal when we start. */
const onTerminal = [0, 1, 2].filter((stream) => isatty(stream));

/** At its end Node puts terminals back as they were, and aborts with a core dump where one is gone: then the signal ends us after all. */
function endWithTerminal(): void {
  if (!onTerminal.every((stream) => isatty(stream))) process.kill(process.pid, 'SIGHUP');
}

/** The process itself. */
export const processIo: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  onInterrupt: (heard, alsoEnd = false) => {
    let last = 0;
    const listener = (signal: string): void => {
      if (signal === 'SIGHUP' && hungUp) return;
      if (signal === 'SIGHUP') {
        hungUp = true;
        process.once('exit', endWithTerminal);
      }
      if (Date.now() - last < SAME_KEYPRESS_MS) return;
      last = Date.now();
      heard(signal);
    };
    const signals = alsoEnd ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT'];
    for (const signal of signals) process.on(signal, listener);
    return () => signals.forEach((signal) => process.off(signal, listener));
  },
};
