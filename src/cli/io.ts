import type { Writable } from 'node:stream';

/** A stream of a terminal, or what stands in for it. */
export type Output = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** What a command touches of the process, so that tests can run one inside theirs. */
export interface Io {
  stdout: Output;
  stderr: Output;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Calls back at SIGINT, and at SIGTERM where `alsoTerm`; the answer takes it back. */
  onInterrupt(heard: (signal: string) => void, alsoTerm?: boolean): () => void;
}

/** One Ctrl-C can arrive twice (from the terminal, and passed on by npm or tsx); no person is that fast. */
const SAME_KEYPRESS_MS = 150;

/** The process itself. */
export const processIo: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  onInterrupt: (heard, alsoTerm = false) => {
    let last = 0;
    const listener = (signal: string): void => {
      if (Date.now() - last < SAME_KEYPRESS_MS) return;
      last = Date.now();
      heard(signal);
    };
    const signals = alsoTerm ? ['SIGINT', 'SIGTERM'] : ['SIGINT'];
    for (const signal of signals) process.on(signal, listener);
    return () => signals.forEach((signal) => process.off(signal, listener));
  },
};
