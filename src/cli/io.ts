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
  /**
   * Calls back at SIGINT, and where `alsoEnd` at SIGTERM and SIGHUP (the terminal is gone), too; at SIGHUP only where nothing was heard
   * before. The answer takes it back.
   */
  onInterrupt(heard: (signal: string) => void, alsoEnd?: boolean): () => void;
}

/** One Ctrl-C can arrive twice (from the terminal, and passed on by npm or tsx); no person is that fast. */
const SAME_KEYPRESS_MS = 150;

/** Whether anything was heard. A terminal that closes after that is nobody who asks again: it is said by its shell, and again by the kernel. */
let heardOne = false;

/** What of standard input, output and error is a terminal when we start. */
const onTerminal = [0, 1, 2].filter((stream) => isatty(stream));

/** At its end Node puts terminals back as they were, and aborts with a core dump where one is gone: then the signal ends us after all. */
function endWithTerminal(): void {
  if (onTerminal.every((stream) => isatty(stream))) return;
  process.removeAllListeners('SIGHUP'); // a listener that still heard it would keep us
  process.kill(process.pid, 'SIGHUP');
}

/** Listens until the process ends: what was asked for before (a roll back) is not cut off, even where nobody else listens any more. */
function hangUp(): void {
  process.off('exit', endWithTerminal);
  process.on('exit', endWithTerminal);
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
      if (signal === 'SIGHUP' && heardOne) return;
      if (Date.now() - last < SAME_KEYPRESS_MS) return;
      last = Date.now();
      heardOne = true;
      heard(signal);
    };
    if (alsoEnd && !process.listeners('SIGHUP').includes(hangUp)) process.on('SIGHUP', hangUp);
    const signals = alsoEnd ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT'];
    for (const signal of signals) process.on(signal, listener);
    return () => signals.forEach((signal) => process.off(signal, listener));
  },
};
