import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CancelledError, EXIT } from '../errors.ts';
import { findName } from '../client/names.ts';
import { loadProject } from '../config/load-project.ts';
import { Cli, type AddCommand } from './cli.ts';
import { environmentByKind } from './dev-databases.ts';
import { SERVER_TITLES } from './dev-server-kind.ts';
import type { DevServers } from './dev-servers.ts';
import { howToCall, shellWord } from './how-to-call.ts';
import { followToEnd } from './run.ts';
import { historyLimit } from './worker.ts';

/** After a run was left: as long as a worker without work, and servers, take to end in order. */
const LEAVE_WITHIN_MS = 1_000;

interface DevFlags {
  run?: string;
  keepData?: boolean;
}

export const addDev: AddCommand = (program, cli, done) => {
  program
    .command('dev')
    .description('Temporal, a database for connections without a URL, and a worker, all in one; Ctrl-C ends it all')
    .option('--run <name>', 'start everything, run this load or session, stop everything; its exit code')
    .option('--keep-data', 'databases and history stay in .waybill/dev of the project; else nothing stays')
    .action(async (flags: DevFlags) => done(await dev(cli, flags)));
};

async function dev(cli: Cli, { run, keepData = false }: DevFlags): Promise<number> {
  const { projectFolder: folder, io } = cli;
  // What is wrong in the files, with the name, or in a variable of the worker is said before anything is started.
  const checked = await environmentByKind(folder, io.env);
  const project = await loadProject(folder, { env: checked, allowMissingEnvironment: true });
  if (run !== undefined) findName(project, run);
  const { logLevel } = await import('./log.ts');
  logLevel(io.env);
  historyLimit(io.env);
  const interrupt = new Interrupt(cli);
  const { startDevServers } = await import('./dev-servers.ts'); // it knows Temporal's client, which takes its time to load
  const servers = await startDevServers({ folder, env: io.env, keepData, say: (text) => cli.note(text) });
  const env: NodeJS.ProcessEnv = {
    ...io.env,
    ...servers.variables,
    TEMPORAL_ADDRESS: servers.target.address,
    TEMPORAL_NAMESPACE: servers.target.namespace,
    ...(servers.temporal.uiUrl !== undefined && { WAYBILL_UI: run === undefined ? servers.temporal.uiUrl : '' }),
  };
  const inside = new Cli({ ...io, env });
  inside.options = { ...cli.options, project: folder };
  try {
    interrupt.check();
    return run === undefined
      ? await serve(inside, servers, interrupt, folder)
      : await runOnce(inside, servers, interrupt, run);
  } finally {
    interrupt.off();
    await servers.stop();
  }
}

async function startDevWorker({ io, projectFolder }: Cli, { target }: DevServers, logsFrom: 'info' | 'error') {
  const [{ startWorker }, { createLog }] = await Promise.all([import('../worker/worker.ts'), import('./log.ts')]);
  const log = createLog(io, logsFrom);
  return startWorker({ project: projectFolder, log, temporal: target, env: io.env, ...historyLimit(io.env) });
}

/** Serves until Ctrl-C. */
async function serve(cli: Cli, servers: DevServers, interrupt: Interrupt, folder: string): Promise<number> {
  const worker = await startDevWorker(cli, servers, 'info');
  const shell = await shellFile(servers, cli.io.env);
  try {
    cli.document(addressesDocument(servers, shell));
    cli.say(addresses(servers, shell, folder, howToCall(folder, cli.io)));
    await Promise.race([interrupt.heard, worker.done]);
    return EXIT.done;
  } finally {
    await rm(path.dirname(shell), { recursive: true, force: true });
    await worker.stop();
  }
}

/** Runs one load or session, and that was it. */
async function runOnce(cli: Cli, servers: DevServers, interrupt: Interrupt, name: string): Promise<number> {
  const worker = await startDevWorker(cli, servers, 'error');
  try {
    interrupt.check();
    // At the end it would be a link to a server that is gone.
    if (servers.temporal.uiUrl !== undefined) cli.note(`Temporal UI, as long as it runs: ${servers.temporal.uiUrl}`);
    return await cli.withWaybill(
      async (waybill) => {
        const follower = await waybill.run(name);
        const cancel = (): Promise<unknown> => waybill.cancel(name);
        const pressed = interrupt.isHeard; // while it was started
        const followed = followToEnd(cli, waybill, follower, { interrupt: 'cancel', cancel, pressed });
        interrupt.off(); // the follower hears by now: nobody would end the servers where a signal ends this process
        await Promise.race([followed, worker.done]);
        const { exitCode, left } = await followed;
        if (left) leaveSoon();
        return exitCode;
      },
      { temporal: servers.target },
    );
  } finally {
    await worker.stop();
  }
}

/** Who does not wait for a roll back does not wait for a worker that is in the midst of it either. Servers of ours end with us. */
function leaveSoon(): void {
  setTimeout(() => process.exit(EXIT.cancelled), LEAVE_WITHIN_MS).unref();
}

/** Ctrl-C (or SIGTERM, or a terminal that closes) while there is nothing to follow: once stops everything, twice leaves at once. */
class Interrupt {
  readonly heard: Promise<void>;
  private count = 0;
  readonly off: () => void;

  constructor(cli: Cli) {
    let hear: () => void = () => undefined;
    this.heard = new Promise((resolve) => (hear = resolve));
    this.off = cli.io.onInterrupt(() => {
      this.count += 1;
      if (this.count > 1) process.exit(EXIT.cancelled); // servers of ours end with us
      cli.note('Stopping everything …');
      hear();
    }, true);
  }

  get isHeard(): boolean {
    return this.count > 0;
  }

  /** Between two steps of the start. */
  check(): void {
    if (this.isHeard) throw new CancelledError('stopped before it was up');
  }
}

/** A file that other terminals can source: the variables hold passwords, so they are not printed. */
async function shellFile({ variables }: DevServers, env: NodeJS.ProcessEnv): Promise<string> {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'waybill-dev-')), 'env');
  const names = [...Object.keys(variables), 'TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'WAYBILL_UI'];
  const lines = names.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [`export ${name}='${value.replaceAll("'", `'\\''`)}'\n`];
  });
  await writeFile(file, lines.join(''), { mode: 0o600 });
  return file;
}

function addresses(
  { temporal, databases, variables }: DevServers,
  shell: string,
  folder: string,
  waybill: string,
): string {
  const lines: [string, string][] = [
    ['Project', folder],
    ['Temporal', `${temporal.address}, namespace ${temporal.namespace} (from ${temporal.from})`],
  ];
  if (temporal.uiUrl !== undefined) lines.push(['Temporal UI', temporal.uiUrl]);
  for (const [variable, url] of Object.entries(variables)) lines.push([variable, withoutPassword(url)]);
  for (const { on, version } of databases) lines.push([SERVER_TITLES[on], version]);
  lines.push(['Elsewhere', `. ${shellWord(shell)}   # passwords, too; then: ${waybill} run NAME`]);
  const width = Math.max(...lines.map(([name]) => name.length));
  return [...lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`), 'Ctrl-C ends it all.'].join('\n');
}

function addressesDocument({ temporal, variables }: DevServers, shell: string) {
  return {
    temporal: { address: temporal.address, namespace: temporal.namespace, ui: temporal.uiUrl ?? null },
    databases: Object.fromEntries(Object.entries(variables).map(([name, url]) => [name, withoutPassword(url)])),
    environment_file: shell,
  };
}

function withoutPassword(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  return parsed.href;
}
