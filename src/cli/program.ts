import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { errorView } from '../client/error-view.ts';
import { EXIT, WaybillError } from '../errors.ts';
import { addCancel } from './cancel.ts';
import { Cli, type AddCommand, type GlobalOptions } from './cli.ts';
import { addDev } from './dev.ts';
import { addImport } from './import.ts';
import { addInit } from './init.ts';
import type { Io } from './io.ts';
import { addLanes } from './lanes.ts';
import { addLaterCommands } from './later.ts';
import { addMigrate } from './migrate.ts';
import { addPause } from './pause.ts';
import { addPlan } from './plan.ts';
import { addResume } from './resume.ts';
import { addRun } from './run.ts';
import { addShow } from './show.ts';
import { addStatus } from './status.ts';
import { UsageError } from './usage-error.ts';
import { addValidate } from './validate.ts';
import { addWorker } from './worker.ts';

/** In the order of `waybill --help`: what a newcomer needs first. */
const COMMANDS: AddCommand[] = [
  addInit,
  addValidate,
  addPlan,
  addDev,
  addWorker,
  addMigrate,
  addRun,
  addStatus,
  addShow,
  addCancel,
  addPause,
  addResume,
  addLanes,
  addImport,
  addLaterCommands,
];

const EXIT_CODES = `
Exit codes: 0 done, or nothing to do · 1 the load failed · 2 usage or configuration · 3 cancelled ·
            4 already running · 5 a service is unreachable, or no worker polls`;

/** Runs one command line and answers its exit code. Everything that goes wrong is said here, once. */
export async function main(argv: string[], io: Io): Promise<number> {
  const cli = new Cli(io);
  // Before commander has read a line that may be wrong.
  cli.options = { json: argv.includes('--json') };
  let exitCode: number = EXIT.done;
  const program = programOf(cli, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done; // --help, --version
    const failure = error instanceof CommanderError ? usageError(error, commandOf(program, argv)) : error;
    cli.document({ error: errorView(failure) });
    cli.complain(failure);
    return failure instanceof WaybillError ? failure.exitCode : EXIT.failed;
  }
}

function programOf(cli: Cli, done: (exitCode: number) => void): Command {
  const program = new Command('waybill')
    .description('Durable SQL warehouse loads: no row lost, none twice, nothing to clean up by hand.')
    .version(version(), '--version')
    .option('--project <dir>', 'the folder of waybill.yaml (default: the nearest one from here up)')
    .option('--json', 'one JSON document on standard output; all else on standard error')
    .addHelpText('after', EXIT_CODES)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => cli.io.stdout.write(text),
      writeErr: (text) => cli.io.stderr.write(text),
      outputError: () => undefined, // `main` says it
    })
    .showSuggestionAfterError(true)
    .exitOverride()
    .hook('preAction', (command) => {
      cli.options = command.opts<GlobalOptions>();
    });
  for (const add of COMMANDS) add(program, cli, done);
  return program;
}

/** Commander's own complaints in our form. Without a command it prints its help, and that is usage too. */
function usageError(error: CommanderError, command: string | undefined): UsageError {
  if (error.code === 'commander.help') {
    return new UsageError('a command is missing', { next: 'see the list above', cause: error });
  }
  const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  return new UsageError(message, { next: `waybill ${command === undefined ? '' : `${command} `}--help`, cause: error });
}

/** The command that a line begins with, for its help. */
function commandOf(program: Command, argv: string[]): string | undefined {
  return argv.find((word) => program.commands.some((command) => command.name() === word));
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
