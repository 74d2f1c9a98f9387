import type { RunEnd } from '../client/run-end.ts';
import { EXIT, LoadFailedError } from '../errors.ts';
import type { AddCommand } from './cli.ts';
import { follow } from './follow.ts';
import { runDocument, runSummary } from './run-summary.ts';

export const addCancel: AddCommand = (program, cli, done) => {
  program
    .command('cancel')
    .description('end a running load or session: its SQL is stopped, its rows are taken back')
    .argument('<name>', 'a load or a session')
    .option('--reason <text>', 'why; stands in the events of the batch')
    .option('--no-wait', 'do not wait until it is rolled back')
    .action(async (name: string, { reason, wait }: { reason?: string; wait: boolean }) => {
      await cli.withWaybill(async (waybill) => {
        const follower = await waybill.cancel(name, reason === undefined ? {} : { reason });
        if (!wait) {
          cli.document({ name, answer: 'accepted' });
          cli.say(`${name}: asked to end. waybill status shows when it is rolled back`);
          return;
        }
        const end = await follow(cli, follower, { interrupt: 'leave' });
        if (end === 'detached') return;
        if (end.status !== 'cancelled') throw tooLate(name, end);
        cli.document(runDocument({ ...end, error: undefined }));
        cli.say(runSummary(end));
      });
      done(EXIT.done);
    });
};

/** It ended by itself before the cancel reached it. */
function tooLate(name: string, end: RunEnd): LoadFailedError {
  const batch = end.loads.find((load) => load.batch_id !== null)?.batch_id;
  const what = end.status === 'failed' ? 'it had failed already' : 'it was done already, and what is published stays';
  return new LoadFailedError(`too late to cancel ${name}: ${what}`, {
    where: batch === undefined ? undefined : `batch ${batch}`,
    next: `waybill status ${name}`,
  });
}
