import type { RunEnd } from '../client/run-end.ts';
import { findName } from '../client/names.ts';
import type { BatchView } from '../client/views.ts';
import { EXIT, LoadFailedError } from '../errors.ts';
import type { AddCommand } from './cli.ts';
import { follow } from './follow.ts';
import { runDocument, runSummary } from './run-summary.ts';

export const addCancel: AddCommand = (program, cli, done) => {
  program
    .command('cancel')
    .description('end a running load or session: its SQL is stopped, its rows are taken back')
    .argument('<name>', 'a load or a session')
    .option(
      '--reason <text>',
      'why; stands in the events of the batch (of a session: of each that runs), and in Temporal',
    )
    .option('--no-wait', 'do not wait until it is rolled back')
    .action(async (name: string, { reason, wait }: { reason?: string; wait: boolean }) => {
      const exitCode = await cli.withWaybill(
        async (waybill) => {
          const follower = await waybill.cancel(name, reason === undefined ? {} : { reason });
          const accepted = (): number => {
            cli.document({ name, answer: 'accepted' });
            cli.say(`${name}: asked to end. waybill status shows when it is rolled back`);
            return EXIT.done;
          };
          if (!wait) return accepted();
          const end = await follow(cli, follower, { interrupt: 'leave' });
          if (typeof end === 'string') return accepted();
          if (end.status !== 'cancelled') throw tooLate(name, end);
          const error = unfinished(name, end);
          cli.document(runDocument({ ...end, error }));
          cli.say(runSummary(end));
          if (error === undefined) return EXIT.done;
          cli.complain(error);
          return error.exitCode;
        },
        { check: (project) => findName(project, name) },
      );
      done(exitCode);
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

/** Batches that are not over, or of which nobody can say so, since their ledger cannot be read. */
const isLeft = ({ batch_id: id, state, status }: BatchView): boolean =>
  state === null ? id !== null && status === 'error' : ['running', 'checking', 'rolling_back'].includes(state);

/** It was cancelled, and something of it is still there. */
function unfinished(name: string, end: RunEnd): LoadFailedError | undefined {
  const left = end.loads.filter(isLeft);
  const [first] = left;
  if (first === undefined) return undefined;
  const said = end.kind === 'load' ? end.error : first.error;
  return new LoadFailedError(
    `${name} has ended, and is not rolled back: ${said?.message ?? `its batch is ${first.state ?? 'not known'}`}`,
    {
      where: left.map(({ load, batch_id: id }) => `load ${load}, batch ${id}`).join('; '),
      next: said?.next ?? `waybill run ${first.load} finishes the roll back first`,
    },
  );
}
