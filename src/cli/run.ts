import type { RunFollower } from '../client/follow-run.ts';
import { lookView } from '../client/look-view.ts';
import { findName } from '../client/names.ts';
import type { RunEnd } from '../client/run-end.ts';
import type { RunOptions } from '../client/start-run.ts';
import type { Waybill } from '../client/waybill.ts';
import type { Project } from '../config/definition.ts';
import { EXIT } from '../errors.ts';
import type { AddCommand, Cli } from './cli.ts';
import { follow, type FollowOptions, type Left } from './follow.ts';
import { runParameters } from './run-parameters.ts';
import { runDocument, runSummary } from './run-summary.ts';
import { runPage } from './temporal-ui.ts';

interface RunFlags extends Pick<RunOptions, 'force' | 'resume' | 'adopt' | 'attach' | 'since' | 'until' | 'full'> {
  detach?: boolean;
  param?: string[];
}

export const addRun: AddCommand = (program, cli, done) => {
  program
    .command('run')
    .description('start a load or a session and follow it; Ctrl-C leaves it running, twice cancels it')
    .argument('<name>', 'a load (core.flight) or a session (nightly)')
    .option('--force', 'a running load: roll its batch back and begin anew; else: wait for no person')
    .option('--resume', 'go on in the batch that is held')
    .option('--adopt', 'take over _processing tables that another tool left')
    .option('--attach', 'if it is running already, follow it')
    .option('--detach', 'start it and do not follow it')
    .option('--param <k=v>', 'a parameter of the load; may be given several times', collect)
    .option('--since <value>', 'of an acquisition: read from this value of the cursor on, what was read before too')
    .option('--until <value>', 'of an acquisition: read up to this value of the cursor, not with it')
    .option('--full', 'of an acquisition: read everything again')
    .action(async (name: string, flags: RunFlags) => {
      const check = (project: Project): unknown => findName(project, name);
      done(await cli.withWaybill((waybill) => runAndFollow(cli, waybill, name, flags), { check }));
    });
};

const collect = (value: string, before: string[] = []): string[] => [...before, value];

async function runAndFollow(cli: Cli, waybill: Waybill, name: string, flags: RunFlags): Promise<number> {
  const { param = [], detach, ...options } = flags;
  const params = runParameters(waybill.project, name, param);
  const follower = await waybill.run(name, { ...options, params });
  if (detach === true) return detached(cli, waybill, follower, 'detached');
  const cancel = (): Promise<unknown> => waybill.cancel(name);
  return (await followToEnd(cli, waybill, follower, { interrupt: 'detach', cancel })).exitCode;
}

/** Follows a run and says how it ended, or how it was left before it had. */
export async function followToEnd(
  cli: Cli,
  waybill: Waybill,
  follower: RunFollower,
  options: FollowOptions,
): Promise<{ exitCode: number; left: boolean }> {
  const end = await follow(cli, follower, options);
  if (typeof end !== 'string') return { exitCode: await ended(cli, waybill, follower, end), left: false };
  return { exitCode: await detached(cli, waybill, follower, end, options.interrupt === 'cancel'), left: true };
}

async function ended(cli: Cli, waybill: Waybill, follower: RunFollower, end: RunEnd): Promise<number> {
  // Rows are what such a run is for: they stand alone on standard output, or before the document.
  const shows = await showRows(cli, waybill, end);
  cli.document(runDocument(end));
  if (shows) cli.note(runSummary(end));
  else cli.say(runSummary(end));
  const page = runPage(cli.io.env, waybill.temporal, follower);
  if (page !== undefined && !shows) cli.say(`Temporal: ${page}`);
  if (end.error === undefined) return EXIT.done;
  cli.complain(end.error);
  return end.error.exitCode;
}

/** False: there are none to show. Where they cannot be printed, that is said beside how the run itself ended; where it ended well, it is thrown. */
async function showRows(cli: Cli, waybill: Waybill, end: RunEnd): Promise<boolean> {
  let last = '\n';
  try {
    return await waybill.showOutput(end, (text) => {
      last = text.at(-1) ?? last;
      return cli.write(text);
    });
  } catch (error) {
    if (last !== '\n') await cli.write('\n'); // in the middle of a row: the document has a line of its own
    if (end.error === undefined) throw error;
    cli.complain(error);
    return true;
  }
}

/** It goes on by itself, or ends by itself; `withWorker`: not before another worker is there. */
async function detached(
  cli: Cli,
  waybill: Waybill,
  follower: RunFollower,
  left: Left,
  withWorker = false,
): Promise<number> {
  const { name } = follower.named;
  cli.document(lookView(waybill.project, follower.named, await follower.look()));
  if (left === 'cancelling') {
    cli.say(
      withWorker
        ? `${name} was asked to end, but everything here stops now: what is not rolled back yet is by the next worker or start (which may ask for --force)`
        : `${name} was asked to end, and is rolled back first. See: waybill status ${name}`,
    );
    return EXIT.cancelled;
  }
  cli.say(`${name} runs. Follow it: waybill run ${name} --attach; end it: waybill cancel ${name}`);
  const page = runPage(cli.io.env, waybill.temporal, follower);
  if (page !== undefined) cli.say(`Temporal: ${page}`);
  return EXIT.done;
}
