import { defineConfig } from 'vitest/config';
import { temporaryFolder } from './test/temporary-folder.ts';

// Inherited by every process of the run.
process.env['TMPDIR'] ??= temporaryFolder();

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    // A worker inside a test runs its workflows in the test's own thread: a thread of its own, with an SDK loaded anew, takes
    // half a second of a processor for each worker. So does one that is to be killed at once; other processes run them as a real one does.
    env: { TEMPORAL_DEBUG: '1' },
    // The Temporal worker's native parts do not like worker threads.
    pool: 'forks',
    // What a file imports stays loaded for the next one: it takes two seconds of a processor, and there are as many files as minutes.
    isolate: false,
    // Each file has databases of its own. Twice the cores of a small machine: half of the time a test waits, for heartbeats
    // that are missed, for pauses that grow, for servers that start.
    maxWorkers: 4,
    // For the files whose tests run side by side, each of which waits most of the time.
    maxConcurrency: 4,
    // Loads take seconds; a machine that does other things too takes many times as long.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    // In CI a test to which something came too late is tried once more, and the last lines of the run name it; one that found something
    // wrong is not: second-try.ts decides. `retry: 0` of a test means not even that, since it tries again what is slow in it by itself, or
    // since what does not come there may be a lock that never goes away.
    retry: process.env['CI'] ? 1 : 0,
    setupFiles: ['./test/second-try.ts'],
    // A call that the Temporal client tries again, though its connection was closed since: no caller hears of it.
    onUnhandledError: ({ message }) => (message === 'Channel has been shut down' ? false : undefined),
    // What a load ended with, whole, in the message of a test that expected another end: the message is all that remains of a first try.
    chaiConfig: { truncateThreshold: 2_000 },
    reporters: ['default', './test/reporter.ts'],
  },
});
