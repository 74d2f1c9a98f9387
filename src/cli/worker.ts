import { EXIT } from '../errors.ts';
import type { AddCommand } from './cli.ts';
import { UsageError } from './usage-error.ts';

export const addWorker: AddCommand = (program, cli, done) => {
  program
    .command('worker')
    .description(
      'run the project’s loads until it is stopped (SIGTERM, SIGHUP or Ctrl-C: lanes end after their chunk; twice: at once)',
    )
    .option('--no-migrate', 'leave the control tables as they are')
    .action(async ({ migrate }: { migrate: boolean }) => {
      const { io, projectFolder } = cli;
      // The SDK's native parts take a while to load, and so does what writes logs: only here.
      const [{ startWorker }, { createLog }] = await Promise.all([import('../worker/worker.ts'), import('./log.ts')]);
      const log = createLog(io);
      const worker = await startWorker({ project: projectFolder, log, migrate, env: io.env, ...historyLimit(io.env) });
      const off = io.onInterrupt((signal) => {
        if (stopping) process.exit(EXIT.failed);
        stopping = true;
        log.info(`${signal}: stopping; lanes end after their chunk. Again: at once`);
        worker.stop().catch(() => undefined); // `done` says it
      }, true);
      let stopping = false;
      log.info({ project: projectFolder }, 'the worker polls');
      try {
        await worker.done;
      } finally {
        off();
      }
      log.info('the worker has stopped');
      done(EXIT.done);
    });
};

/** WAYBILL_HISTORY_LIMIT: history events after which a load continues as new. */
export function historyLimit(env: NodeJS.ProcessEnv): { historyLimit?: number } {
  const text = env['WAYBILL_HISTORY_LIMIT'];
  if (text === undefined || text === '') return {};
  const limit = Number(text);
  if (Number.isInteger(limit) && limit > 0) return { historyLimit: limit };
  throw new UsageError(`WAYBILL_HISTORY_LIMIT is ${text}, and must be a whole number above 0`);
}
