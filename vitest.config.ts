import { configDefaults, defineConfig } from 'vitest/config';

/** Tests beside servers that nobody starts yet: they run where a URL says that one is there. */
const withoutServers =
  process.env['WAYBILL_TEST_MYSQL_URL'] || process.env['WAYBILL_TEST_MARIADB_URL']
    ? []
    : ['test/sql/mysql-server.test.ts'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...withoutServers],
    globalSetup: ['test/global-setup.ts'],
    // The Temporal worker's native parts do not like worker threads.
    pool: 'forks',
    // Each file has databases of its own, but the machine has two cores.
    maxWorkers: 2,
    // For the files whose tests run side by side.
    maxConcurrency: 3,
    // Loads take seconds; a machine that does other things too takes many times as long.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    // In CI a test that failed is tried once more; the last lines of the run name it.
    retry: process.env['CI'] ? 1 : 0,
    reporters: ['default', './test/reporter.ts'],
  },
});
